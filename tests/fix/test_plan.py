"""The plan: what it chooses, what it refuses, and what it says where nothing can be done."""

from __future__ import annotations

import io
import lzma
import os
import re
import tarfile
from pathlib import Path

import pytest

from kdiag.checking.analysis import analyse
from kdiag.checking.registry import discover
from kdiag.fix.effects import Installed, Linked, Loaded, Mounted, Unpacked, Written
from kdiag.fix.errors import FixError
from kdiag.fix.options import Options
from kdiag.fix.plan.compose import make_plan
from kdiag.fix.plan.show import render_plan
from kdiag.fix.plan.values import Plan
from kdiag.fix.usage import render_usage
from kdiag.machine import Machine
from kdiag.parse.kheaders import from_module, quick
from tests.support import kernel_parts as parts
from tests.support import machines
from tests.support.fixable_machine import KERNEL, RELEASE, SERVED, TRACEFS, Case, btf, case, notes, vmlinux
from tests.support.reports import report_on

FILE = f"/lib/modules/{RELEASE}/kernel/kernel/kheaders.ko"


def planned(one: Case, options: Options | None = None) -> Plan:
    """The plan that the built-in checks lead to."""
    registry = discover(plugins=False)
    machine = Machine(one.look({}))
    report = analyse(machine, registry, registry.checks)
    return make_plan(machine, report, one.places, options or Options())


def ids(plan: Plan) -> list[str]:
    return [step.id for step in plan.steps]


def said(plan: Plan) -> str:
    return "\n".join(plan.notes)


# -- headers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("euid", [0, 1000])
def test_the_modules_file_is_enough_for_anybody(tmp_path: Path, euid: int) -> None:
    plan = planned(case(tmp_path, euid=euid))
    assert ids(plan) == ["kheaders.extract-module"]
    effect = plan.steps[0].effect
    assert isinstance(effect, Unpacked)
    assert effect.origin == FILE
    assert Path(effect.target).parent == tmp_path / "cache" / "kdiag" / "headers"
    assert plan.steps[0].needs == ()
    assert dict(plan.variables)["BPFTRACE_KERNEL_SOURCE"] == effect.target
    assert "#include <linux/...>" in plan.steps[0].helps


def test_a_module_of_the_host_that_another_user_can_change_is_not_used(tmp_path: Path) -> None:
    """A directory that is named as the host's may be anyone's; the archive would be compiled by root."""
    path = f"/host{FILE}"
    for owner, chosen in ((0, ["kheaders.extract-module"]), (1000, [])):
        described = machines.linux(RELEASE, config_at=None).remove("/lib/modules").env("KDIAG_HOST", "/host")
        described.file("/host/etc/os-release", "ID=node\n").dir("/host/usr/bin")
        described.file(f"/host/lib/modules/{RELEASE}/modules.dep", "kernel/kernel/kheaders.ko:\n")
        described.file(path, parts.kheaders_module(parts.archive(RELEASE)), uid=owner)
        machine = Machine(machines.bpftrace(described, "0.23.2").recording())
        plan = make_plan(machine, report_on(machine.system), case(tmp_path).places, Options())
        assert ids(plan) == chosen
        assert (f"{path} is not used, because others could change it" in said(plan)) is bool(owner)


def test_with_btf_it_says_what_headers_are_for(tmp_path: Path) -> None:
    assert "harmless" in said(planned(case(tmp_path)))


def test_without_btf_headers_are_more_than_for_includes(tmp_path: Path) -> None:
    plan = planned(case(tmp_path, "without_btf", bpftrace="0.23.2"))
    assert "Syscall tracepoints with arguments" in plan.steps[0].helps
    assert "harmless" not in said(plan)


def test_old_bpftrace_is_spared_unpacking_into_tmp(tmp_path: Path) -> None:
    plan = planned(case(tmp_path, "without_btf", bpftrace="0.17.0"))
    assert ids(plan) == ["kheaders.extract-module"]
    assert "would load the module and unpack it into /tmp" in said(plan)


def test_what_the_kernel_serves_comes_before_the_file(tmp_path: Path) -> None:
    plan = planned(case(tmp_path, "served", euid=1000))
    assert ids(plan) == ["kheaders.extract"]
    assert isinstance(plan.steps[0].effect, Unpacked)
    assert plan.steps[0].effect.origin == SERVED


