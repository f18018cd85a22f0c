"""A tiny BTF encoder for tests, and a sample with every kind in it."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import pytest

from kdiag.parse.btf import BtfError, Kind, parse
from kdiag.parse.btf.value import Btf


class Name(NamedTuple):
    """A word that is the offset of this name."""

    text: str


class Ref(NamedTuple):
    """A word that is a type id."""

    type_id: int


Word = int | Name | Ref
Words = list[Word]


def record(kind: int, name: str, size_or_type: Word, *rest: Word, vlen: int = 0, flag: int = 0) -> Words:
    return [Name(name), flag << 31 | kind << 24 | vlen, size_or_type, *rest]


def composite(kind: Kind, name: str, *members: tuple[str, int, int], flag: int = 0, size: int = 32) -> Words:
    """A STRUCT or UNION with members of (name, type id, offset)."""
    words: Words = []
    for member, type_id, offset in members:
        words += [Name(member), Ref(type_id), offset]
    return record(kind, name, size, *words, vlen=len(members), flag=flag)


@dataclass
class Encoder:
    """Words of a type section, and the string section that goes with them."""

    words: Words = field(default_factory=list)
    strings: bytes = b"\0"
    names_from: int = 0

    def add(self, *records: Words) -> Encoder:
        for one in records:
            self.words += one
        return self

    def plain_words(self) -> list[int]:
        return [self._plain(word) for word in self.words]

    def _plain(self, word: Word) -> int:
        if isinstance(word, Ref):
            return word.type_id
        return self._offset_of(word.text) if isinstance(word, Name) else word

    def _offset_of(self, name: str) -> int:
        if not name:
            return 0
        at = (b"\0" + self.strings).find(b"\0" + name.encode() + b"\0")
        if at < 0:
            at = len(self.strings)
            self.strings += name.encode() + b"\0"
        return at + self.names_from

    def types(self, order: str = "<") -> bytes:
        return pack(self.plain_words(), order)

    def encode(self, order: str = "<") -> bytes:
        types = self.types(order)  # first: it fills the strings
        return assemble(types, self.strings, order)


def pack(words: Sequence[int], order: str = "<") -> bytes:
    return struct.pack(f"{order}{len(words)}I", *words)


def assemble(types: bytes, strings: bytes, order: str = "<", **header: int) -> bytes:
    """A header, with these fields where they are to be other than right, and the two sections."""
    fields = {
        "magic": 0xEB9F,
        "version": 1,
        "flags": 0,
        "hdr_len": 24,
        "type_off": 0,
        "type_len": len(types),
        "str_off": len(types),
        "str_len": len(strings),
    }
    assert header.keys() <= fields.keys()
    return struct.pack(order + "HBB5I", *(fields | header).values()) + types + strings


# One of each kind and another STRUCT; the comments are the type ids.
SAMPLE_RECORDS = [
    record(Kind.INT, "int", 4, 0x01000020),  # 1
    record(Kind.PTR, "", Ref(4)),  # 2
    record(Kind.ARRAY, "", 0, Ref(1), Ref(1), 4),  # 3
    composite(Kind.STRUCT, "task_struct", ("comm", 3, 0), ("pid", 1, 128), ("", 5, 160)),  # 4
    composite(Kind.UNION, "", ("flags", 1, 4 << 24), ("next", 2, 0), flag=1, size=8),  # 5
    record(Kind.ENUM, "colour", 4, Name("RED"), 0, Name("BLUE"), 0xFFFFFFFF, vlen=2),  # 6
    record(Kind.FWD, "elsewhere", 0, flag=1),  # 7
    record(Kind.TYPEDEF, "pid_t", Ref(1)),  # 8
    record(Kind.VOLATILE, "", Ref(1)),  # 9
    record(Kind.CONST, "", Ref(0)),  # 10
    record(Kind.RESTRICT, "", Ref(2)),  # 11
    record(Kind.FUNC, "do_exit", Ref(13), vlen=1),  # 12
    record(Kind.FUNC_PROTO, "", Ref(0), Name("code"), Ref(1), Name(""), Ref(0), vlen=2),  # 13
    record(Kind.VAR, "jiffies", Ref(1), 1),  # 14
    record(Kind.DATASEC, ".data", 8, Ref(14), 0, 8, vlen=1),  # 15
    record(Kind.FLOAT, "double", 8),  # 16
    record(Kind.DECL_TAG, "bpf_kfunc", Ref(12), 0xFFFFFFFF),  # 17
    record(Kind.TYPE_TAG, "rcu", Ref(4)),  # 18
    record(Kind.ENUM64, "wide", 8, Name("LOW"), 1, 0, Name("HIGH"), 0, 0x80000000, vlen=2),  # 19
    composite(Kind.STRUCT, "empty"),  # 20
]
SAMPLE = Encoder().add(*SAMPLE_RECORDS)
SAMPLE_BYTES = SAMPLE.encode()


def fails(data: bytes, base: Btf | None = None) -> BtfError:
    """The error that reading must end in."""
    with pytest.raises(BtfError) as caught:
        parse(data, base=base)
    return caught.value
