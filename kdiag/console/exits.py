"""The exit statuses, the same for every command."""

from __future__ import annotations

from kdiag.model import Readiness

READY = 0
NOT_READY = 1
USAGE = 2
CANNOT_TELL = 3
FAILED = 4
BROKEN = 70
INTERRUPTED = 130

BY_READINESS = {
    Readiness.READY: READY,
    Readiness.NOT_READY: NOT_READY,
    Readiness.UNKNOWN: CANNOT_TELL,
}
