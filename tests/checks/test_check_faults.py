"""Bad and refusing files, hanging programs, broken checks: each a finding, never a traceback, a hang or a wrong ok."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import struct
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from kdiag.check import Check
from kdiag.checking.analysis import analyse
from kdiag.checking.registry import Registered, Registry
from kdiag.checking.runner import run
from kdiag.machine import Machine
from kdiag.model import Finding, Report, Status, Works, ok
from kdiag.report.faces.json import render as render_json
from kdiag.report.faces.text import render as render_text
from kdiag.system import Stat
from kdiag.system.live import Live
from tests.support import kernel_parts as parts
from tests.support import machines
from tests.support.description import Description
from tests.support.needs import need_root
from tests.support.on_disk import OnDisk, write_machine
from tests.support.reports import builtin, finding_of, report_on
from tests.support.steps import bytes_read
from tests.support.users import as_user
from tests.support.waiting import HANG, ends, gone, wait_until

BTF = "/sys/kernel/btf/vmlinux"


def healthy() -> Description:
    """A machine where everything is as it should be, headers and kheaders included."""
    described = machines.linux("6.12.107", options={"IKHEADERS": "m"}, config_at="/proc/config.gz")
    machines.kheaders(described, "loaded")
    machines.tree(described, "/usr/src/linux-headers-6.12.107").link(
        "/lib/modules/6.12.107/build", "/usr/src/linux-headers-6.12.107"
    )
    return machines.bpftrace(described, "0.23.2")


def look(described: Description, root: Path) -> Report:
    """Write the machine and report on the real files."""
    return report_on(OnDisk(described, write_machine(described, root)))


def no_defect(report: Report) -> None:
    """No check failed itself; the report can be shown in every form."""
    broken = [f for f in report.findings if "the check itself failed" in f.summary or f.id.endswith(".error")]
    assert not broken, broken
    json.loads(render_json(report))
    assert render_text(report, width=80, color=False, verbose=True, unicode=False)


# -- BTF -----------------------------------------------------------------------------------------------------


def _damaged_btf() -> dict[str, bytes]:
    whole = parts.btf()
    damaged = {
        f"cut at {size}": whole[:size]
        for size in (0, 1, 4, 8, 23, 24, 25, 60, len(whole) // 2, len(whole) - 1)
    }
    damaged |= {
        "of another byte order": parts.btf(order=">"),
        "another magic": b"\x7fELF" + whole[4:],
        "version 9": whole[:2] + b"\x09" + whole[3:],
        "a header longer than the file": whole[:4] + struct.pack("<I", 1 << 30) + whole[8:],
        "types beyond the end": whole[:12] + struct.pack("<I", 0xFFFFFFF0) + whole[16:],
        "strings beyond the end": whole[:20] + struct.pack("<I", 0xFFFFFFF0) + whole[24:],
        "names that are not there": whole[:24] + struct.pack("<I", 0x7FFFFFFF) + whole[28:],
        "an unknown kind": whole[:28] + struct.pack("<I", 0x7F000000) + whole[32:],
        "zeros": bytes(len(whole)),
        "text": b"<html>404</html>" * 20,
        "without task_struct": whole.replace(b"task_struct", b"tusk_struct"),
    }
    return damaged


@pytest.mark.parametrize("what", _damaged_btf())
def test_damaged_btf_is_never_ok(what: str, tmp_path: Path) -> None:
    report = look(healthy().file(BTF, _damaged_btf()[what]), tmp_path)
    no_defect(report)
    found = finding_of(report, "btf.vmlinux")
    assert found.status is Status.FAIL, found
    assert any(BTF in evidence.source for evidence in found.evidence), "which file?"
    works = {capability.id: capability.status for capability in report.capabilities}
    assert works["struct"] is Works.FAILS
    assert works["core-tools"] is not Works.WORKS


def test_btf_error_tells_the_place(tmp_path: Path) -> None:
    found = finding_of(look(healthy().file(BTF, parts.btf()[:60]), tmp_path), "btf.vmlinux")
    assert any(c.isdigit() for e in found.evidence for c in e.observed), found


def test_broken_btf_hides_a_good_fallback(tmp_path: Path) -> None:
    """libbpf stops at a broken sysfs file and does not look further."""
    described = healthy().file(BTF, parts.btf()[:60])
    described.file("/boot/vmlinux-6.12.107", parts.btf_elf(parts.btf()))
    report = look(described, tmp_path)
    assert finding_of(report, "btf.bpftrace").status is Status.FAIL
    works = {capability.id: capability.status for capability in report.capabilities}
    assert works["core-tools"] is Works.FAILS, (
        "CO-RE tools load BTF through libbpf, which does not fall back here"
    )


def test_ten_sparse_gigabytes(tmp_path: Path) -> None:
    """Files that claim to be enormous cost nothing."""
    described = healthy()
    root = write_machine(described, tmp_path)
    for path in (
        BTF,
        "/sys/kernel/kheaders.tar.xz",
        "/proc/config.gz",
        "/etc/os-release",
        "/var/lib/dpkg/status",
        "/proc/modules",
    ):
        (root / path.lstrip("/")).chmod(0o644)
        os.truncate(root / path.lstrip("/"), 10 * 2**30)
    before = bytes_read()
    report = report_on(OnDisk(described, root))
    assert bytes_read() - before < 2**30
    no_defect(report)
    for finding_id in ("btf.vmlinux", "kheaders.archive"):
        assert finding_of(report, finding_id).status in (Status.UNKNOWN, Status.FAIL), finding_of(
            report, finding_id
        )
    assert finding_of(report, "config.source").status is Status.UNKNOWN


def test_module_btf_that_is_broken(tmp_path: Path) -> None:
    report = look(healthy().file("/sys/kernel/btf/xfs", b"\x9f\xeb\x01\x00garbage"), tmp_path)
    no_defect(report)
    assert finding_of(report, "btf.modules").status is Status.FAIL


# -- configuration -------------------------------------------------------------------------------------------


def _not_configs() -> dict[str, bytes]:
    good = parts.config_gz("6.12.107")
    return {
        "empty": b"",
        "binary": os.urandom(4096),
        "text": b"Not found\n" * 50,
        "HTML": b"<!DOCTYPE html><title>404</title>" * 20,
        "a cut gzip": good[: len(good) // 2],
        "gzip of noise": gzip.compress(os.urandom(4096)),
        "a gzip bomb": gzip.compress(bytes(64 * 2**20)),
        "only comments": b"# CONFIG\n" * 300,
        "a gzip header": b"\x1f\x8b",
    }


@pytest.mark.slow
@pytest.mark.parametrize("what", _not_configs())
def test_no_config_is_unknown_not_missing(what: str, tmp_path: Path) -> None:
    report = look(healthy().file("/proc/config.gz", _not_configs()[what]), tmp_path)
    no_defect(report)
    found = finding_of(report, "config.source")
    assert found.status is Status.UNKNOWN, found
    assert any(e.source == "/proc/config.gz" and e.observed not in ("", "absent") for e in found.evidence), (
        found.evidence
    )
    for name in ("BPF_SYSCALL", "KPROBES", "IKHEADERS"):
        assert finding_of(report, f"config.{name}").status is Status.UNKNOWN
    assert finding_of(report, "tracing.kprobes").status is Status.OK, "what was probed decides"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/usr/src/linux/.config", parts.config("5.4.0")),
        ("/boot/config", parts.config("6.1.0")),
        ("/boot/config-6.12.107", parts.config("5.10.1")),
        ("/boot/config-6.12.107", "CONFIG_BPF=y\nCONFIG_KPROBES=y\n"),
    ],
    ids=["another tree", "without a release in its name", "another banner", "a fragment"],
)
def test_another_kernels_config_is_not_taken(path: str, text: str, tmp_path: Path) -> None:
    report = look(healthy().remove("/proc/config.gz").file(path, text), tmp_path)
    no_defect(report)
    assert finding_of(report, "config.source").status is Status.UNKNOWN, finding_of(report, "config.source")


# -- things that are not files -------------------------------------------------------------------------------

#: What a healthy machine's report depends on most.
_MATTERS = (
    "/etc/os-release",
    "/proc/version",
    "/proc/config.gz",
    "/proc/modules",
    "/proc/kallsyms",
    "/proc/cpuinfo",
    "/proc/cmdline",
    "/proc/filesystems",
    "/proc/self/status",
    "/proc/self/uid_map",
    "/proc/self/mountinfo",
    "/proc/1/environ",
    "/proc/sys/kernel/perf_event_paranoid",
    "/proc/sys/net/core/bpf_jit_enable",
    "/sys/kernel/btf/vmlinux",
    "/sys/kernel/btf/xfs",
    "/sys/kernel/kheaders.tar.xz",
    "/sys/kernel/security/lockdown",
    "/sys/kernel/tracing/kprobe_events",
    "/sys/kernel/tracing/available_filter_functions",
    "/sys/kernel/tracing/events/syscalls/sys_enter_openat/id",
    "/sys/devices/system/cpu/possible",
    "/var/lib/dpkg/status",
    "/lib/modules/6.12.107/modules.dep",
    "/lib/modules/6.12.107/build",
    "/usr/src/linux-headers-6.12.107/include/generated/utsrelease.h",
    "/usr/bin/python3",
)


def _dangling(path: Path) -> None:
    path.symlink_to("/nowhere/at/all")


_INSTEAD: dict[str, Callable[[Path], object]] = {
    "a FIFO": os.mkfifo,
    "a directory": Path.mkdir,
    "a loop of links": lambda path: path.symlink_to(path.name),
    "a dangling link": _dangling,
    "empty": Path.touch,
    "binary": lambda path: path.write_bytes(bytes(range(256)) * 64),
    "not UTF-8": lambda path: path.write_bytes(b"\xff\xfe\x80 caf\xe9\n" * 100),
    "absent": lambda path: None,
}


@contextlib.contextmanager
def instead(root: Path, path: str, kind: str) -> Iterator[None]:
    """Something else in the place of a file, for a while."""
    place = root / path.lstrip("/")
    aside = place.with_name(f"{place.name}.aside")
    place.rename(aside)
    _INSTEAD[kind](place)
    yield
    if place.is_symlink() or place.is_fifo() or place.is_file():
        place.unlink()
    elif place.is_dir():
        place.rmdir()
    aside.rename(place)


@pytest.mark.slow
@pytest.mark.parametrize("kind", _INSTEAD)
def test_something_else_where_a_file_is_expected(kind: str, tmp_path: Path) -> None:
    """Every file that matters, one after the other."""
    described = healthy()
    root = write_machine(described, tmp_path)
    for path in _MATTERS:
        with instead(root, path, kind), ends():
            report = report_on(OnDisk(described, root))
        no_defect(report)
        assert report.capabilities, path


@pytest.mark.parametrize("kind", ["a FIFO", "a directory", "a loop of links", "empty", "binary"])
@pytest.mark.parametrize(
    ("path", "finding_id"),
    [
        (BTF, "btf.vmlinux"),
        ("/proc/self/status", "privileges.capabilities"),
        ("/proc/self/uid_map", "privileges.userns"),
        ("/sys/kernel/security/lockdown", "kernel.lockdown"),
        ("/sys/kernel/kheaders.tar.xz", "kheaders.archive"),
    ],
)
def test_no_wrong_ok(path: str, finding_id: str, kind: str, tmp_path: Path) -> None:
    described = healthy()
    root = write_machine(described, tmp_path)
    with instead(root, path, kind):
        found = finding_of(report_on(OnDisk(described, root)), finding_id)
    if finding_id == "kernel.lockdown":
        assert "memory" in found.summary or found.status is not Status.OK, found
    else:
        assert found.status is not Status.OK, found


def test_os_release_of_garbage(tmp_path: Path) -> None:
    described = healthy().file(
        "/etc/os-release",
        b"\x00\xff\xfe" * 500 + b'ID="\x1b]0;pwned\x07"\nPRETTY_NAME="\x1b[31mred\x1b[0m"\n',
    )
    report = look(described, tmp_path)
    no_defect(report)
    for text in (render_text(report, width=80, color=False, verbose=True, unicode=True), render_json(report)):
        assert "\x1b" not in text and "\x07" not in text and "\x00" not in text, (
            "what files say must not reach the terminal raw"
        )


def test_escape_sequences_in_names(tmp_path: Path) -> None:
    """A release, a module name, a program's version that would write to the terminal."""
    described = (
        healthy()
        .file("/proc/modules", "\x1b[2Jevil 1 0 - Live 0x0\n")
        .file("/proc/cmdline", "lockdown=\x1b]0;x\x07")
    )
    described.command("/usr/bin/bpftrace --version", "bpftrace v0.23.2\x1b[2J\n").env(
        "BPFTRACE_KERNEL_SOURCE", "/tmp/\x1b[2J\udcff"
    )
    report = look(described, tmp_path)
    no_defect(report)
    assert "\x1b" not in render_text(report, width=80, color=False, verbose=True, unicode=True)


