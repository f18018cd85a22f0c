"""Program types, map types and helpers by number, and what libbpf takes a section's name for.

Numbers and names: include/uapi/linux/bpf.h of libbpf commit f7081a6baf3f (July 2026). The kernels that first had them:
docs/kernel-versions.md of iovisor/bcc (commit 6d0a964c2cda) and data/feature-versions.yaml of isovalent/ebpf-docs
(commit 18ec5e93ea4b); where the two differ, bcc's, which names the commit that was released, but for the helpers 1, 2
and 7. They are hints: distributions backport, and what a kernel has its own BTF says (enum bpf_func_id and the others).
GPL-only helpers: the License column of bcc's table, `gpl_only` in the kernel's source. Options: #ifdef in
include/linux/bpf_types.h. Capabilities: is_perfmon_prog_type() and is_net_admin_prog_type() of kernel/bpf/syscall.c,
beside the CAP_BPF that all need. Sections: section_defs of libbpf's src/libbpf.c at that commit; the first release with
each is from the release tags ("" is all of them, the oldest tag is 0.0.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple, cast

from kdiag.knowledge.tables import table


class Helper(NamedTuple):
    """A helper function: its number, its name without `bpf_`, the first kernel with it, whether GPL programs alone
    may call it.
    """

    number: int
    name: str
    since: str
    gpl: bool


class ProgramType(NamedTuple):
    """A program type: option is without CONFIG_; capabilities are those beside CAP_BPF."""

    number: int
    name: str
    since: str
    option: str
    capabilities: tuple[str, ...]


class MapType(NamedTuple):
    """A map type; option is without CONFIG_, "" where every kernel with bpf(2) has it."""

    number: int
    name: str
    since: str
    option: str


class Section(NamedTuple):
    """What libbpf takes a section's name for. name: ends in `+` where `/what` may follow; flags: sleepable, btf (what
    it attaches to is found in BTF when it is loaded), usdt; since: the first libbpf.
    """

    name: str
    program: str
    attach: str
    flags: tuple[str, ...]
    since: str

    def matches(self, name: str) -> bool:
        """As sec_def_matches() of libbpf."""
        if not self.name.endswith("+"):
            return name == self.name
        head = self.name[:-1]
        return name == head or name.startswith(f"{head}/")


class Carrier(NamedTuple):
    """A program that carries an object and is wrong on any machine: a section of the object, the texts that the program
    has and lacks, what it does, the release that mends it.
    """

    section: str
    has: tuple[str, ...]
    lacks: tuple[str, ...]
    says: str
    mended: str
    source: str


@cache
def carriers() -> tuple[Carrier, ...]:
    """The known ones."""
    rows = cast("list[tuple[str, list[str], list[str], str, str, str]]", table("bpf/carriers"))
    return tuple(Carrier(row[0], tuple(row[1]), tuple(row[2]), *row[3:]) for row in rows)


@cache
def helpers() -> Mapping[int, Helper]:
    """All helpers by number."""
    rows = cast("list[list[str]]", table("bpf/helpers"))
    return {int(row[0]): Helper(int(row[0]), row[1], row[2], len(row) > 3) for row in rows}


@cache
def program_types() -> Mapping[str, ProgramType]:
    """All program types by name."""
    rows = cast("list[list[str]]", table("bpf/program_types"))
    return {row[1]: ProgramType(int(row[0]), row[1], row[2], row[3], tuple(row[4].split())) for row in rows}


@cache
def map_types() -> Mapping[int, MapType]:
    """All map types by number."""
    rows = cast("list[list[str]]", table("bpf/map_types"))
    return {int(row[0]): MapType(int(row[0]), row[1], row[2], row[3]) for row in rows}


@cache
def sections() -> tuple[Section, ...]:
    """libbpf's definitions, in its order: the first that matches counts."""
    rows = cast("list[list[str]]", table("bpf/sections"))
    return tuple(Section(row[0], row[1], row[2], tuple(row[3].split()), row[4]) for row in rows)


@cache
def allowed() -> Mapping[str, frozenset[int]]:
    """The helpers that programs of a type may call, for those types where that is known whatever they attach to.

    Read in data/helpers-functions.yaml of isovalent/ebpf-docs (18ec5e93ea4b), which follows the kernel's source, and
    asked of Linux 6.18, which was given a program of one call for each; what either allows is allowed. Kernels have
    allowed more with time, so that what is not here no kernel up to that allows.
    """
    rows = cast("dict[str, list[int]]", table("bpf/allowed"))
    return {name: frozenset(numbers) for name, numbers in rows.items()}


def section(name: str) -> Section | None:
    """The definition for a section's name, None if libbpf has none. A `?` before it only means `not by default`."""
    plain = name.removeprefix("?")
    return next((one for one in sections() if one.matches(plain)), None)
