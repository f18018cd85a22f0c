"""Header trees: links of every layout, the order of each tool, completeness, and who may have written them."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdiag.machine import Machine
from kdiag.machine.headers import Headers
from tests.support import known_machines as known
from tests.support import machines
from tests.support.description import Description
from tests.support.on_disk import OnDisk, write_machine

RELEASE = "6.12.107+deb13-amd64"


def headers(described: Description, root: Path) -> Headers:
    """From real files: links are the file system's own."""
    return Machine(OnDisk(described, write_machine(described, root))).headers


def merged_usr(target: str) -> Description:
    """Debian 13: /lib is a link to usr/lib, modules are below it, and their links are as given."""
    described = machines.linux()
    moved = {path: node for path, node in described.nodes.items() if path.startswith("/lib/modules/")}
    described.remove("/lib")
    described.nodes |= {f"/usr{path}": node for path, node in moved.items()}
    described.link("/lib", "usr/lib").link(f"/usr/lib/modules/{RELEASE}/build", target)
    return machines.tree(described, f"/usr/src/linux-headers-{RELEASE}")


@pytest.mark.parametrize(
    "target",
    [
        f"../../../src/linux-headers-{RELEASE}",
        f"/usr/src/linux-headers-{RELEASE}",
        f"../../../../usr/src/linux-headers-{RELEASE}",
    ],
)
def test_links_of_a_merged_usr(target: str, tmp_path: Path) -> None:
    """`..` goes up from where the directory really is, not from its name."""
    mine = headers(merged_usr(target), tmp_path)
    chain = mine.links["build"]
    assert chain.is_dir, chain
    assert chain.broken is None
    assert chain.end == f"/usr/src/linux-headers-{RELEASE}"
    assert mine.bpftrace_tree is not None
    assert mine.bpftrace_tree.complete
    assert mine.bpftrace_tree.release == RELEASE


def test_the_first_broken_hop(tmp_path: Path) -> None:
    described = (
        machines.linux().link(f"/lib/modules/{RELEASE}/build", "/usr/src/a").link("/usr/src/a", "/usr/src/b")
    )
    described.link("/usr/src/b", "gone/tree")
    chain = headers(described, tmp_path).links["build"]
    assert [target for _, target in chain.hops] == ["/usr/src/a", "/usr/src/b", "gone/tree"]
    assert chain.broken == "/usr/src/gone"
    assert not chain.is_dir


def test_a_link_to_a_file_is_no_tree(tmp_path: Path) -> None:
    described = machines.linux().link(f"/lib/modules/{RELEASE}/build", "/usr/src/file").file("/usr/src/file")
    mine = headers(described, tmp_path)
    assert mine.links["build"].broken is None
    assert not mine.links["build"].is_dir
    assert mine.for_bpftrace is None


# -- order ----------------------------------------------------------------------------------------------


def chosen(described: Description, root: Path) -> tuple[str, str] | None:
    found = headers(described, root).for_bpftrace
    return None if found is None else (found.source, found.build)


BASE = f"/lib/modules/{RELEASE}"


def test_the_variable_is_taken_unseen(tmp_path: Path) -> None:
    described = machines.tree(machines.linux(), f"{BASE}/build").env("BPFTRACE_KERNEL_SOURCE", "/nowhere")
    found = headers(described, tmp_path).for_bpftrace
    assert found is not None
    assert (found.source, found.build, found.missing) == ("/nowhere", "/nowhere", True)


def test_source_and_build_variables(tmp_path: Path) -> None:
    described = machines.linux().env("BPFTRACE_KERNEL_SOURCE", "/a").env("BPFTRACE_KERNEL_BUILD", "/b")
    assert chosen(described, tmp_path) == ("/a", "/b")


