"""What stands in the way of a program, a map or a whole object."""

from __future__ import annotations

from typing import NamedTuple


class Trouble(NamedTuple):
    """text: a clause that can follow `because`; certain: False for what kdiag cannot tell; finding: the id of the
    finding of `kdiag check` that looks into the same, "" for none; attach: it loads, and cannot be attached; rights:
    the kernel refused it to the caller (EPERM), and another caller might get another answer.
    """

    text: str
    certain: bool = True
    finding: str = ""
    attach: bool = False
    rights: bool = False


def unknown(text: str, finding: str = "") -> Trouble:
    """What could not be looked at."""
    return Trouble(text, certain=False, finding=finding)
