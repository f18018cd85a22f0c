"""What a kernel that is installed and not running takes away, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Line(NamedTuple):
    """A capability by its title, whether it is required, and why it is lost or in doubt."""

    title: str
    required: bool
    because: str
    lost: bool


def told(release: str, running: str, lines: Sequence[Line], repairs: Sequence[str]) -> str:
    """A paragraph for a terminal or a package manager's log; `repairs` are commands that keep something."""
    lost = [line for line in lines if line.lost]
    doubt = [line for line in lines if not line.lost]
    if not lines:
        return f"kdiag: nothing that works on {running} is known to stop working on {release}.\n"
    needed = sum(line.required for line in lost)
    text: list[str] = []
    if lost:
        what = f"{len(lost)} thing{'s' if len(lost) > 1 else ''} that work{'' if len(lost) > 1 else 's'} on {running}"
        marked = f", {needed} of them required" if needed else ", none of them required"
        text.append(f"kdiag: {what} will not work on {release}{marked}:")
        text += _listed(lost)
    if doubt:
        text.append(f"kdiag: cannot tell whether this works on {release}:")
        text += _listed(doubt)
    if repairs:
        text.append("Before the reboot:")
        text += [f"  {command}" for command in repairs]
    elif needed:
        text.append(f"Before the reboot: keep {running} as the kernel to boot, or install one that has this.")
    return "\n".join(text) + "\n"


def _listed(lines: Iterable[Line]) -> list[str]:
    return [f"  {'*' if line.required else ' '} {line.title}: {line.because}" for line in lines]