def test_a_served_archive_of_another_release_is_not_used(tmp_path: Path) -> None:
    one = case(tmp_path, "served")
    other = tmp_path / "kheaders.tar.xz"
    from tests.support.fixable_machine import archive

    other.write_bytes(archive("6.1.0-other"))
    plan = planned(one)
    assert ids(plan) == ["kheaders.extract-module"]
    assert "6.1.0-other" in said(plan)


def test_loading_is_done_when_asked_for(tmp_path: Path) -> None:
    plan = planned(case(tmp_path, "loadable", euid=0), Options(load=True))
    assert ids(plan) == ["kheaders.load", "kheaders.extract"]
    assert plan.steps[0].effect == Loaded("kheaders")
    assert plan.steps[0].needs == ("root",)
    assert isinstance(plan.steps[1].effect, Unpacked)
    assert plan.steps[1].effect.origin == SERVED
    assert plan.tree is not None


def test_loading_is_not_done_otherwise(tmp_path: Path) -> None:
    assert ids(planned(case(tmp_path, "loadable", euid=0))) == ["kheaders.extract-module"]


def test_loading_takes_root_and_the_headers_do_not(tmp_path: Path) -> None:
    plan = planned(case(tmp_path, "loadable", euid=1000), Options(load=True))
    assert ids(plan) == ["kheaders.extract-module"]
    assert "requires root" in said(plan)


def test_where_loading_is_impossible_the_file_does(tmp_path: Path) -> None:
    plan = planned(case(tmp_path, "blocked", euid=0), Options(load=True))
    assert ids(plan) == ["kheaders.extract-module"]
    assert "cannot be loaded" in said(plan)


def test_a_file_that_holds_no_archive_leads_to_loading(tmp_path: Path) -> None:
    one = case(tmp_path, "loadable", euid=0)
    (tmp_path / "kheaders.ko").write_bytes(b"\x7fELF and nothing else")
    plan = planned(one)
    assert ids(plan) == ["kheaders.load", "kheaders.extract"]
    effect = plan.steps[1].effect
    assert isinstance(effect, Unpacked) and effect.target == ""
    one = case(tmp_path, "loadable", euid=1000)
    assert ids(planned(one)) == []


def test_nothing_is_done_twice(tmp_path: Path) -> None:
    from tests.support.headers_archive import write_tree

    one = case(tmp_path)
    effect = planned(one).steps[0].effect
    assert isinstance(effect, Unpacked)
    write_tree(Path(effect.target), RELEASE)
    plan = planned(one)
    assert ids(plan) == []
    assert plan.tree == Path(effect.target)
    assert "unpacked already" in said(plan)


@pytest.mark.skipif(not KERNEL.is_dir(), reason="the built kernel is not here")
def test_a_real_module(tmp_path: Path) -> None:
    module = KERNEL / "kheaders.ko"
    release = quick(from_module(module.read_bytes())).release
    assert release is not None
    one = case(tmp_path, release=release)
    one.files[f"/lib/modules/{release}/kernel/kernel/kheaders.ko"] = module
    plan = planned(one)
    assert ids(plan) == ["kheaders.extract-module"]
    assert "34 MB" in plan.steps[0].changes[0]


def test_a_tree_in_an_unusual_place_is_pointed_to(tmp_path: Path) -> None:
    from tests.support.headers_archive import write_tree

    one = case(tmp_path)
    tree = write_tree(tmp_path / "elsewhere", RELEASE)
    for path in (tree, *tree.rglob("*")):
        name = str(path).replace(str(tree), f"/usr/src/kernels/{RELEASE}")
        one.files[name] = path if path.is_file() else tuple(sorted(p.name for p in path.iterdir()))
    plan = planned(one)
    assert ids(plan) == ["headers.use-tree"]
    assert not plan.changes_something
    assert plan.tree == Path(f"/usr/src/kernels/{RELEASE}")


# -- packages --------------------------------------------------------------------------------------------------------

DEBIAN = "6.12.107+deb13-amd64"


def test_a_package_is_named_and_not_installed(tmp_path: Path) -> None:
    plan = planned(case(tmp_path, "without_module", "debian", release=DEBIAN, euid=0))
    assert ids(plan) == []
    assert f"linux-headers-{DEBIAN}" in said(plan)
    assert "--packages" in said(plan)
    assert "CONFIG_IKHEADERS is off" in said(plan)


