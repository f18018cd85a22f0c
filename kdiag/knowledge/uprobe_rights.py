"""Since when a uprobe through perf_event_open(2) requires CAP_SYS_ADMIN again, where CAP_PERFMON (5.8) was enough.

CVE-2025-38466: kernel/events/core.c, perf_uprobe_event_init, "perf: Revert to requiring CAP_SYS_ADMIN for uprobes".
"""

from __future__ import annotations

#: The first release without a stable series of its own, and the first of each series that has the change.
_MAINLINE = (6, 16)
_STABLE = {(5, 10): 240, (5, 15): 189, (6, 1): 146, (6, 6): 99, (6, 12): 39, (6, 15): 7}


def uprobes_ask_for_admin(version: tuple[int, int, int]) -> bool:
    """Whether a kernel of this release does, unless its distribution changed that; (6, 12, 39): yes."""
    series, patch = (version[0], version[1]), version[2]
    return series >= _MAINLINE or patch >= _STABLE.get(series, 1 << 30)
