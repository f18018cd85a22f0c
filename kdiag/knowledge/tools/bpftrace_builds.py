"""What a build of bpftrace lacks without an optional library, and which LLVM its release was made for.

A distribution chooses: the libraries are optional in CMakeLists.txt, and the program says what it has with `bpftrace
--info`. Which LLVM a release accepts is `Behaviour.llvm`, read from each tag's CMakeLists.txt.
"""

from __future__ import annotations

from typing import NamedTuple

from kdiag.knowledge.tools.behaviour import Version


class Optional(NamedTuple):
    """A library by how its shared file's name begins (any of these), the releases that can use it, and what a build
    without it does not do.
    """

    name: str
    sonames: tuple[str, ...]
    since: Version
    until: Version | None
    without: str
    source: str

    def of(self, release: Version) -> bool:
        """Whether this release can be built with it."""
        return self.since <= release and (self.until is None or release <= self.until)


OPTIONAL: tuple[Optional, ...] = (
    Optional(
        "libbfd",
        ("libbfd", "libopcodes"),
        (0, 11, 0),
        None,
        "a probe inside of a function (kprobe:NAME+OFFSET) is not checked, and before 0.16 requires --unsafe",
        "src/disasm.cpp, src/attached_probe.cpp check_alignment()",
    ),
    Optional(
        "libdw",
        ("libdw.",),
        (0, 14, 0),
        (0, 20, 4),
        "arguments of uprobes have no names",
        "src/dwarf_parser.cpp, HAVE_LIBDW",
    ),
    Optional(
        "liblldb",
        ("liblldb",),
        (0, 21, 0),
        (0, 23, 5),
        "arguments of uprobes have no names",
        "src/dwarf_parser.cpp, HAVE_LIBLLDB",
    ),
    Optional(
        "libdw",
        ("libdw.",),
        (0, 24, 0),
        None,
        "arguments of uprobes have no names",
        "src/util/dwarf.cpp, HAVE_LIBDW",
    ),
    Optional(
        "libpcap",
        ("libpcap",),
        (0, 16, 0),
        None,
        "skboutput() writes no files",
        "src/pcap_writer.cpp, HAVE_LIBPCAP",
    ),
)
