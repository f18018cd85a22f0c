"""The exit statuses, the same for every command."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kdiag.model import Readiness

READY = 0
NOT_READY = 1
USAGE = 2
CANNOT_TELL = 3
FAILED = 4
BROKEN = 70
INTERRUPTED = 130


def of(readiness: Readiness) -> int:
    """The status that says so. By the value: the model need not be imported before the first line is printed."""
    return {"ready": READY, "not-ready": NOT_READY, "unknown": CANNOT_TELL}[readiness.value]
