"""Start one QEMU under software emulation, follow it, end it, and say what came of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import tools
from .errors import LabError
from .kernels import Kernel

_PROGRAMS = {
    "amd64": "qemu-system-x86_64",
    "i386": "qemu-system-i386",
    "arm64": "qemu-system-aarch64",
    "armhf": "qemu-system-arm",
}
_MACHINES = {
    "amd64": ["-machine", "pc", "-cpu", "max,-cx16"],
    "i386": ["-machine", "pc", "-cpu", "max"],
    # without high memory the bus is where a kernel without LPAE can reach it
    "armhf": ["-machine", "virt,highmem=off", "-cpu", "cortex-a15"],
    # measured: cortex-a57 boots in 3.6 s of CPU, max in 9.4 (pointer authentication is emulated)
    "arm64": ["-machine", "virt", "-cpu", "cortex-a57"],
}
_PC = ("amd64", "i386")
_LINES = ("console", "out", "err", "control")


@dataclass(frozen=True, slots=True)
class Boot:
    """What a guest is made of. ``disks`` are read-only raw images, the first is the lowest."""

    kernel: Kernel
    initramfs: bytes
    command_line: str
    disks: Sequence[Path]
    memory: int = 1536
    cpus: int = 2


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a guest ended.

    ``status``: of the job; None when the guest never told it. ``booted``: the job was reached. ``timed_out``: this
    QEMU was ended by us. ``seconds``: wall time; ``cpu_seconds``: of QEMU, user and system; ``boot_seconds``: guest's
    uptime when the job started.
    """

    status: int | None
    out: bytes
    err: bytes
    console: str
    booted: bool
    timed_out: bool
    seconds: float
    boot_seconds: float | None
    cpu_seconds: float


def command(boot: Boot, place: Path, interactive: bool) -> list[str]:
    """The QEMU command line for a boot whose files are in ``place``."""
    words = [
        _PROGRAMS[boot.kernel.arch],
        "-accel",
        "tcg,thread=single,tb-size=512",
        *_MACHINES[boot.kernel.arch],
    ]
    words += [
        "-m",
        str(boot.memory),
        "-smp",
        # seen: a second processor of "virt" never gets its timer's interrupts on 32 bits
        "1" if boot.kernel.arch == "armhf" else str(boot.cpus),
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
    ]
    words += ["-no-reboot", "-kernel", str(boot.kernel.image), "-initrd", str(place / "initramfs")]
    words += ["-append", boot.command_line]
    for name in _LINES:
        if interactive and name == "out":
            words += ["-chardev", f"stdio,id={name},signal=off"]
        else:
            words += ["-chardev", f"file,id={name},path={place / name}"]
    words += _serial_lines(boot.kernel.arch)
    for disk in boot.disks:
        words += ["-drive", f"file={str(disk).replace(',', ',,')},format=raw,if=virtio,readonly=on"]
    return words


def _serial_lines(arch: str) -> list[str]:
    if arch in _PC:
        # own interrupts: a small kernel cannot share one between two serial ports
        ports = enumerate(zip(_LINES, (4, 3, 5, 7), strict=True))
        devices = [f"isa-serial,chardev={name},index={index},irq={irq}" for index, (name, irq) in ports]
    else:  # the virt machine has one serial port: the others are virtio consoles
        devices = ["virtio-serial-pci", *(f"virtconsole,chardev={name}" for name in _LINES[1:])]
    words = [] if arch in _PC else ["-serial", f"chardev:{_LINES[0]}"]
    return words + [word for device in devices for word in ("-device", device)]


