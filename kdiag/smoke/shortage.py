"""What the machine was short of while a program ran: memory, as the kernel counts it."""

from __future__ import annotations

import re
from typing import NamedTuple

from kdiag.trust.read import user_file

#: Of a machine that is short of it: available of what there is, and the time in which all tasks waited for it.
_SCARCE = 0.08
_WAITED = 20.0
_MEBI = 1024
_LIMIT = 64 * 1024


class Pressure(NamedTuple):
    """Megabytes, and the part of the last minute in which all tasks waited for memory; None where it was not said."""

    available: int | None
    total: int | None
    waited: float | None


def read(meminfo: str, pressure: str) -> Pressure:
    """From the texts of /proc/meminfo and /proc/pressure/memory, empty where a kernel has none."""
    numbers = {name: int(value) for name, value in re.findall(r"^(\w+):\s+(\d+) kB", meminfo, re.MULTILINE)}
    waited = re.search(r"^full .*\bavg60=(\d+\.\d+)", pressure, re.MULTILINE)
    available, total = numbers.get("MemAvailable"), numbers.get("MemTotal")
    return Pressure(
        None if available is None else available // _MEBI,
        None if total is None else total // _MEBI,
        None if waited is None else float(waited[1]),
    )


def words(seen: Pressure) -> str:
    """What it was short of, as the end of a sentence; empty if of nothing that can be seen."""
    scarce = bool(seen.total and seen.available is not None and seen.available <= _SCARCE * seen.total)
    waiting = seen.waited is not None and seen.waited >= _WAITED
    if not scarce and not waiting:
        return ""
    parts = []
    if seen.available is not None and seen.total is not None:
        parts.append(f"{seen.available} of {seen.total} MiB are available")
    if waiting:
        parts.append(f"all programs waited for it {seen.waited:.0f} % of the last minute")
    return f"this machine is short of memory: {', and '.join(parts)}"


def shortage() -> str:
    """What this machine is short of now; empty if of nothing that can be seen."""
    return words(read(_text("/proc/meminfo"), _text("/proc/pressure/memory")))


def _text(path: str) -> str:
    try:
        return user_file(path, _LIMIT).decode("ascii", "replace")
    except OSError:
        return ""