def test_a_package_is_installed_when_allowed(tmp_path: Path) -> None:
    plan = planned(case(tmp_path, "without_module", "debian", release=DEBIAN, euid=0), Options(packages=True))
    assert ids(plan) == ["headers.package"]
    effect = plan.steps[0].effect
    assert isinstance(effect, Installed)
    assert effect.manager == "apt-get"
    assert effect.wanted[0] == f"linux-headers-{DEBIAN}"
    assert plan.steps[0].needs == ("root", "network")


def test_a_package_takes_root(tmp_path: Path) -> None:
    one = case(tmp_path, "without_module", "debian", release=DEBIAN, euid=1000)
    plan = planned(one, Options(packages=True))
    assert ids(plan) == []
    assert "requires root" in said(plan)


def test_a_package_is_not_installed_where_less_will_do(tmp_path: Path) -> None:
    one = case(tmp_path, "debian", release=DEBIAN, euid=0)
    assert ids(planned(one, Options(packages=True))) == ["kheaders.extract-module"]


@pytest.mark.parametrize(
    "release",
    ["5.15.153.1-microsoft-standard-WSL2", "6.10.14-linuxkit", "6.18.44-fc-v669"],
)
def test_kernels_for_which_there_is_no_package(tmp_path: Path, release: str) -> None:
    plan = planned(
        case(tmp_path, "without_module", "debian", release=release, euid=0), Options(packages=True)
    )
    assert ids(plan) == []
    text = said(plan)
    assert "No package has headers for this kernel" in text or "is not known" in text
    assert f"linux-headers-{release}" not in text


def test_in_a_container_the_module_is_loaded_outside(tmp_path: Path) -> None:
    one = case(tmp_path, euid=0)
    one.files |= {
        f"/lib/modules/{RELEASE}": None,
        "/usr/lib/modules": None,
        "/run/systemd/container": b"docker\n",
    }
    plan = planned(one)
    assert ids(plan) == []
    assert "outside" in said(plan) or "host" in said(plan)


# -- tracefs ---------------------------------------------------------------------------------------------------------


def unmounted(home: Path, **changes: object) -> Case:
    one = case(home, **changes)
    one.magics = {TRACEFS: 0x62656572, f"{TRACEFS[:-7]}debug/tracing": None}
    one.files["/proc/filesystems"] = b"nodev\ttracefs\nnodev\tdebugfs\n"
    one.files["/sys/kernel/tracing"] = ()
    return one


def test_tracefs_is_mounted_by_root(tmp_path: Path) -> None:
    one = unmounted(tmp_path, euid=0)
    one.files |= {"/proc/self/status": b"CapEff:\t000001ffffffffff\nCapBnd:\t000001ffffffffff\n"}
    one.files |= {"/proc/self/uid_map": b"         0          0 4294967295\n"}
    plan = planned(one)
    assert ids(plan)[0] == "tracefs.mount"
    effect = plan.steps[0].effect
    assert isinstance(effect, Mounted)
    assert (effect.fstype, effect.where) == ("tracefs", TRACEFS)
    assert "tracing.tracefs" in plan.repairs


def test_a_bpftrace_that_looks_below_debugfs_gets_that_too(tmp_path: Path) -> None:
    one = unmounted(tmp_path, euid=0, bpftrace="0.11.3")
    one.magics["/sys/kernel/debug"] = 0x62656572
    one.files |= {"/proc/self/status": b"CapEff:\t000001ffffffffff\nCapBnd:\t000001ffffffffff\n"}
    one.files |= {"/proc/self/uid_map": b"0 0 4294967295\n", "/sys/kernel/debug": ()}
    assert ids(planned(one))[:2] == ["tracefs.mount", "debugfs.mount"]
    one.bpftrace = "0.17.0"
    assert "debugfs.mount" not in ids(planned(one))


def test_tracefs_is_not_mounted_by_others(tmp_path: Path) -> None:
    plan = planned(unmounted(tmp_path, euid=1000))
    assert "tracefs.mount" not in ids(plan)
    assert "requires root" in said(plan)


@pytest.mark.parametrize(
    ("capabilities", "uid_map"),
    [(b"00000000a80425fb", b"0 0 4294967295"), (b"000001ffffffffff", b"0 1000 1")],
)
def test_tracefs_cannot_be_mounted_without_the_right(
    tmp_path: Path, capabilities: bytes, uid_map: bytes
) -> None:
    one = unmounted(tmp_path, euid=0)
    one.files |= {"/proc/self/status": b"CapEff:\t%s\nCapBnd:\t%s\n" % (capabilities, capabilities)}
    one.files |= {"/proc/self/uid_map": uid_map + b"\n"}
    plan = planned(one)
    assert "tracefs.mount" not in ids(plan)
    assert "CAP_SYS_ADMIN" in said(plan) or "host" in said(plan)


