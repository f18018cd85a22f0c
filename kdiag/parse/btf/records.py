"""The type section: finds every record and checks every reference, with as little work each as possible.

Python takes some 10 ns for an operation, and vmlinux has 10^5 records of 10^6 words. So a loop runs over the
records, but only to step from one to the next; the words are then checked thousands at a time by
arithmetic on big integers.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from itertools import compress
from struct import pack
from typing import NamedTuple

from kdiag.parse.btf.header import Header
from kdiag.parse.btf.kinds import (
    MAX_FUNC_LINKAGE,
    MAX_TYPE,
    SHAPES,
    BtfError,
    Kind,
    Shape,
    info_kind,
    info_vlen,
)

CHUNK = 8192  # words in one big integer: the time is the same from 4k to 64k
LANE_MAX = 0x7FFFFFFF  # the greatest possible limit of a word, also libbpf's of type ids and name offsets

_KIND_OF_HIGH_BYTE = bytes(byte & 0x7F for byte in range(256))
_FUNC_PROTO = bytes((Kind.FUNC_PROTO,))
_IS_FUNC = bytes(byte == Kind.FUNC for byte in range(256))


class Space(NamedTuple):
    """What references may refer to besides the section's own types.

    `base_kinds` are the kinds of the base's types by id, or only the 0 of void; name offsets, the base's
    and the own, are below `names_end`.
    """

    base_kinds: bytes
    names_end: int
    split: bool


class Records(NamedTuple):
    """The section's words in native byte order; where the info word of each type is in them; its kind."""

    words: array[int]
    infos_at: array[int]
    kinds: bytes


class _Section(NamedTuple):
    words: array[int]
    header: Header
    space: Space
    lazy: bool = False

    def error(self, nth: int, index: int, what: str) -> BtfError:
        """That something is wrong with the nth own type in the word at `index`."""
        return BtfError(f"type {len(self.space.base_kinds) + nth} {what}", self.header.types[0] + 4 * index)


def read_records(data: bytes, header: Header, space: Space, *, lazy: bool = False) -> Records:
    """Find and check all records, in time and memory proportional to the section's length. lazy: only find them."""
    begin, end = header.types
    words = array("I")
    words.frombytes(memoryview(data)[begin:end])  # a copy: `data` need not be aligned
    if header.byteorder != sys.byteorder:
        words.byteswap()
    section = _Section(words, header, space, lazy)
    infos_at, infos, shapes = _walk(section)
    if len(section.space.base_kinds) + len(infos) - 1 > MAX_TYPE:
        raise section.error(
            MAX_TYPE + 1 - len(section.space.base_kinds), 0, "is more than the kernel can have"
        )
    high_bytes = infos.tobytes()[3 if sys.byteorder == "little" else 0 :: 4]
    kinds = high_bytes.translate(_KIND_OF_HIGH_BYTE)
    if not lazy:
        _check_references(section, infos_at, infos, shapes)
        _check_functions(section, infos_at, kinds)
    return Records(words, infos_at, kinds)


def _walk(section: _Section) -> tuple[array[int], array[int], dict[int, Shape]]:
    """The index of every record's info word, the info words, and the shapes by info word. (As lists they would take
    9 MB for vmlinux, more than all else.)
    """
    words = section.words
    infos_at, infos = array("I"), array("I")
    add_at, add_info = infos_at.append, infos.append
    shapes: dict[int, Shape] = {}
    steps: dict[int, int] = {}
    at = 1
    while True:
        try:
            while True:  # the hot loop; the ways out of it cost nothing until they are taken
                info = words[at]
                step = steps[info]
                add_info(info)
                add_at(at)
                at += step
        except KeyError:
            shapes[info] = shape = _shape(section, len(infos_at), at)
            steps[info] = len(shape.fixed) + info_vlen(info) * len(shape.element)
        except IndexError:
            break
    end = len(words) + 1
    if at < end:
        raise section.error(len(infos_at), at - 1, "is truncated: 4 bytes, less than any record has")
    if at > end:
        last = infos_at[-1]
        what = f"needs {4 * (at - last)} bytes, but the type section ends after {4 * (end - last)}"
        raise section.error(len(infos_at) - 1, last - 1, what)
    return infos_at, infos, shapes


def _shape(section: _Section, nth: int, at: int) -> Shape:
    kind, vlen = info_kind(section.words[at]), info_vlen(section.words[at])
    shape = SHAPES.get(kind)
    if shape is None:
        layouts = section.header.layouts or ()
        shape = layouts[kind] if 0 < kind < len(layouts) else None
        if shape is None:
            raise section.error(nth, at, f"has the unknown kind {kind}")
    elif not shape.element and not section.lazy and vlen > (MAX_FUNC_LINKAGE if kind == Kind.FUNC else 0):
        raise section.error(nth, at, f"is a {Kind(kind).name} and cannot have a vlen of {vlen}")
    return shape


