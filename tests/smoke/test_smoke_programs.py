"""The programs as data: spelled for the release, proving themselves only by their own event."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.capabilities.definitions import DEFINITIONS
from kdiag.knowledge.tools.bpftrace import behaviour
from kdiag.knowledge.tools.bpftrace_history import ROWS
from kdiag.parse.errors import ParseError
from kdiag.smoke import PROGRAMS, Program
from kdiag.smoke.cause import Cause
from kdiag.smoke.events import Actions
from kdiag.smoke.programs import Scene, Shown, Skip
from kdiag.smoke.programs.usdt import find, probes
from tests.support.waiting import HANG

RELEASES = [row.since for row in ROWS]
DEBIAN_PYTHON = Path("/usr/bin/python3")


@pytest.fixture(params=PROGRAMS, ids=lambda program: program.id)
def program(request: pytest.FixtureRequest) -> Program:
    chosen = request.param
    assert isinstance(chosen, Program)
    return chosen


def scene(cause: Cause, release: tuple[int, int, int] = (0, 23, 0)) -> Scene:
    return Scene(behaviour(release), cause)


def test_names_are_capabilities_that_check_knows() -> None:
    known = {definition.id for definition in DEFINITIONS}
    assert {need for one in PROGRAMS for need in one.needs} <= known
    assert len({one.id for one in PROGRAMS}) == len(PROGRAMS)
    assert PROGRAMS[0].id == "hello"


def test_a_title_fits_its_column(program: Program) -> None:
    assert len(program.title) <= 36


def test_every_action_can_be_done(program: Program, cause: Cause) -> None:
    assert not program.action or hasattr(Actions, program.action)
    if program.action:
        cause.ask(program.action)
        while not cause.idle:
            cause.hear()
        # Not every machine has a disk that may be read.
        assert cause.problems == [] or program.action == "disk"


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: ".".join(map(str, release)))
def test_arguments_are_spelled_as_the_release_takes_them(cause: Cause, release: tuple[int, int, int]) -> None:
    for program in PROGRAMS:
        try:
            script = program.arguments(scene(cause, release))[-1]
        except Skip:
            continue
        old, new = "args->" in script, "args." in script
        assert not (old if release >= (0, 19, 0) else new), program.id
        assert ("kfunc:" in script) is (program.id == "fentry" and release < (0, 20, 0))


def test_the_script_is_no_proof(program: Program, cause: Cause) -> None:
    """An error message that repeats the script must not pass for its event."""
    here = scene(cause)
    try:
        script = "\n".join(program.arguments(here))
    except Skip as skip:
        pytest.skip(str(skip))
    assert not re.search(program.proof(here, Shown(("1", "2"), 3)), script, re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "line", "proves"),
    [
        ("hello", "{comm} hello 42 1234567890123", True),
        ("hello", "{comm} hello 42", False),
        ("hello", "{comm} hello 42 0", False),
        ("tracepoint-args", "{comm} openat {pid} {comm}-file", True),
        ("tracepoint-args", "{comm} openat {pid} {comm}-fil", False),
        ("tracepoint-args", "{comm} openat 1 {comm}-file", False),
        ("tracepoint-net", "{comm} port {port} state 1", True),
        ("tracepoint-net", "{comm} port {port} state 2", False),
        ("tracepoint-net", "{comm} port 1 state 1", False),
        ("tracepoint-sched", "{comm} child 4711", True),
        ("tracepoint-sched", "{comm} child 4712", False),
        ("struct", "{comm} task 99 bpftrace", True),
        ("struct", "{comm} task 98 bpftrace", False),
        ("kprobe-struct", "{comm} path memfd:{comm}-file", True),
        ("kprobe-struct", "{comm} path ", False),
        ("include", "{comm} errno 512", True),
        ("include", "{comm} nice 0", False),
        ("kstack", "{comm} stack\n        clear_user+1\n        vfs_read+12\n        ksys_read+9\n", True),
        # a leaf function without a frame of its own: the unwinder by frame pointers skips its caller
        (
            "kstack",
            "{comm} stack\n        read_zero+106\n        ksys_read+91\n        do_syscall_64+76\n",
            True,
        ),
        ("kstack", "{comm} stack\n        finish_task_switch.isra.0+106\n        schedule+9\n", False),
        ("kstack", "{comm} stack\n        ffffffff81234567\n", False),
        ("kstack", "{comm} stack\n{comm} stack\n", False),
        ("kstack", "{comm} stack\nother stack\n        vfs_read+12\n", False),
        ("iter", "{comm} task {pid} {comm}", True),
        ("iter", "{comm} task {pid} bash", False),
        ("stock-tools", "77 python3 -1 2 {comm}-file", True),
        ("stock-tools", "77 python3 -1 2 {comm}", False),
    ],
)
def test_only_the_very_event_is_a_proof(cause: Cause, name: str, line: str, proves: bool) -> None:
    chosen = next(one for one in PROGRAMS if one.id == name)
    output = "Attaching 1 probe...\n" + line.format(comm=cause.comm, pid=cause.pid, port=cause.port) + "\n"
    pattern = chosen.proof(scene(cause), Shown(("4710", "4711"), 99))
    assert bool(re.search(pattern, output, re.MULTILINE)) is proves


def test_in_a_pid_namespace_the_unique_name_is_the_proof(cause: Cause) -> None:
    inside = scene(cause)._replace(exact_pids=False)
    chosen = next(one for one in PROGRAMS if one.id == "tracepoint-args")
    assert re.search(chosen.proof(inside, Shown((), 1)), f"{cause.comm} openat 77 {cause.name}")
    assert not re.search(chosen.proof(inside, Shown((), 1)), f"{cause.comm} openat 77 other")


def test_without_an_answer_no_child_is_ours(cause: Cause) -> None:
    chosen = next(one for one in PROGRAMS if one.id == "tracepoint-sched")
    assert not re.search(chosen.proof(scene(cause), Shown((), 1)), f"{cause.comm} child 5", re.MULTILINE)


def test_two_processes_never_share_a_name(cause: Cause) -> None:
    from kdiag.smoke.cause import start

    other = start()
    try:
        assert other.comm != cause.comm and other.port != cause.port
        assert Path(f"/proc/{other.pid}/comm").read_text().strip() == other.comm
    finally:
        other.end()
    assert not other.alive


def test_the_causing_process_ends_with_its_input() -> None:
    source = Path(sys.modules["kdiag.smoke.events"].__file__ or "").read_text(encoding="utf-8")
    done = subprocess.run(
        (sys.executable, "-I", "-S", "-c", source, "kdiag-0", "kdiag-0-file"),
        input=b"fork\nopen\n",
        capture_output=True,
        timeout=HANG,
        check=False,
    )
    ready, fork, opened = done.stdout.decode().splitlines()
    assert ready.split()[0] == "ready" and ready.split()[3].endswith("kdiag-0-file")
    assert fork.split()[0] == "ok" and int(fork.split()[1]) > 1
    assert opened.strip() == "ok"
    assert done.returncode == 0


@pytest.mark.skipif(not DEBIAN_PYTHON.exists(), reason="no /usr/bin/python3")
def test_usdt_probes_as_readelf_lists_them() -> None:
    try:
        listed = subprocess.run(
            ("readelf", "-n", str(DEBIAN_PYTHON.resolve())), capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no readelf: {error}")
    found = re.findall(r"Provider: (\S+)\s+Name: (\S+)\s+Location: \S+, Base: \S+, Semaphore: (\S+)", listed)
    expected = [(provider, name, int(semaphore, 16) != 0) for provider, name, semaphore in found]
    assert list(probes(DEBIAN_PYTHON.read_bytes())) == expected
    if ("python", "gc__start", True) in expected:
        probe = find((f"{DEBIAN_PYTHON.resolve()}",))
        assert probe is not None and (probe.provider, probe.name) == ("python", "gc__start")


def test_no_usdt_probe_where_there_is_no_elf(tmp_path: Path) -> None:
    text = tmp_path / "python3"
    text.write_text("#!/bin/sh\n")
    assert find((str(text), str(tmp_path / "libc.so.6"), "/proc/self/mem")) is None


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=200), st.integers(0, 5000))
def test_damaged_elf_files_are_refused_as_such(noise: bytes, place: int) -> None:
    data = bytearray(_small_elf())
    place %= len(data)
    data[place : place + len(noise)] = noise
    with contextlib.suppress(ParseError):
        list(probes(bytes(data)))


def _small_elf(provider: bytes = b"python", name: bytes = b"gc__start", semaphore: int = 0x3000) -> bytes:
    """A 64-bit ELF file with one SystemTap note, put together by hand."""
    import struct

    desc = struct.pack("<QQQ", 0x1000, 0x2000, semaphore) + provider + b"\0" + name + b"\0-4@%edi\0"
    note = struct.pack("<III", 8, len(desc), 3) + b"stapsdt\0" + desc + b"\0" * (-len(desc) % 4)
    names = b"\0.note.stapsdt\0.shstrtab\0"
    head, start = 64, 64 + len(note) + len(names)
    ident = b"\x7fELF\x02\x01\x01" + b"\0" * 9
    elf = ident + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 0, start, 0, 64, 0, 0, 64, 3, 2)
    sections = (
        struct.pack("<IIQQQQIIQQ", *(0,) * 10),
        struct.pack("<IIQQQQIIQQ", 1, 7, 0, 0, head, len(note), 0, 0, 4, 0),
        struct.pack("<IIQQQQIIQQ", 15, 3, 0, 0, head + len(note), len(names), 0, 0, 1, 0),
    )
    return elf + note + names + b"".join(sections)


def test_a_note_is_read() -> None:
    assert list(probes(_small_elf())) == [("python", "gc__start", True)]


def test_a_probe_without_a_semaphore_is_taken_where_that_matters(tmp_path: Path) -> None:
    program, library, other = tmp_path / "python3", tmp_path / "libc.so.6", tmp_path / "libm.so.6"
    program.write_bytes(_small_elf())
    library.write_bytes(_small_elf(b"libc", b"pthread_create", 0))
    other.write_bytes(_small_elf(b"libm", b"slowpow", 0))
    paths = [str(path) for path in (other, program, library)]
    first, free = find(paths), find(paths, avoid_semaphores=True)
    assert first is not None and (first.path, first.semaphore) == (str(program), True)
    assert free is not None and (free.path, free.semaphore) == (str(library), False)
    assert find([str(other)]) is None