# -- files that vanish or refuse -----------------------------------------------------------------------------


class Vanishing(OnDisk):
    """Every file is gone once somebody has looked whether it is there."""

    def __init__(self, described: Description, root: Path) -> None:
        super().__init__(described, root)
        self._place = root

    def stat(self, path: str) -> Stat | None:
        answer = super().stat(path)
        if answer is not None and answer.kind == "file":
            (self._place / path.lstrip("/")).unlink(missing_ok=True)
        return answer


def test_files_that_vanish(tmp_path: Path) -> None:
    described = healthy()
    no_defect(report_on(Vanishing(described, write_machine(described, tmp_path))))


def test_files_that_refuse(shared_path: Path) -> None:
    """Mode 0 for somebody who is not root: unknown, with the errno; nothing is called missing."""
    described = healthy()
    refusing = (
        BTF,
        "/proc/config.gz",
        "/sys/kernel/kheaders.tar.xz",
        "/proc/self/uid_map",
        "/etc/os-release",
    )
    for path in refusing:
        described.file(path, described.nodes[path].data, mode=0)
    root = write_machine(described, shared_path / "root")
    warmed = report_on(OnDisk(described, root))  # imports are done before the child gives its rights up
    no_defect(warmed)
    described.uid = 65534
    answer = json.loads(as_user(65534, lambda: render_json(report_on(OnDisk(described, root)))))
    by_id = {f["id"]: f for f in answer["findings"]}
    for finding_id in ("btf.vmlinux", "config.source", "kheaders.archive", "privileges.userns"):
        assert by_id[finding_id]["status"] == "unknown", by_id[finding_id]
        assert "EACCES" in json.dumps(by_id[finding_id]), by_id[finding_id]