def test_the_build_variable_alone_does_nothing(tmp_path: Path) -> None:
    assert chosen(machines.tree(machines.linux(), "/b").env("BPFTRACE_KERNEL_BUILD", "/b"), tmp_path) is None


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (("source", "build"), (f"{BASE}/source", f"{BASE}/build")),
        (("source",), (f"{BASE}/source", f"{BASE}/source")),
        (("build",), (f"{BASE}/build", f"{BASE}/build")),
        ((), None),
    ],
)
def test_one_missing_directory_is_replaced_by_the_other(
    there: tuple[str, ...], expected: tuple[str, str] | None, tmp_path: Path
) -> None:
    described = machines.linux()
    for name in there:
        machines.tree(described, f"{BASE}/{name}")
    assert chosen(described, tmp_path) == expected


def test_bcc_has_an_order_of_its_own(tmp_path: Path) -> None:
    described = machines.tree(machines.tree(machines.linux(), f"{BASE}/build"), "/mine").env(
        "BPFTRACE_KERNEL_SOURCE", "/nowhere"
    )
    found = headers(described, tmp_path / "1").for_bcc
    assert found is not None
    assert found.source == f"{BASE}/build"
    found = headers(described.env("BCC_KERNEL_SOURCE", "/mine"), tmp_path / "2").for_bcc
    assert found is not None
    assert (found.source, found.missing) == ("/mine", False)


def test_complete_trees_elsewhere_are_named(tmp_path: Path) -> None:
    described = machines.tree(machines.linux(), f"/usr/src/linux-headers-{RELEASE}")
    machines.tree(described, "/usr/src/kernels/other", release="6.1.0")
    assert [tree.source for tree in headers(described, tmp_path).elsewhere()] == [
        f"/usr/src/linux-headers-{RELEASE}"
    ]


# -- judging --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "include/linux/kconfig.h",
        "include/linux/types.h",
        "include/generated/autoconf.h",
        "include/generated/uapi/linux/version.h",
        "arch/x86/include/generated",
    ],
)
def test_each_missing_part_is_named(name: str, tmp_path: Path) -> None:
    described = machines.tree(machines.linux(), f"{BASE}/build").remove(f"{BASE}/build/{name}")
    tree = headers(described, tmp_path).bpftrace_tree
    assert tree is not None
    assert tree.missing == (f"{BASE}/build/{name}",)
    assert not tree.complete
    assert not tree.uapi_only


def test_user_space_headers_are_no_tree(tmp_path: Path) -> None:
    """What WSL puts under its build link: the result of headers_install."""
    tree = headers(known.wsl2_618_uapi(), tmp_path).bpftrace_tree
    assert tree is not None
    assert tree.uapi_only


def test_debians_half_is_no_user_space_tree(tmp_path: Path) -> None:
    tree = headers(known.debian_12("arch"), tmp_path).bpftrace_tree
    assert tree is not None
    assert tree.missing
    assert not tree.uapi_only


def test_the_release_of_a_tree(tmp_path: Path) -> None:
    described = machines.tree(machines.linux(), f"{BASE}/build").remove(
        f"{BASE}/build/include/generated/utsrelease.h"
    )
    described.file(f"{BASE}/build/include/config/kernel.release", "6.12.9-x\n")
    tree = headers(described, tmp_path).bpftrace_tree
    assert tree is not None
    assert tree.release == "6.12.9-x"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda described: described.dir("/opt/h", mode=0o777), "/opt/h"),
        (lambda described: described.dir("/opt", mode=0o775), "/opt"),
        (lambda described: described.dir("/opt", mode=0o1777), None),
        (lambda described: described, None),
    ],
    ids=["the tree", "a directory above", "a sticky one above", "nobody"],
)
def test_who_else_could_write_it(change: object, says: str | None, tmp_path: Path) -> None:
    assert callable(change)
    described = machines.tree(machines.linux(), "/opt/h").link(f"{BASE}/build", "/opt/h")
    tree = headers(change(described), tmp_path).bpftrace_tree
    assert tree is not None
    if says is None:
        assert tree.untrusted is None, tree.untrusted
    else:
        assert tree.untrusted is not None
        assert says in tree.untrusted
