"""The whole way: plan, question, changes, proof. The changes are real, below the test's own directory."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from kdiag.commands.repair.fix import Console, Request, Surroundings, fix
from kdiag.console import exits
from kdiag.fix.journal import Journal
from kdiag.fix.options import Options
from kdiag.fix.store.trees import validate
from kdiag.fix.verify import SmokeSummary
from kdiag.parse.kheaders import from_module, quick
from tests.support.fix_runs import DEBIAN, NOTHING, NOTHING_DONE, Run, argv, elsewhere, needs_root, trees
from tests.support.fixable_machine import KERNEL, RELEASE, btf, case, snapshot


def test_headers_out_of_the_modules_file(tmp_path: Path) -> None:
    run = Run(case(tmp_path))
    assert run.fix(yes=True) == exits.READY, run.errors
    [tree] = trees(run.one)
    assert tree.name.startswith(f"{RELEASE}-")
    assert validate(tree, RELEASE, "x86") == ""
    [entry] = Journal(run.one.places.journal).entries()
    assert entry.finished
    assert "#include <linux/...>" in run.text
    assert re.search(r'eval "\$\(.*kdiag env\)"', run.text)


@pytest.mark.skipif(not KERNEL.is_dir(), reason="the built kernel is not here")
def test_a_real_kernels_headers(tmp_path: Path) -> None:
    module = KERNEL / "kheaders.ko"
    release = quick(from_module(module.read_bytes())).release
    assert release is not None
    one = case(tmp_path, release=release)
    one.files[f"/lib/modules/{release}/kernel/kernel/kheaders.ko"] = module
    before = snapshot(tmp_path)
    run = Run(one)
    assert run.fix(yes=True) == exits.READY, run.errors
    [tree] = trees(one)
    assert (tree / "include/linux/sched.h").stat().st_size > 10_000
    assert sum(len(files) for _, _, files in os.walk(tree)) > 6000
    assert run.fix(undo=True, yes=True) == exits.READY, run.errors
    assert snapshot(tmp_path) == before


def test_a_second_run_finds_it_done(tmp_path: Path) -> None:
    run = Run(case(tmp_path))
    assert run.fix(yes=True) == exits.READY
    before = snapshot(tmp_path)
    again = Run(run.one)
    assert again.fix(yes=False) in NOTHING_DONE
    assert re.search(NOTHING, again.text) and "unpacked already" in again.text
    assert re.search(r'eval "\$\(.*kdiag env\)"', again.text)
    assert snapshot(tmp_path) == before


def test_loading_and_unloading(tmp_path: Path) -> None:
    one = case(tmp_path, "loadable", euid=0)
    before = snapshot(tmp_path)
    run = Run(one)
    assert run.fix(yes=True, options={"load": True}) == exits.READY, run.errors
    assert "kheaders" in (tmp_path / "proc-modules").read_text()
    assert len(trees(one)) == 1
    assert run.fix(undo=True, yes=True) == exits.READY, run.errors
    assert "kheaders" not in (tmp_path / "proc-modules").read_text()
    assert snapshot(tmp_path) == before


def test_a_link_for_all_tools(tmp_path: Path) -> None:
    one = case(tmp_path, euid=0)
    before = snapshot(tmp_path)
    run = Run(one)
    assert run.fix(yes=True, options={"link": True}) == exits.READY, run.errors
    link = tmp_path / "lib" / "modules" / RELEASE / "build"
    assert link.resolve() == trees(one)[0]
    assert "by themselves" in run.text
    assert run.fix(undo=True, yes=True) == exits.READY
    assert snapshot(tmp_path) == before


def test_btf_from_a_file(tmp_path: Path) -> None:
    one = case(tmp_path, "without_btf", "without_module")
    (tmp_path / "mine.btf").write_bytes(btf())
    before = snapshot(tmp_path)
    run = Run(one)
    run.fix(yes=True, options={"btf": str(tmp_path / "mine.btf")})
    [file] = one.places.btf.iterdir()
    assert file.read_bytes() == btf()
    assert file.stat().st_mode & 0o777 == 0o644
    assert run.fix(undo=True, yes=True) == exits.READY
    assert snapshot(tmp_path) == before


def test_a_wrong_file_changes_nothing(tmp_path: Path) -> None:
    one = case(tmp_path, "without_btf", "without_module")
    (tmp_path / "mine.btf").write_bytes(b"hello")
    before = snapshot(tmp_path)
    run = Run(one)
    assert run.fix(yes=True, options={"btf": str(tmp_path / "mine.btf")}) == exits.FAILED
    assert "not BTF" in run.errors
    assert snapshot(tmp_path) == before


def test_packages_of_a_failed_installation_go_again(tmp_path: Path) -> None:
    """The manager brings something, then fails."""
    one = case(tmp_path, "without_module", "debian", release=DEBIAN, euid=0)
    script = tmp_path / "bin" / "apt-get"
    script.write_text(script.read_text() + "\necho 'E: broken pipe' >&2\nexit 100\n")
    before = snapshot(tmp_path)
    run = Run(one)
    assert run.fix(yes=True, options={"packages": True}) == exits.FAILED
    assert "broken pipe" in run.errors
    assert snapshot(tmp_path) == before


def test_packages_come_and_go_with_what_they_brought(tmp_path: Path) -> None:
    one = case(tmp_path, "without_module", "debian", release=DEBIAN, euid=0)
    before = snapshot(tmp_path)
    run = Run(one)
    run.fix(yes=True, options={"packages": True})
    status = (tmp_path / "dpkg-status").read_text()
    assert f"linux-headers-{DEBIAN}" in status and "gcc-x" in status
    [entry] = Journal(one.places.journal).entries()
    assert "gcc-x" in getattr(entry.effect, "added", ())
    assert run.fix(undo=True, yes=True) == exits.READY, run.errors
    assert "base-files" in (tmp_path / "dpkg-status").read_text()
    assert snapshot(tmp_path) == before


@needs_root
def test_tracefs_in_a_mount_namespace_of_its_own(tmp_path: Path) -> None:
    """The real mount(2) and umount2(2); the machine's own namespace never sees it."""
    if "tracefs" not in Path("/proc/filesystems").read_text():
        pytest.skip("this kernel has no tracefs")
    case(tmp_path)
    before = snapshot(tmp_path)
    mounts = Path("/proc/self/mountinfo").read_text()
    hide = "while umount /sys/kernel/tracing 2>/dev/null; do :; done"
    listed = "grep -c ' - tracefs kdiag-' /proc/self/mountinfo"
    run = argv(tmp_path, tracefs=True)
    result = elsewhere(hide, run, listed, argv(tmp_path, do="undo"), listed)
    assert "done: Mount tracefs" in result.stdout, result.stdout + result.stderr
    assert [line for line in result.stdout.splitlines() if line.isdigit()] == ["1", "0"]
    assert "unmounted tracefs" in result.stdout
    assert snapshot(tmp_path) == before
    assert Path("/proc/self/mountinfo").read_text() == mounts