# -- programs ------------------------------------------------------------------------------------------------


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], Path]]:
    """Puts shell scripts in front of everything on PATH."""
    directory = tmp_path / "bin"
    directory.mkdir(mode=0o755)
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")

    def put(name: str, script: str) -> Path:
        program = directory / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return program

    yield put


def tools_of(system: Live) -> Machine:
    return Machine(system)


@pytest.mark.parametrize("name", ["bpftrace", "bpftool"])
def test_a_hanging_program_is_ended(
    name: str, programs: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = tmp_path / "pids"
    monkeypatch.setattr("kdiag.machine.programs.start.TIMEOUT", 1.0)
    programs(name, f"trap '' TERM INT HUP\necho $$ >> {pids}\nsleep {2 * HANG} &\necho $! >> {pids}\nwait")
    with ends():
        report = report_on(Live())
    no_defect(report)
    found = finding_of(report, f"tools.{name}")
    assert found.status is Status.WARN, found
    assert "1 s" in found.reason
    for pid in pids.read_text().split():
        wait_until(partial(gone, int(pid)), "what it started must end as well")


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("kill -SEGV $$", "-11|139|SIGSEGV"),
        ("exit 3", "3"),
        ("echo 'bpftrace: error while loading shared libraries: libbcc.so.0' >&2; exit 127", "libbcc"),
        ("head -c 3000 /dev/urandom", ""),
        ("echo bpftrace v", ""),
        ("true", ""),
    ],
    ids=["crash", "status 3", "library missing", "noise", "no number", "silence"],
)
def test_a_program_that_does_not_tell_its_version(
    script: str, says: str, programs: Callable[[str, str], Path]
) -> None:
    import re

    programs("bpftrace", script)
    report = report_on(Live())
    no_defect(report)
    found = finding_of(report, "tools.bpftrace")
    assert found.status is Status.WARN, found
    assert re.search(says, found.reason), found.reason
    depends = {c.id: c for c in report.capabilities}["rawtracepoint"]
    assert depends.status is not Works.WORKS, "not every release has it"


