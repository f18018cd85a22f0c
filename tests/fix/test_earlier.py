"""The short way: nothing is examined where a few system calls tell that all is done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kdiag.fix import earlier as module
from kdiag.fix.earlier import earlier_fix
from kdiag.fix.effects import Loaded
from kdiag.fix.journal import Journal
from kdiag.fix.options import Options
from kdiag.machine.kernel import source_arch_of
from tests.support.fixable_machine import Case, btf
from tests.support.headers_archive import write_tree

RELEASE = os.uname().release
ARCH = source_arch_of(os.uname().machine) or "x86"


@pytest.fixture
def done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    """This machine after a fix: a tree in the store, tracefs mounted, BTF served."""
    one = Case(tmp_path)
    write_tree(one.places.headers / f"{RELEASE}-0123456789ab", RELEASE, ARCH)
    monkeypatch.setattr(module, "_tracefs", lambda: True)
    monkeypatch.setattr(module, "_served", lambda _path: True)
    monkeypatch.setattr(module, "_as_usual", lambda: True)
    return one


def test_all_is_done(done: Case) -> None:
    found = earlier_fix(done.places, Options())
    assert found is not None
    assert found.tree == done.places.headers / f"{RELEASE}-0123456789ab"
    assert dict(found.variables)["BPFTRACE_KERNEL_SOURCE"] == str(found.tree)
    assert found.btf is None and found.link is None


def test_a_tree_that_is_not_sound_is_none(done: Case) -> None:
    (done.places.headers / f"{RELEASE}-0123456789ab" / "include/linux/kconfig.h").unlink()
    assert earlier_fix(done.places, Options()) is None


def test_without_tracefs_the_checks_are_asked(done: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_tracefs", lambda: False)
    assert earlier_fix(done.places, Options()) is None


def test_what_a_check_would_name_is_not_passed_over(done: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that leads elsewhere, and a caller or a kernel that cannot trace, are told by the checks."""
    monkeypatch.setenv("BPFTRACE_KERNEL_SOURCE", "/nowhere")
    assert earlier_fix(done.places, Options()) is None
    tree = str(done.places.headers / f"{RELEASE}-0123456789ab")
    monkeypatch.setenv("BPFTRACE_KERNEL_SOURCE", tree)
    assert earlier_fix(done.places, Options()) is not None
    monkeypatch.setattr(module, "_as_usual", lambda: False)
    assert earlier_fix(done.places, Options()) is None


@pytest.mark.parametrize(
    ("files", "usual"),
    [
        ({}, True),
        ({"/sys/kernel/security/lockdown": "none integrity [confidentiality]\n"}, False),
        ({"/proc/self/status": "CapEff:\t000001ffffffffff\nSeccomp:\t2\n"}, False),
        ({"/proc/self/status": "CapEff:\t00000000a80425fb\nSeccomp:\t0\n"}, os.geteuid() != 0),
    ],
)
def test_what_keeps_a_tracer_from_starting_is_seen_at_once(
    files: dict[str, str], usual: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fine = {"/proc/self/status": "CapEff:\t000001ffffffffff\nSeccomp:\t0\n"}
    monkeypatch.setattr(module, "_text", lambda path: {**fine, **files}.get(path, ""))
    program = tmp_path / "bpftrace"
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert module._as_usual() is usual
    program.unlink()
    assert not module._as_usual()


def test_recovered_btf_is_enough(done: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_served", lambda _path: False)
    assert earlier_fix(done.places, Options()) is None
    done.places.btf.mkdir()
    file = done.places.btf / f"{RELEASE}-0123456789ab.btf"
    file.write_bytes(btf())
    file.chmod(0o644)
    found = earlier_fix(done.places, Options())
    assert found is not None and found.btf == file


def test_further_wishes_are_planned(done: Case) -> None:
    for wish in (Options(packages=True), Options(link=True), Options(btf="x")):
        assert earlier_fix(done.places, wish) is None


def test_a_link_that_is_there_is_told(done: Case) -> None:
    link = done.places.modules / RELEASE / "build"
    link.parent.mkdir(parents=True)
    link.symlink_to(done.places.headers / f"{RELEASE}-0123456789ab")
    for wish in (Options(), Options(link=True)):
        found = earlier_fix(done.places, wish)
        assert found is not None and found.link == str(link)


def test_what_was_cut_short_is_completed_first(done: Case) -> None:
    done.places.state.mkdir(parents=True)
    journal = Journal(done.places.journal)
    effect = Loaded("kheaders")
    entry = journal.begin("kheaders.load", effect, "boot")
    assert earlier_fix(done.places, Options()) is None
    journal.done(entry, effect)
    assert earlier_fix(done.places, Options()) is not None
    journal.path.write_bytes(journal.path.read_bytes()[:-1])
    assert earlier_fix(done.places, Options()) is None
    journal.path.unlink()
    journal.path.symlink_to("/etc/passwd")
    assert earlier_fix(done.places, Options()) is None


def test_little_is_imported() -> None:
    code = (
        "import sys, kdiag.commands.repair.fix, kdiag.fix.earlier, kdiag.fix.store.places as p;"
        "from kdiag.fix.options import Options;"
        "kdiag.fix.earlier.earlier_fix(p.Places(p.Path('/x'), (), p.Path('/x')), Options());"
        "print(*sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(result.stdout.split())
    assert "kdiag.fix.earlier" in loaded
    for heavy in (
        "kdiag.capabilities.definitions",
        "kdiag.checking.registry",
        "kdiag.fix.journal",
        "json",
        "lzma",
        "rich",
        "elftools",
    ):
        assert heavy not in loaded
