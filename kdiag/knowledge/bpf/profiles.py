"""What well-known tools require of a machine, by their own documentation: `kdiag check --profile NAME`.

Each profile names the document that its lines were read from, with the commit. A line says what is required: a minimum
kernel release (a hint, distributions backport), the kernel's types (BTF), a kernel option, a map type, a program type,
a helper, a capability of Linux (privilege), or one of kdiag's own capabilities, which stands for a sentence of the
document such as "CO-RE programs". A line with a purpose is required for that alone, and decides nothing.
"""

from __future__ import annotations

from functools import cache
from typing import Literal, NamedTuple, TypedDict, cast

from kdiag.knowledge.tables import table

LineKind = Literal["kernel", "types", "option", "map", "program", "helper", "privilege", "capability"]


class Line(NamedTuple):
    """One requirement. name: as its kind has it (`RINGBUF`, `CAP_BPF`, `core-tools`, an option without CONFIG_);
    purpose: what it is for alone, "" where nothing goes without it.
    """

    kind: LineKind
    name: str
    purpose: str = ""


class Profile(NamedTuple):
    """A tool's requirements. source: where they were read, or the file that has them."""

    name: str
    title: str
    source: str
    lines: tuple[Line, ...]

    @property
    def capabilities(self) -> tuple[str, ...]:
        """The ids of kdiag's own capabilities that it requires."""
        return tuple(line.name for line in self.lines if line.kind == "capability" and not line.purpose)


class _Row(TypedDict):
    name: str
    title: str
    source: str
    lines: list[list[str]]


@cache
def profiles() -> dict[str, Profile]:
    """The built-in profiles by name."""
    return {
        row["name"]: Profile(
            row["name"],
            row["title"],
            row["source"],
            tuple(Line(cast("LineKind", kind), name, purpose) for kind, name, purpose in row["lines"]),
        )
        for row in cast("list[_Row]", table("bpf/profiles"))
    }
