"""The slice of the matrix that CI runs: within a time limit, from nothing if need be; what it left out is named."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from .. import payload, tools
from ..errors import LabError
from . import cover, judge, run, store
from .axes import Cell, needs_toolchain

#: Debian packages: to boot, and to build a kernel
BOOT = ("qemu-system-x86", "mmdebstrap", "e2fsprogs", "kmod", "debian-archive-keyring")
BUILD = (
    "make",
    "gcc",
    "flex",
    "bison",
    "bc",
    "libelf-dev",
    "libssl-dev",
    "cpio",
    "xz-utils",
    "dwarves",
    "rsync",
)
#: seconds that are kept for the cells while something is made
_RESERVE = 150.0


def ci(minutes: float) -> int:
    """Run what of the slice can be run; 0 if kdiag was right wherever it was asked, else 1. Skipped cells are named."""
    begun = time.monotonic()
    until = begun + 60 * minutes
    ready, skipped = _ready(cover.SLICE, until)
    results: list[store.Result] = []
    broken: list[str] = []
    if ready:
        with tempfile.TemporaryDirectory(prefix="kdiag-lab-") as name:
            place = Path(name)
            broken = run.run(run.Plan(ready, place, until=until))
            results = run.ready(store.load(place, cell) for cell in ready)
    seen = {result.cell for result in results}
    complained = {complaint.partition(":")[0] for complaint in broken}
    late = [cell for cell in ready if cell not in seen and cell.name not in complained]
    skipped += [(cell, f"not done within {minutes:g} minutes") for cell in late]
    return _say(results, broken, skipped, time.monotonic() - begun)


def _say(
    results: Sequence[store.Result],
    broken: Sequence[str],
    skipped: Sequence[tuple[Cell, str]],
    seconds: float,
) -> int:
    found = [one for result in results for one in judge.judge(result)]
    number = judge.agreement(found)
    for one in found:
        if one.kind in judge.MISTAKES:
            print(f"lab: {one.cell.name}: {one.program}: {one.kind.value}")
            print(
                f"lab:   kdiag: {one.because or one.predicted}; bpftrace: {one.message or one.outcome.value}"
            )
    for complaint in broken:
        print(f"lab: {complaint}")
    for cell, why in skipped:
        print(f"lab: skipped {cell.name}: {why}")
    what = f"{len(results)} of {len(cover.SLICE)} cells of the slice in {seconds:.0f} s"
    print(f"lab: {what}; agreement {number.text} ({number.right} of {number.counted})", flush=True)
    return 1 if broken or number.right < number.counted else 0


def _ready(cells: Sequence[Cell], until: float) -> tuple[list[Cell], list[tuple[Cell, str]]]:
    """Make what the cells need, kernel by kernel: those that can run now, and the others with the reason."""
    ready: list[Cell] = []
    skipped: list[tuple[Cell, str]] = []
    for kernel in dict.fromkeys(cell.kernel for cell in cells):
        mine = [cell for cell in cells if cell.kernel == kernel]
        why = _install((*BOOT, *(BUILD if needs_toolchain(kernel) else ())))
        why = why or _prepare([kernel, *dict.fromkeys(cell.root for cell in mine)], until)
        if why:
            skipped += [(cell, why) for cell in mine]
        else:
            ready += mine
    return ready, skipped


def _install(packages: Iterable[str]) -> str:
    """Install what is missing, if we may; returns why not, "" if all is there."""
    missing = [name for name in packages if not _installed(name)]
    if not missing:
        return ""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return f"not installed, and only root can with apt-get: {' '.join(missing)}"
    tools.say(f"installing {' '.join(missing)}")
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *missing]):
        done = subprocess.run(
            ["apt-get", *command],
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            return f"apt-get {command[0]} failed: {(done.stderr.strip() or done.stdout.strip())[-300:]}"
    return ""


def _installed(package: str) -> bool:
    query = ["dpkg-query", "-W", "-f", "${Status}", package]
    try:
        done = subprocess.run(query, capture_output=True, text=True, check=False)
    except OSError:
        return False
    return done.stdout.startswith("install ok installed")


def _prepare(names: Sequence[str], until: float) -> str:
    """Make kernels and roots in a process of its own, which can be ended at its limit; returns why that failed."""
    left = until - _RESERVE - time.monotonic()
    if left <= 0:
        return "no time left to make what it needs"
    process = subprocess.Popen([sys.executable, "-m", "tests.lab", "prepare", *names], cwd=payload.PROJECT)
    try:
        status = process.wait(left)
    except subprocess.TimeoutExpired:
        process.terminate()  # it ends its compilers and keeps what is complete
        process.wait()
        return f"{names[0]} could not be made in time; the next run goes on where this one was"
    except BaseException:
        process.terminate()
        process.wait()
        raise
    return f"{' or '.join(names)} cannot be made here (see above)" if status else ""


def limit() -> float:
    """Minutes that CI gives the lab: ``KDIAG_LAB_MINUTES``, 15 without it, 0 for none of it."""
    text = os.environ.get("KDIAG_LAB_MINUTES", "15")
    try:
        minutes = float(text)
    except ValueError:
        raise LabError(f"KDIAG_LAB_MINUTES={text}: not a number of minutes") from None
    return max(0.0, minutes)