def _check_references(
    section: _Section, infos_at: array[int], infos: array[int], shapes: dict[int, Shape]
) -> None:
    """That all type ids and name offsets are in range."""
    words, limits, tops = section.words, _limits(section, len(infos), shapes), _tops(2 * CHUNK)
    begin = 0
    while begin < len(infos):
        start = infos_at[begin] - 1
        end = bisect_left(infos_at, start + 1 + CHUNK, begin)
        stop = infos_at[end] - 1 if end < len(infos) else len(words)
        most = int.from_bytes(b"".join(map(limits.__getitem__, infos[begin:end])), sys.byteorder)
        values = int.from_bytes(words[start:stop].tobytes(), sys.byteorder)
        if _exceeds(values, most, tops if stop - start <= 2 * CHUNK else _tops(stop - start)):
            raise _first_exceeding(section, infos_at, range(begin, end), shapes)
        begin = end


def _limits(section: _Section, count: int, shapes: dict[int, Shape]) -> dict[int, bytes]:
    """By info word, the greatest values the words of a record may have: all ones where any will do."""
    lanes = {
        **dict.fromkeys("ion", pack("=I", min(section.space.names_end - 1, LANE_MAX))),
        "0": bytes(4),
        "t": pack("=I", min(len(section.space.base_kinds) + count - 1, LANE_MAX)),
        ".": b"\xff\xff\xff\xff",
    }
    fixed = {shape: b"".join(map(lanes.__getitem__, shape.fixed)) for shape in set(shapes.values())}
    element = {shape: b"".join(map(lanes.__getitem__, shape.element)) for shape in fixed}
    return {info: fixed[shape] + element[shape] * info_vlen(info) for info, shape in shapes.items()}


def _tops(lanes: int) -> int:
    """The top bit of each of so many 32-bit lanes."""
    return int.from_bytes(b"\0\0\0\x80" * lanes, "little")


def _exceeds(values: int, limits: int, tops: int) -> bool:
    """Whether any 32-bit lane of `values` is greater than that of `limits`: below 2**31, or all ones.

    With the limit's top bit set and the value's cleared, subtracting borrows from no other lane, and the
    top bit stays set just where the low 31 bits of the value are within the limit. A value's own top bit
    is too much where the limit has none. `tops` may have more lanes: they compare zero with zero.
    """
    values_top = values & tops
    differences = (limits | tops) - (values ^ values_top)
    return bool(differences & tops != tops or values_top & (limits ^ tops))


def _first_exceeding(
    section: _Section, infos_at: array[int], suspects: range, shapes: dict[int, Shape]
) -> BtfError:
    """The error for the first reference out of range, which is in one of these types."""
    names_end, last_type = section.space.names_end, len(section.space.base_kinds) + len(infos_at) - 1
    hint = "" if section.space.split else "; split BTF (of a kernel module) needs its base (vmlinux) BTF"
    for nth in suspects:
        at = infos_at[nth]
        info = section.words[at]
        letters = shapes[info].fixed + shapes[info].element * info_vlen(info)
        for index, letter in enumerate(letters, at - 1):
            word = section.words[index]
            if letter == "0" and word:
                return section.error(nth, index, f"has a {word} where there must be 0")
            if letter in "ion" and word >= names_end:
                what = f"has a name at {word}, but the strings end at {names_end}{hint}"
                return section.error(nth, index, what)
            if letter == "t" and word > last_type:
                return section.error(nth, index, f"refers to type {word}, but the last is {last_type}{hint}")
    raise AssertionError("a reference was out of range, and is not")


def _check_functions(section: _Section, infos_at: array[int], kinds: bytes) -> None:
    """That every FUNC refers to a FUNC_PROTO: the kernel and libbpf since 1.3.0 refuse other BTF."""
    words, all_kinds = section.words, section.space.base_kinds + kinds
    after = memoryview(words)[1:]  # the word after an info word has the info word's index in it
    types = map(after.__getitem__, compress(infos_at, kinds.translate(_IS_FUNC)))
    if not bytes(map(all_kinds.__getitem__, types)).strip(_FUNC_PROTO):
        return
    for nth, at in enumerate(infos_at):
        if kinds[nth] == Kind.FUNC and all_kinds[words[at + 1]] != Kind.FUNC_PROTO:
            raise section.error(nth, at + 1, f"is a FUNC of type {words[at + 1]}, which is no FUNC_PROTO")