# -- asking ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("undo", [False, True])
def test_without_a_terminal_and_yes_nothing_is_changed(tmp_path: Path, undo: bool) -> None:
    run = Run(case(tmp_path))
    if undo:
        run.fix(yes=True)
    before = snapshot(tmp_path)
    assert run.fix(undo=undo) == exits.FAILED
    assert "--yes" in run.errors
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("undo", [False, True])
def test_a_no_changes_nothing(tmp_path: Path, undo: bool) -> None:
    run = Run(case(tmp_path))
    if undo:
        run.fix(yes=True)
    before = snapshot(tmp_path)
    assert run.fix(undo=undo, answer=False) == exits.FAILED
    assert snapshot(tmp_path) == before


def test_a_yes_is_enough(tmp_path: Path) -> None:
    run = Run(case(tmp_path))
    assert run.fix(answer=True) == exits.READY
    assert len(trees(run.one)) == 1
    assert run.fix(undo=True, answer=True) == exits.READY
    assert trees(run.one) == []


@pytest.mark.parametrize("what", ["fix", "undo", "prune"])
def test_a_dry_run_changes_nothing(tmp_path: Path, what: str) -> None:
    run = Run(case(tmp_path))
    if what != "fix":
        run.fix(yes=True)
    before = snapshot(tmp_path)
    assert run.fix(dry_run=True, yes=True, undo=what == "undo", prune=what == "prune") == exits.READY
    assert snapshot(tmp_path) == before


def test_nothing_to_do_is_not_a_failure(tmp_path: Path) -> None:
    run = Run(case(tmp_path, "without_module"))
    before = snapshot(tmp_path)
    assert run.fix(yes=True) in NOTHING_DONE
    assert re.search(NOTHING, run.text)
    assert snapshot(tmp_path) == before


# -- proof -----------------------------------------------------------------------------------------------------------


def test_smoke_programs_before_and_after(tmp_path: Path) -> None:
    seen: list[Mapping[str, str]] = []

    def smoke(values: Mapping[str, str]) -> SmokeSummary:
        seen.append(values)
        return SmokeSummary(13 if "BPFTRACE_KERNEL_SOURCE" in values else 11, 13)

    run = Run(case(tmp_path))
    assert run.fix(yes=True, around={"smoke": smoke}) == exits.READY
    assert "Now works: 13 of 13 smoke programs (before: 11)." in " ".join(run.text.split())
    assert [bool(values) for values in seen] == [False, True]
    assert Path(seen[1]["BPFTRACE_KERNEL_SOURCE"]) == trees(run.one)[0]