# -- BTF -------------------------------------------------------------------------------------------------------------


def given(home: Path, name: str, data: bytes) -> Options:
    (home / name).write_bytes(data)
    return Options(btf=str(home / name))


def packed(data: bytes, name: str = "x.btf") -> bytes:
    """As BTFHub packs it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
    return lzma.compress(buffer.getvalue())


def test_nothing_has_the_btf(tmp_path: Path) -> None:
    plan = planned(case(tmp_path, "without_btf", "without_module"))
    assert ids(plan) == []
    assert "--btf FILE" in said(plan)
    assert "BTFHub" not in said(plan), "no distribution built this kernel"


def test_btfhub_is_named_for_kernels_of_its_distributions(tmp_path: Path) -> None:
    one = case(tmp_path, "without_btf", "without_module", "debian", release=DEBIAN)
    assert f"btfhub-archive, debian/13/x86_64/{DEBIAN}.btf.tar.xz" in said(planned(one))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        (f"{RELEASE}.btf", btf()),
        (f"{RELEASE}.btf.tar.xz", packed(btf())),
        ("vmlinux", vmlinux(btf())),
        ("mine.btf.xz", lzma.compress(btf())),
    ],
)
def test_btf_from_a_file(tmp_path: Path, name: str, data: bytes) -> None:
    plan = planned(case(tmp_path, "without_btf", "without_module"), given(tmp_path, name, data))
    assert ids(plan) == ["btf.file"]
    assert plan.steps[0].content == btf()
    assert isinstance(plan.steps[0].effect, Written)
    assert plan.btf == Path(plan.steps[0].effect.target)
    assert plan.btf.parent == tmp_path / "cache" / "kdiag" / "btf"
    assert dict(plan.variables)["BPFTRACE_BTF"] == str(plan.btf)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("mine.btf", b"", "empty"),
        ("mine.btf", b"hello", "not BTF"),
        ("mine.btf", btf()[:40], "truncated"),
        ("mine.btf", btf(order=">"), "big-endian"),
        ("mine.btf", btf(more=(0, 2 << 24, 5)), "type 5 is part of itself"),
        ("vmlinux", vmlinux(btf(more=(0, 10 << 24, 6, 0, 10 << 24, 5))), "is part of itself"),
        ("mine.btf", btf(registers="pstate"), "arm64"),
        ("mine.btf", btf(registers="something"), "unknown"),
        ("mine.btf", btf(pointer=4), "pointers of 4 bytes"),
        ("mine.btf", btf().replace(b"task_struct", b"tusk_struct"), "task_struct"),
        ("5.4.0-42-generic.btf", btf(), "5.4.0-42-generic"),
        ("5.4.0-42-generic.btf.tar.xz", packed(btf()), "5.4.0-42-generic"),
        ("x.btf.tar.xz", packed(btf(), "notes.txt"), "0 .btf files"),
        ("x.btf.tar.xz", packed(btf())[:-20], "ends early"),
        ("x.btf.xz", lzma.compress(bytes(80 << 20)), "limit"),
        ("vmlinux", vmlinux(b"")[:100], "ELF"),
    ],
)
def test_files_that_are_not_this_kernels_btf(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    with pytest.raises(FixError, match=words):
        planned(case(tmp_path, "without_btf"), given(tmp_path, name, data))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    one = case(tmp_path, "without_btf")
    os.mkfifo(tmp_path / "fifo")
    for path in ("fifo", ".", "absent"):
        with pytest.raises(FixError):
            planned(one, Options(btf=str(tmp_path / path)))


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/sys/kernel/btf/vmlinux"), reason="this kernel serves no BTF")
def test_real_btf_is_accepted(tmp_path: Path) -> None:
    data = Path("/sys/kernel/btf/vmlinux").read_bytes()
    plan = planned(
        case(tmp_path, "without_btf", "without_module"), given(tmp_path, "v.btf.tar.xz", packed(data))
    )
    assert plan.steps[0].content == data


def test_btf_is_not_asked_of_a_file_where_the_kernel_serves_it(tmp_path: Path) -> None:
    if not os.path.exists("/sys/kernel/btf/vmlinux"):
        pytest.skip("this kernel serves no BTF")
    plan = planned(case(tmp_path), given(tmp_path, "mine.btf", btf()))
    assert "btf.file" not in ids(plan)
    assert "not needed" in said(plan)


ID = bytes(range(20))


def with_vmlinux(home: Path, build_id: bytes | None) -> Case:
    """A kernel without BTF in sysfs, and an image in /boot, for a bpftrace that asks the kernel for BTF by id."""
    one = case(home, "without_btf", "without_module")
    one.files |= {f"/boot/vmlinux-{RELEASE}": vmlinux(btf(), build_id), "/sys/kernel/notes": notes(ID)}
    return one


def test_btf_from_a_vmlinux_of_this_build(tmp_path: Path) -> None:
    plan = planned(with_vmlinux(tmp_path, ID))
    assert ids(plan) == ["btf.recover"]
    assert plan.steps[0].content == btf()
    assert "not proven" not in said(plan)


def test_btf_from_a_vmlinux_that_does_not_say_its_build(tmp_path: Path) -> None:
    plan = planned(with_vmlinux(tmp_path, None))
    assert ids(plan) == ["btf.recover"]
    assert "not proven" in said(plan)


def test_btf_of_another_build_is_not_used(tmp_path: Path) -> None:
    plan = planned(with_vmlinux(tmp_path, bytes(20)))
    assert ids(plan) == []
    assert "another build" in said(plan)


def test_recent_bpftrace_finds_the_vmlinux_by_itself(tmp_path: Path) -> None:
    one = with_vmlinux(tmp_path, ID)
    one.bpftrace = "0.23.2"
    plan = planned(one)
    assert ids(plan) == []
    assert "needs no repair" in said(plan)


def test_recovered_btf_is_found_again(tmp_path: Path) -> None:
    one = with_vmlinux(tmp_path, ID)
    step = planned(one).steps[0]
    assert isinstance(step.effect, Written) and step.content is not None
    target = Path(step.effect.target)
    target.parent.mkdir(parents=True)
    target.write_bytes(step.content)
    target.chmod(0o644)
    plan = planned(one)
    assert ids(plan) == []
    assert plan.btf == target


# -- the link --------------------------------------------------------------------------------------------------------


def test_the_link(tmp_path: Path) -> None:
    plan = planned(case(tmp_path, euid=0), Options(link=True))
    assert ids(plan) == ["kheaders.extract-module", "headers.link"]
    effect = plan.steps[1].effect
    assert isinstance(effect, Linked)
    assert effect.path == str(tmp_path / "lib" / "modules" / RELEASE / "build")
    assert effect.target == str(plan.tree)
    assert plan.link == effect.path


def test_the_link_takes_root(tmp_path: Path) -> None:
    plan = planned(case(tmp_path, euid=1000), Options(link=True))
    assert ids(plan) == ["kheaders.extract-module"]
    assert plan.link is None


@pytest.mark.parametrize("kind", ["file", "directory", "link", "dangling"])
def test_the_link_replaces_nothing(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "lib" / "modules" / RELEASE / "build"
    path.parent.mkdir(parents=True)
    if kind == "file":
        path.touch()
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to("/usr" if kind == "link" else "/absent")
    with pytest.raises(FixError, match="build"):
        planned(case(tmp_path, euid=0), Options(link=True))


# -- in words --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [40, 80, 120])
def test_plans_fit_the_terminal(tmp_path: Path, width: int) -> None:
    plan = planned(case(tmp_path, "loadable", euid=0), Options(load=True, link=True))
    text = render_plan(plan, width, unicode=False)
    assert text.isascii() and text.endswith("\n")
    for line in text.splitlines():
        assert len(line) <= width or "/" in line
    for step in plan.steps:
        assert step.undo.split()[0] in text


def test_the_usage_names_every_way(tmp_path: Path) -> None:
    plan = planned(case(tmp_path))
    text = render_usage(plan, 80)
    for way in (
        r'eval "\$\(.*kdiag env\)"',
        "kdiag run -- bpftrace",
        "sudo --preserve-env=",
        "kdiag fix --link",
    ):
        assert re.search(way, text)
    assert "BPFTRACE_KERNEL_SOURCE" in text
    linked = planned(case(tmp_path, euid=0), Options(link=True))
    assert "by themselves" in render_usage(linked, 80)
