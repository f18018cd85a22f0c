"""Changes of the kernel that came into stable releases as well, so that the first release of the mainline is not the
first that has them. The numbers are of ChangeLogs of kernel.org, which Debian's changelogs of linux name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

Release = tuple[int, int, int]


class Change(NamedTuple):
    """mainline: the first release without a stable series of its own. stable: the first of each series that has it."""

    mainline: tuple[int, int]
    stable: Mapping[tuple[int, int], int]

    def is_in(self, release: Release) -> bool:
        """Whether a kernel made of this release has it, unless its distribution changed that."""
        major, minor, patch = release
        return (major, minor) >= self.mainline or patch >= self.stable.get((major, minor), 1 << 30)


#: A uprobe through perf_event_open(2) requires CAP_SYS_ADMIN again, where CAP_PERFMON (5.8) was enough: CVE-2025-38466,
#: kernel/events/core.c, perf_uprobe_event_init, "perf: Revert to requiring CAP_SYS_ADMIN for uprobes".
UPROBES_ASK_FOR_ADMIN = Change(
    (6, 16), {(5, 10): 240, (5, 15): 189, (6, 1): 146, (6, 6): 99, (6, 12): 39, (6, 15): 7}
)
#: A kprobe on a name that several functions have is refused with EADDRNOTAVAIL, where the first was taken before:
#: kernel/trace/trace_kprobe.c, number_of_same_symbols. Not in 5.10.223.
ONE_FUNCTION_OF_A_NAME = Change((6, 6), {(6, 1): 60})