def test_fewer_smoke_programs_than_before_is_a_failure(tmp_path: Path) -> None:
    def smoke(values: Mapping[str, str]) -> SmokeSummary:
        return SmokeSummary(1 if values else 11, 13)

    run = Run(case(tmp_path))
    assert run.fix(yes=True, around={"smoke": smoke}) == exits.FAILED


# -- failing ---------------------------------------------------------------------------------------------------------


def test_a_step_that_fails_takes_the_others_back(tmp_path: Path) -> None:
    """The link's directory cannot be made, after the headers were unpacked."""
    one = case(tmp_path, euid=0)
    (tmp_path / "lib").rmdir()
    (tmp_path / "lib").write_text("in the way\n")
    before = snapshot(tmp_path)
    run = Run(one)
    assert run.fix(yes=True, options={"link": True}) == exits.FAILED
    assert "everything is as before" in run.errors
    assert snapshot(tmp_path) == before


def test_an_archive_that_vanishes_midway(tmp_path: Path) -> None:
    one = case(tmp_path, "served", euid=0)
    gone = tmp_path / "kheaders.tar.xz"
    run = Run(one)

    def vanish(_question: str) -> bool:
        gone.unlink()
        return True

    before = snapshot(tmp_path)
    console = Console(run.said.append, run.complaints.append, vanish)
    status = fix(Request(), console, Surroundings(look=one.look, places=one.places, path=one.path))
    assert status == exits.FAILED
    assert "does not provide it any more" in run.errors
    del before["kheaders.tar.xz"]
    assert snapshot(tmp_path) == before


def test_an_archive_that_changes_midway(tmp_path: Path) -> None:
    one = case(tmp_path)
    run = Run(one)

    def change(_question: str) -> bool:
        from tests.support.fixable_machine import archive

        (tmp_path / "kheaders.ko").write_bytes(b"another" + archive(RELEASE, "arm64"))
        return True

    console = Console(run.said.append, run.complaints.append, change)
    status = fix(Request(), console, Surroundings(look=one.look, places=one.places, path=one.path))
    assert status == exits.FAILED
    assert "not what it was" in run.errors
    assert trees(one) == []


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (None, "not installed"),
        ("echo 'could not insert: Operation not permitted' >&2; exit 1", "Operation not permitted"),
        ("exit 0", "reports success"),
        ("sleep 1000", "did not end within"),
        ("sleep 1000 & echo started; exit 0", "did not end within"),
        ("kill -9 $$", "failed"),
    ],
)
def test_a_modprobe_that_does_not_do_its_work(tmp_path: Path, script: str | None, words: str) -> None:
    one = case(tmp_path, "loadable", euid=0)
    path = tmp_path / "bin" / "modprobe"
    path.write_text(f"#!/bin/sh\n{script}\n")
    if script is None:
        path.unlink()
    if script and "sleep" in script:
        (tmp_path / "bin" / "sleep").symlink_to("/bin/sleep")
    before = snapshot(tmp_path)
    run = Run(one)
    # Not along /usr/bin: the machine's own modprobe must stay out of it.
    around = {"limit": 1.0, "path": f"{tmp_path}/bin"}
    assert run.fix(yes=True, options={"load": True}, around=around) == exits.FAILED
    assert words in run.errors
    assert snapshot(tmp_path) == before


def test_a_modprobe_that_others_can_change_is_not_run(tmp_path: Path) -> None:
    one = case(tmp_path, "loadable", euid=0)
    (tmp_path / "bin" / "modprobe").chmod(0o777)
    run = Run(one)
    assert run.fix(yes=True, options={"load": True}) == exits.FAILED
    assert "is not run" in run.errors


def test_an_interrupt_takes_everything_back(tmp_path: Path) -> None:
    from contextlib import contextmanager

    one = case(tmp_path, "loadable", euid=0)
    before = snapshot(tmp_path)

    @contextmanager
    def watch():  # type: ignore[no-untyped-def]
        def see(step: object, done: int, total: int) -> None:
            if total:
                raise KeyboardInterrupt

        yield see

    console = Console(lambda _text: None, lambda _text: None, watch=watch)
    surroundings = Surroundings(look=one.look, places=one.places, path=one.path)
    with pytest.raises(KeyboardInterrupt):
        fix(Request(Options(load=True), yes=True), console, surroundings)
    assert snapshot(tmp_path) == before
