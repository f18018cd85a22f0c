"""Findings and capabilities recognised where they stand in a stream, by the bytes of those that were read before.

Machines of one kernel say nearly the same in the same order. So a list is compared, in place and in long pieces, with
that of an earlier machine: nothing is copied, decoded or looked up while both say the same. A block that differs is
looked up among all that were seen, and one that only has other evidence than a known one is known by the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from kdiag.compare.reading.layouts import Held, Layout, without_evidence
from kdiag.compare.reading.memory import OVERHEAD

Item = TypeVar("Item")
#: Where an item ends, and the mark behind it.
End = Callable[[Held, int, Layout], "tuple[int, bytes] | None"]
#: Digests of blocks that were met once: what no two machines have alike is not remembered.
_ONCE = 20_000
#: So many kinds of machines have a list that others are compared with.
_ALIKE = 200
#: A list of more bytes is compared block by block.
_JOINED = 1 << 20


# Not named tuples: those of Python 3.10 cannot be generic.
@dataclass(frozen=True)
class Block(Generic[Item]):
    """An item and the mark behind it. key: the text of its id. answer: a digest of what it answers. lines: its line
    feeds. closes: whether it ends its list.
    """

    text: bytes
    key: bytes
    item: Item
    answer: bytes
    lines: int
    closes: bool


@dataclass(frozen=True)
class _Run(Generic[Item]):
    """Blocks in a row that did not differ so far. end: the place of the next one."""

    text: bytes
    items: list[Item]
    answers: bytes
    lines: int
    closes: bool
    end: int


class Like(Generic[Item]):
    """A list that others are probably like. loose: keys of blocks that differ from machine to machine."""

    def __init__(self, blocks: Sequence[Block[Item]] = (), loose: frozenset[bytes] = frozenset()) -> None:
        self.blocks, self.loose = blocks, loose
        self.places = {block.key: place for place, block in enumerate(blocks)}
        #: By the place where they begin.
        self.runs: dict[int, _Run[Item]] = {}
        self.size = sum(len(block.text) for block in blocks)
        start = 0
        for place in range(len(blocks) + 1 if self.size < _JOINED else 0):
            if place == len(blocks) or blocks[place].key in loose:
                if place - start > 1:
                    self.runs[start] = _run(blocks[start:place], place)
                start = place + 1


@dataclass(frozen=True)
class Walked(Generic[Item]):
    """The items of a list, the digests of what they answer, where the bytes behind its last mark are, and how many
    lines it has. other: keys of blocks in it that are not as they were expected.
    """

    items: list[Item]
    answers: bytes
    end: int
    lines: int
    blocks: list[Block[Item]]
    other: set[bytes]


class Chain(Generic[Item]):
    """The blocks of one list in one layout. end: where an item ends. learn: reads an item, all of it or, if it has
    evidence, without, and what it answers; raises BadReport or ValueError. evidence: validates evidence; None
    where items have none.
    """

    def __init__(
        self,
        layout: Layout,
        end: End,
        learn: Callable[[bytes], tuple[Item, bytes]],
        evidence: Callable[[bytes], None] | None = None,
    ) -> None:
        self._layout, self._end, self._learn, self._evidence = layout, end, learn, evidence
        self.clear()

    def clear(self) -> None:
        """Forget all."""
        self._blocks: dict[bytes, Block[Item]] = {}
        self._bare: dict[bytes, Block[Item]] = {}
        self._once: set[int] = set()
        self._like: dict[bytes, Like[Item]] = {}
        self._latest: Like[Item] = Like()
        #: Bytes that are remembered.
        self.size = 0

    def walk(self, held: Held, at: int, machine: bytes, most: int) -> Walked[Item] | None:
        """The list whose first item begins at `at`; None where its end is not seen, and for more than `most` items.
        machine: the same for machines that are probably alike.
        """
        known = self._like.pop(machine, None)
        like = known or self._latest
        found = self._walked(held, at, like, most)
        if found is None:
            if known is not None:
                self._like[machine] = known
            return None
        if known is None or not found.other <= like.loose:
            # What is new for this kind of machine says nothing of what differs within it.
            like = Like(found.blocks, known.loose | found.other if known else frozenset())
            self.size += like.size - (known.size if known else 0)
        # The one that was met longest ago is the first.
        self._like[machine] = self._latest = like
        if len(self._like) > _ALIKE:
            self.size -= self._like.pop(next(iter(self._like))).size
        return found

    def _walked(self, held: Held, at: int, like: Like[Item], most: int) -> Walked[Item] | None:
        starts, expected = held.startswith, like.blocks
        items: list[Item] = []
        answers: list[bytes] = []
        met: list[Block[Item]] = []
        lines = place = 0
        other: set[bytes] = set()
        while len(items) < most:
            run = like.runs.get(place)
            if run is not None and starts(run.text, at):
                items += run.items
                answers.append(run.answers)
                met += expected[place : run.end]
                at += len(run.text)
                place, closes = run.end, run.closes
                lines += run.lines
            else:
                if place < len(expected) and starts(expected[place].text, at):
                    block = expected[place]
                    at += len(block.text)
                    place += 1
                else:
                    new = self._other(held, at)
                    if new is None:
                        return None
                    block, at = new
                    there = like.places.get(block.key)
                    if there == place:
                        other.add(block.key)
                    place = place if there is None else there + 1
                items.append(block.item)
                answers.append(block.answer)
                met.append(block)
                lines += block.lines
                closes = block.closes
            if closes:
                return Walked(items, b"".join(answers), at, lines, met, other)
        return None

    def _other(self, held: Held, at: int) -> tuple[Block[Item], int] | None:
        """A block that was not expected, and where it ends."""
        found = self._end(held, at, self._layout)
        if found is None:
            return None
        end, mark = found
        end += len(mark)
        text = bytes(held[at:end])
        return self._blocks.get(text) or self._read(text, mark), end

    def _read(self, text: bytes, mark: bytes) -> Block[Item]:
        """A new block; or the one that it is but for its evidence, until it is met again."""
        item = text[: -len(mark)]
        parts = without_evidence(item, self._layout) if self._evidence is not None else None
        if parts is None or self._evidence is None:
            return self._remember(text, *self._learn(item), mark)
        bare, evidence = parts
        self._evidence(evidence)
        same = self._bare.get(bare + mark)
        if same is None:
            block = self._bare[bare + mark] = self._remember(text, *self._learn(bare), mark)
            self.size += len(bare)
            return block
        digest = hash(text)
        if digest in self._once:
            self._once.discard(digest)
            return self._remember(text, same.item, same.answer, mark)
        if len(self._once) >= _ONCE:
            self._once.clear()
        self._once.add(digest)
        return Block(same.text, same.key, same.item, same.answer, text.count(b"\n"), same.closes)

    def _remember(self, text: bytes, item: Item, answer: bytes, mark: bytes) -> Block[Item]:
        key = text[: text.find(b",") + 1]
        closes = mark != self._layout.next
        block = self._blocks[text] = Block(text, key, item, answer, text.count(b"\n"), closes)
        self.size += len(text) + OVERHEAD
        return block


def _run(blocks: Sequence[Block[Item]], end: int) -> _Run[Item]:
    return _Run(
        b"".join([block.text for block in blocks]),
        [block.item for block in blocks],
        b"".join([block.answer for block in blocks]),
        sum(block.lines for block in blocks),
        blocks[-1].closes,
        end,
    )