def test_a_program_that_never_stops_talking(tmp_path: Path) -> None:
    """Endless output is bounded in memory, not only in time."""
    script = tmp_path / "bpftrace"
    script.write_text("#!/bin/sh\nexec yes 'bpftrace v0.23.2'\n")
    script.chmod(0o755)
    code = textwrap.dedent(
        f"""
        from kdiag.system.commands import launch
        try:
            print(launch(("{script}", "--version"), 1.0).result().status)
        except Exception as error:
            print(type(error).__name__)
        print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=HANG, check=True
    )
    assert int(done.stdout.split()[-1]) < 100 * 1024, f"{done.stdout} KiB for the output of one command"


@pytest.mark.parametrize("mode", [0o777, 0o757])
def test_root_does_not_run_what_others_could_write(
    mode: int, programs: Callable[[str, str], Path], tmp_path: Path
) -> None:
    need_root()
    mark = tmp_path / "ran"
    programs("bpftrace", f"touch {mark}; echo bpftrace v0.23.2").chmod(mode)
    found = finding_of(report_on(Live()), "tools.bpftrace")
    assert found.status is Status.WARN, found
    assert "not run as root" in found.reason
    assert not mark.exists()


def test_root_does_not_run_another_users_program(
    programs: Callable[[str, str], Path], tmp_path: Path
) -> None:
    need_root()
    mark = tmp_path / "ran"
    os.chown(programs("bpftrace", f"touch {mark}; echo bpftrace v0.23.2"), 1000, 1000)
    assert "uid 1000" in finding_of(report_on(Live()), "tools.bpftrace").reason
    assert not mark.exists()


def test_a_link_of_another_user_does_not_help(programs: Callable[[str, str], Path], tmp_path: Path) -> None:
    """The directory of the real file counts, not that of the link."""
    need_root()
    mark = tmp_path / "ran"
    real = tmp_path / "open" / "tool"
    real.parent.mkdir()
    real.parent.chmod(0o777)
    real.write_text(f"#!/bin/sh\ntouch {mark}\necho bpftrace v0.23.2\n")
    real.chmod(0o755)
    path = programs("bpftrace", "")
    path.unlink()
    path.symlink_to(real)
    assert "not run as root" in finding_of(report_on(Live()), "tools.bpftrace").reason
    assert not mark.exists()


# -- checks --------------------------------------------------------------------------------------------------


def found_check(function: object, check_id: str = "strange.check") -> Registered:
    check = Check(check_id, "A strange check", function, "What it does.")  # type: ignore[arg-type]
    return Registered(check, "strange-package", "1.0", "strange_package.checks")


def _raises(error: BaseException) -> Callable[[Machine], Iterator[Finding]]:
    def function(machine: Machine) -> Iterator[Finding]:
        del machine
        yield ok("fine so far", id="strange.first")
        raise error

    return function


def _yields(*values: object) -> Callable[[Machine], Iterator[Finding]]:
    def function(machine: Machine) -> Iterator[Finding]:
        del machine
        yield from values  # type: ignore[misc]

    return function


def _recurses(machine: Machine) -> Iterator[Finding]:
    return _recurses(machine)


_STRANGE: dict[str, object] = {
    "raises": _raises(RuntimeError("boom")),
    "raises without words": _raises(ValueError()),
    "exits": _raises(SystemExit(0)),
    "recurses": _recurses,
    "yields text": _yields("all is well"),
    "yields None": _yields(None),
    "yields a string status": _yields(Finding("ok", "fine")),  # type: ignore[arg-type]
    "yields no summary": _yields(Finding(Status.OK, None)),  # type: ignore[arg-type]
    "yields evidence that is text": _yields(ok("fine", evidence="/proc")),  # type: ignore[arg-type]
    "is no generator": lambda machine: None,
    "returns a number": lambda machine: 42,
    "takes no argument": lambda: iter(()),
}


@pytest.mark.parametrize("how", _STRANGE)
def test_a_strange_check_becomes_a_finding(how: str, tmp_path: Path) -> None:
    described = healthy()
    registry = builtin()
    chosen = (found_check(_STRANGE[how]), *registry.checks)
    report = analyse(Machine(OnDisk(described, write_machine(described, tmp_path))), registry, chosen)
    mine = [f for f in report.findings if f.id.startswith("strange.check")]
    assert [f.status for f in mine] == [Status.UNKNOWN], mine
    assert "strange-package" in mine[0].reason, "whose defect it is"
    assert finding_of(report, "btf.vmlinux").status is Status.OK, "the rest runs on"
    json.loads(render_json(report))
    assert render_text(report, width=80, color=False, verbose=True, unicode=False)


def test_an_interrupt_is_not_swallowed(tmp_path: Path) -> None:
    described = healthy()
    machine = Machine(OnDisk(described, write_machine(described, tmp_path)))
    with pytest.raises(KeyboardInterrupt):
        run(machine, Registry((), ()), (found_check(_raises(KeyboardInterrupt())),))


def test_two_findings_of_one_id(tmp_path: Path) -> None:
    """A stranger cannot replace a built-in finding; both are shown, ids stay unique."""
    described = healthy().file(BTF, b"")
    registry = builtin()
    liar = found_check(
        _yields(ok("all is well", id="btf.vmlinux"), ok("once more", id="btf.vmlinux")), "zz.liar"
    )
    report = analyse(
        Machine(OnDisk(described, write_machine(described, tmp_path))), registry, (*registry.checks, liar)
    )
    assert finding_of(report, "btf.vmlinux").status is Status.FAIL
    ids = [f.id for f in report.findings]
    assert len(set(ids)) == len(ids)
    assert sum("all is well" in f.summary or "once more" in f.summary for f in report.findings) == 2
