"""How a journal's line is written, and how damage to it is noticed: the one place that knows. Imports little.

A line is a JSON object that begins with its event and ends with a checksum (CRC-32, which notices any damage of up to
32 bits in a row) of everything in the file before it: a changed byte, a line that was lost or moved, and a line put in
between are all noticed. Journals of the first version have no checksums; whatever is added to one has.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

_SEAL = re.compile(rb',"sum":"([0-9a-f]{8})"\}')
_SEALED = re.compile(_SEAL.pattern + rb"\Z")
_EVENT = re.compile(rb'\{"event":"(begin|done|undone)",')
_ID = re.compile(rb'"id":"([0-9a-f]{16})"')


class Damaged(ValueError):
    """What is wrong with line `number`, which is not as kdiag wrote it."""

    def __init__(self, number: int, problem: str) -> None:
        super().__init__(problem)
        self.number = number


def sealed(text: bytes, before: bytes) -> bytes:
    """The line for a JSON object, to be added to a file that holds `before`."""
    body = text[:-1]
    return b'%s,"sum":"%08x"}\n' % (body, zlib.crc32(body, zlib.crc32(before)))


def end(data: bytes) -> int:
    """Where the last whole line ends. What follows is a write that was cut short by a crash: it does not count.

    Raises Damaged where that cannot be so: a write that reached the checksum has nothing but the line's end
    behind it.
    """
    at = data.rfind(b"\n") + 1
    seal = _SEAL.search(data, at)
    if seal is not None and seal.end() < len(data):
        raise Damaged(data.count(b"\n", 0, at) + 1, "it does not end where it should")
    return at


def whole(data: bytes) -> Iterator[tuple[int, bytes, bool]]:
    """The lines that count: (number, text, whether it has a checksum, which is right). Raises Damaged."""
    lines = data[: end(data)].split(b"\n")[:-1]
    sums = False
    sum_of_all = 0
    for number, text in enumerate(lines, 1):
        seal = _SEALED.search(text)
        if seal is not None:
            if int(seal[1], 16) != zlib.crc32(text[: seal.start()], sum_of_all):
                raise Damaged(
                    number, "its checksum is wrong: this line, or one before it, was changed or lost"
                )
        elif sums:
            raise Damaged(number, "it has no checksum, and a line before it has")
        sums = seal is not None
        yield number, text, sums
        sum_of_all = zlib.crc32(text + b"\n", sum_of_all)


def at_rest(data: bytes) -> bool:
    """Whether the journal is undamaged and every change in it is done or undone, none cut short. Reads no JSON."""
    if not data.endswith(b"\n"):
        return not data
    under_way: set[bytes] = set()
    try:
        for _, text, _ in whole(data):
            event, name = _EVENT.match(text), _ID.search(text)
            if event is None or name is None:
                return False
            (under_way.add if event[1] == b"begin" else under_way.discard)(name[1])
    except Damaged:
        return False
    return not under_way
