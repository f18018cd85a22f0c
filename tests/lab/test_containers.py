"""kdiag in containers of the real docker and podman: what it predicts happens, what it names is what refuses, and the
line that it prints works and has no part too many. Minutes of guest time.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from . import containers
from .containers import Cell

GUEST = pytest.mark.skipif(
    not os.environ.get("KDIAG_LAB") or shutil.which("qemu-system-x86_64") is None,
    reason="boots kernels: set KDIAG_LAB=1, with qemu-system-x86_64",
)


def sets(root: str) -> dict[str, Sequence[Cell]]:
    """The cells of a root, those of one guest together."""
    return {
        "docker": containers.default("docker", older=root == "debian12"),
        "podman": containers.default("podman", older=root == "debian12"),
        "docker-tightened": containers.tightened("docker"),
        "podman-tightened": containers.tightened("podman"),
        "others": containers.OTHERS,
    }


@GUEST
@pytest.mark.slow
@pytest.mark.parametrize("root", ["debian13", "debian12"])
@pytest.mark.parametrize("name", sets(""))
def test_containers(name: str, root: str) -> None:
    cells = sets(root)[name]
    answers = containers.ask("debian-6.12", root, cells)
    for cell in cells:
        judge(cell, answers[cell.name])


@GUEST
@pytest.mark.slow
def test_selinux_enforcing() -> None:
    """Debian's policy lets an administrator's domain neither make maps nor open events nor look into tracefs."""
    answers = containers.ask(
        "debian-6.12", "debian13", containers.SELINUX, layer="selinux", append=["security=selinux"]
    )
    for cell in containers.SELINUX:
        judge(cell, answers[cell.name])


@GUEST
@pytest.mark.slow
def test_a_container_that_sees_its_host() -> None:
    """The host is found, and the kernel's configuration, modules and packages are those below it."""
    answers = containers.ask("debian-6.12", "debian13", containers.SEEING)
    for cell in containers.SEEING:
        answer = answers[cell.name]
        judge(cell, answer)
        assert answer["check"]["machine"]["host"].endswith(
            ", in /host" if cell.name == "pod" else ", in /run/host"
        )
        sides = {f["id"]: f["side"] for f in answer["check"]["findings"]}
        assert sides["kernel.rebooted"] == sides["headers.package"] == sides["config.BPF"] == "host"
        package = next(f for f in answer["check"]["findings"] if f["id"] == "headers.package")
        assert package["remedies"][0]["run_on"].startswith("the host")


def judge(cell: Cell, answer: Mapping[str, Any]) -> None:
    """The predictions hold, the cause is named, and the line works."""
    where = f"{cell.engine} {cell.name}: {answer['err'][-500:]}"
    assert answer["check"] is not None, where
    status = {f["id"]: f["status"] for f in answer["check"]["findings"]}
    assert {i: status[i] for i in cell.because} == dict.fromkeys(cell.because, "fail"), where
    assert answer["check"]["verdict"]["status"] == ("not-ready" if cell.because else "ready"), where
    assert "--privileged" not in answer["text"], where
    assert agree(answer), where
    if cell.line:
        tried = answer["line"]
        assert "sudo" not in tried["flags"]
        assert tried["check"]["verdict"]["status"] == "ready", where
        assert agree(tried) and works(tried) and all(works(tried).values()), where
    for fewer in answer.get("less", ()):
        assert not all(works(fewer).values()), f"{where}: enough without it: {fewer['flags']}"


def agree(answer: Mapping[str, Any]) -> bool:
    """Whether no program did other than was predicted."""
    programs = (answer["smoke"] or {"programs": ()})["programs"]
    return all(p["agrees"] is not False for p in programs)


def works(answer: Mapping[str, Any]) -> dict[str, bool]:
    """Whether each program worked."""
    return {p["id"]: p["outcome"] in ("works", "warns") for p in answer["smoke"]["programs"]}


# -- without a guest -------------------------------------------------------------------------------------------------


def guests_program() -> ModuleType:
    """`guest/containers.py`, which is no module of the lab: in the guest it stands alone."""
    path = Path(__file__).parent / "guest/containers.py"
    spec = importlib.util.spec_from_file_location("lab_guest_containers", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_line_is_taken_apart() -> None:
    without_each = guests_program().without_each
    docker = ["--cap-add", "BPF", "--cap-add", "PERFMON", "-v", "/a:/a:ro"]
    assert without_each(docker) == [
        ["--cap-add", "PERFMON", "-v", "/a:/a:ro"],
        ["--cap-add", "BPF", "-v", "/a:/a:ro"],
        ["--cap-add", "BPF", "--cap-add", "PERFMON"],
    ]
    podman = ["--cap-add", "SYS_ADMIN,PERFMON", "-v", "/a:/a:ro"]
    assert [fewer[:2] for fewer in without_each(podman)] == [
        ["--cap-add", "PERFMON"],
        ["--cap-add", "SYS_ADMIN"],
        ["--cap-add", "SYS_ADMIN"],
    ]


def test_the_cells_have_names_of_their_own() -> None:
    for cells in sets("debian13").values():
        assert len({cell.name for cell in cells}) == len(cells)
