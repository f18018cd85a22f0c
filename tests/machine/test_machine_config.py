"""Where the configuration is taken from: the order, the kernel's own first, recovered from images, or as asked for."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from kdiag.machine import Machine
from kdiag.machine.config import ConfigFacts, candidate_paths
from kdiag.system import Unavailable
from tests.support import kernel_parts as parts
from tests.support import machines
from tests.support.description import Description
from tests.support.on_disk import OnDisk, write_machine

RELEASE = "6.12.107"


def bare() -> Description:
    return machines.linux(RELEASE, config_at=None)


def facts(described: Description, root: Path) -> ConfigFacts:
    return Machine(OnDisk(described, write_machine(described, root))).config


def text(mark: str) -> str:
    return parts.config(RELEASE, {"LOCALVERSION": f'"{mark}"'})


def test_every_place_is_found(tmp_path: Path) -> None:
    """The union of what sixteen tools search."""
    for number, path in enumerate(candidate_paths(RELEASE, "x86_64")):
        if path.startswith("/proc/1/root"):
            continue
        found = facts(bare().file(path, text("x")), tmp_path / str(number)).found
        assert found.path == path
        assert found.by_kernel is path.startswith("/proc/config")


def test_the_first_one_wins_and_the_attempts_are_kept(tmp_path: Path) -> None:
    paths = [p for p in candidate_paths(RELEASE, "x86_64") if not p.startswith("/proc")]
    described = bare()
    for path in paths[2:5]:
        described.file(path, text(path))
    found = facts(described, tmp_path).found
    assert found.path == paths[2]
    assert [a.outcome for a in found.attempts if a.path in paths[:2]] == ["absent", "absent"]


def test_the_kernels_own_beats_files(tmp_path: Path) -> None:
    described = (
        bare()
        .file("/proc/config.gz", gzip.compress(text("own").encode()))
        .file(f"/boot/config-{RELEASE}", text("file"))
    )
    found = facts(described, tmp_path).found
    assert (found.path, found.config.get("LOCALVERSION")) == ("/proc/config.gz", "own")


def test_the_users_own_beats_all(tmp_path: Path) -> None:
    described = (
        bare()
        .file("/proc/config.gz", gzip.compress(text("own").encode()))
        .file("/mine", text("mine"))
        .env("KDIAG_KCONFIG", "/mine")
    )
    assert facts(described, tmp_path).found.config.get("LOCALVERSION") == "mine"


@pytest.mark.parametrize(
    "path", [f"/boot/vmlinuz-{RELEASE}", f"/lib/modules/{RELEASE}/vmlinuz", f"/boot/vmlinux-{RELEASE}"]
)
def test_recovered_from_an_image(path: str, tmp_path: Path) -> None:
    """IKCONFIG lies between two markers; nothing is loaded or booted."""
    image = (
        b"\x7fELF"
        + bytes(4096)
        + b"IKCFG_ST"
        + gzip.compress(text("inside").encode())
        + b"IKCFG_ED"
        + bytes(512)
    )
    found = facts(bare().file(path, image), tmp_path).found
    assert (found.path, found.config.get("LOCALVERSION"), found.by_kernel) == (path, "inside", False)


def test_recovered_from_the_module(tmp_path: Path) -> None:
    described = machines.modules(bare(), "kernel/configs")
    inside = b"\x7fELF" + bytes(64) + b"IKCFG_ST" + gzip.compress(text("module").encode()) + b"IKCFG_ED"
    described.file(f"/lib/modules/{RELEASE}/kernel/kernel/configs.ko", inside)
    assert facts(described, tmp_path).found.config.get("LOCALVERSION") == "module"


def test_a_search_that_failed_is_not_repeated(tmp_path: Path) -> None:
    """Every option asks for the configuration: without one the disk must not be searched a hundred times."""
    mine = facts(bare(), tmp_path)
    for _ in range(5):
        with pytest.raises(Unavailable):
            mine.value("BPF")
    paths = [attempt.path for attempt in mine.attempts]
    assert len(paths) == len(set(paths))


@pytest.mark.parametrize(
    ("option", "value"), [("KPROBES", "y"), ("DRIVER_001", "m"), ("IKHEADERS", "n"), ("NO_SUCH_OPTION", None)]
)
def test_the_four_answers(option: str, value: str | None, tmp_path: Path) -> None:
    """On, module, explicitly off, and no line at all."""
    assert facts(bare().file(f"/boot/config-{RELEASE}", text("x")), tmp_path).value(option) == value
