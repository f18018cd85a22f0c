"""Whether machines have the same information: BTF, the kernel's archive of headers, its configuration, by content.

What a machine allows and has mounted is another question, which the rest of a comparison answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

#: Differing options that are named.
_NAMED = 4
_NOUNS = {"btf": "BTF", "kheaders": "the archive of kernel headers", "config": "the kernel's configuration"}


class Piece(NamedTuple):
    """One kind of information on one machine. digest: of its content, "" where there is none; size in bytes. unknown:
    why it could not be looked at. part: whether only a part of it was recorded, of which the digest is. values: of a
    configuration, by option, those first that matter most.
    """

    digest: str = ""
    size: int = 0
    unknown: str = ""
    part: bool = False
    values: Mapping[str, str] | None = None


class Information(NamedTuple):
    """What one machine's kernel says of itself. pieces: by `btf`, `kheaders`, `config`."""

    name: str
    release: str
    pieces: Mapping[str, Piece]

    @property
    def recorded(self) -> bool:
        """Whether any of it is known, be it that there is none."""
        return any(not piece.unknown for piece in self.pieces.values())


def same(machines: Sequence[Information]) -> tuple[str, ...]:
    """Whether the information is the same, and why, in a sentence; then a sentence for each piece that is not known.
    Nothing for fewer than two machines.
    """
    if len(machines) < 2:
        return ()
    named = list(zip(_names(machines), machines, strict=True))
    alike, none, differs, open_ = [], [], [], []
    for piece, noun in _NOUNS.items():
        found = [(name, one.pieces[piece]) for name, one in named]
        unknown = [f"{noun} of {name} is not known: {its.unknown}" for name, its in found if its.unknown]
        if unknown:
            open_ += unknown
        elif len({its.digest for _, its in found}) > 1:
            differs.append(f"{noun} ({_difference(found)})")
        elif found[0][1].digest:
            alike.append(f"{noun}{' as far as it was recorded' if found[0][1].part else ''}")
        else:
            none.append(noun)
    verdict = _verdict(alike, none, differs, known=not open_)
    more = (f"{one[:1].upper()}{one[1:]}." for one in open_)
    return (f"{verdict}{_why(machines, differs)}.", *more)


def _names(machines: Sequence[Information]) -> list[str]:
    """The last parts of their names, where those tell them apart."""
    short = [one.name.rstrip("/").rpartition("/")[2] for one in machines]
    return short if len(set(short)) == len(short) else [one.name for one in machines]


def _verdict(alike: Sequence[str], none: Sequence[str], differs: Sequence[str], *, known: bool) -> str:
    parts = [", ".join(alike)] if alike else []
    parts += [f"none of them has {' and '.join(none)}"] if none else []
    if differs:
        rest = f"; the same: {'; '.join(parts)}" if parts else ""
        return f"The information differs: {'; '.join(differs)}{rest}"
    if not parts:
        return "Whether the information is the same cannot be told"
    return f"The information is the same{'' if known else ' as far as it is known'}, by content: {'; '.join(parts)}"


def _why(machines: Sequence[Information], differs: Sequence[str]) -> str:
    releases = list(dict.fromkeys(one.release for one in machines))
    if len(releases) > 1:
        return f". There are {len(releases)} kernels: {', '.join(releases[:_NAMED])}"
    return ". The release is the same: it is another build" if differs else f". The kernel is {releases[0]}"


def _difference(found: Sequence[tuple[str, Piece]]) -> str:
    values = [its.values for _, its in found if its.values is not None]
    if len(values) == len(found):
        return _options(values)
    return ", ".join(
        f"{f'{its.size:,} bytes' if its.digest else 'none'} on {name}" for name, its in found[:_NAMED]
    )


def _options(values: Sequence[Mapping[str, str]]) -> str:
    every = dict.fromkeys(name for one in values for name in one)
    names = [name for name in every if len({one.get(name) for one in values}) > 1]
    shown = ", ".join(f"CONFIG_{name} {' or '.join(_values(name, values))}" for name in names[:_NAMED])
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"{len(names):,} option{'s' if len(names) != 1 else ''}: {shown}{more}"


def _values(name: str, values: Sequence[Mapping[str, str]]) -> Iterator[str]:
    return iter(dict.fromkeys(one.get(name, "off") for one in values))
