"""What a program that carries an object is known to do wrong by itself, whatever the kernel has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kdiag.explain.object.trouble import Trouble
from kdiag.knowledge.bpf.tables import carriers

if TYPE_CHECKING:
    from kdiag.explain.object.source import Source
    from kdiag.parse.bpf.read import Object


def faults(found: Object, source: Source) -> Iterator[Trouble]:
    """The known ones: recognised by the object's sections, and by the texts that the program has or lacks beside it."""
    sections = {one.section for one in found.programs}
    for known in carriers():
        if known.section not in sections:
            continue
        apart = source.data[: found.at] + source.data[found.at + len(found.image.data) :]
        has = (_text(apart, text) for text in known.has)
        if all(has) and not any(_text(apart, text) for text in known.lacks):
            yield Trouble(f"{known.says}; {known.mended} mends that", attach=True)


def _text(data: bytes, text: str) -> bool:
    """Whether a program has a text, as C ends it."""
    return b"\0" + text.encode() + b"\0" in data