def run(
    boot: Boot,
    *,
    limit: float,
    stream: bool = False,
    interactive: bool = False,
    cancelled: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Boot, wait for the end, return what came of it; retries once when the guest died before the job.

    (Seen once in many dozens of boots under emulation: a reset in the first seconds. It is reported.)
    ``cancelled``: asked while the guest runs, ends it when true; for guests that run in a thread.
    """
    outcome = _once(boot, limit=limit, stream=stream, interactive=interactive, cancelled=cancelled)
    if not outcome.booted and not outcome.timed_out and not interactive and not cancelled():
        tools.say(
            f"the guest ended before it was up; trying once more. Its last words:\n{_last(outcome.console)}"
        )
        outcome = _once(boot, limit=limit, stream=stream, interactive=interactive, cancelled=cancelled)
    return outcome


def _last(console: str, lines: int = 12) -> str:
    return "\n".join(console.splitlines()[-lines:])


def _once(
    boot: Boot, *, limit: float, stream: bool, interactive: bool, cancelled: Callable[[], bool]
) -> Outcome:
    program = _PROGRAMS[boot.kernel.arch]
    tools.require([program], why="booting")
    with tempfile.TemporaryDirectory(prefix="kdiag-lab-") as name:
        place = Path(name)
        (place / "initramfs").write_bytes(boot.initramfs)
        for line in _LINES:
            (place / line).touch()
        started = time.monotonic()
        words = command(boot, place, interactive)
        process = subprocess.Popen(
            words,
            stdin=None if interactive else subprocess.DEVNULL,
            stdout=None if interactive else subprocess.DEVNULL,
            stderr=subprocess.PIPE if not interactive else None,
            start_new_session=not interactive,
        )
        follow = _follower(place) if stream else _nothing
        try:
            timed_out, cpu = _wait(process, started + limit, follow, cancelled)
        finally:
            if process.returncode is None:
                process.kill()
                process.wait()
        follow()
        complaint = process.stderr.read().decode(errors="replace") if process.stderr else ""
        return read_outcome(place, complaint, timed_out, time.monotonic() - started, cpu)


def _nothing() -> None:
    return None


def _wait(
    process: subprocess.Popen[bytes],
    deadline: float,
    follow: Callable[[], None],
    cancelled: Callable[[], bool],
) -> tuple[bool, float]:
    """Wait for the end: (did we have to end it because the deadline passed, seconds of CPU it used)."""
    timed_out = False
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return timed_out, usage.ru_utime + usage.ru_stime
        if not timed_out and (time.monotonic() > deadline or cancelled()):
            timed_out = True
            process.kill()
        follow()
        time.sleep(0.05)


def _follower(place: Path) -> Callable[[], None]:
    """A function that writes what the job has said since the last call to our own output."""
    sources = [
        ((place / "out").open("rb"), sys.stdout.buffer),
        ((place / "err").open("rb"), sys.stderr.buffer),
    ]

    def follow() -> None:
        for source, sink in sources:
            data = source.read()
            if data:
                sink.write(data)
                sink.flush()

    return follow


def read_outcome(place: Path, complaint: str, timed_out: bool, seconds: float, cpu: float) -> Outcome:
    """What the files in ``place`` and our own clock tell of a guest that has ended."""
    control = (place / "control").read_text(errors="replace")
    console = (place / "console").read_text(errors="replace") + complaint
    boot = re.search(r"^KD-BOOT ([0-9.]+)", control, re.MULTILINE)
    end = re.search(r"^KD-EXIT ([0-9]+)", control, re.MULTILINE)
    return Outcome(
        status=int(end[1]) if end else None,
        out=(place / "out").read_bytes(),
        err=(place / "err").read_bytes(),
        console=console,
        booted=boot is not None,
        timed_out=timed_out or "KD-LIMIT" in control,
        seconds=seconds,
        boot_seconds=float(boot[1]) if boot else None,
        cpu_seconds=cpu,
    )


def explain(outcome: Outcome) -> LabError | None:
    """None for a guest that told its status, else what went wrong with the console's tail."""
    if outcome.status is not None:
        return None
    if outcome.timed_out:
        what = f"the time limit passed after {outcome.seconds:.0f} s"
    else:
        what = "the guest ended without telling the job's status"
    stage = "while the job ran" if outcome.booted else "before the job started"
    return LabError(f"{what}, {stage}\n{_last(outcome.console)}", "a larger --limit, or look at --console")
