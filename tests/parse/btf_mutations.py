"""Small BTF that the kernel accepts, with everything in it that it judges, and endless variations of it.

Every number comes from `random.Random.getrandbits`, which is the same in every Python: so the nth variation is, too.
"""

from __future__ import annotations

import ctypes
import errno
import os
import random
import struct
from typing import NamedTuple

from kdiag.parse.btf import Kind
from kdiag.system import syscalls
from tests.support.btf_encoder import Encoder, Name, Ref, Words, composite, pack, record

_NAMES = ("bad name", "1x", "a-b", "L" * 512, "M" * 513, "\xe9t\xe9", "\xd7")

SOUND_RECORDS: list[Words] = [
    record(Kind.INT, "int", 4, 0x01000020),  # 1
    record(Kind.PTR, "", Ref(4)),
    record(Kind.ARRAY, "", 0, Ref(1), Ref(1), 4),
    composite(
        Kind.STRUCT, "task_struct", ("pid", 1, 0), ("comm", 3, 32), ("a", 2, 192), ("b", 8, 256), size=40
    ),
    composite(Kind.UNION, "", ("a", 1, 5 << 24), ("b", 2, 0), flag=1, size=8),  # 5
    record(Kind.ENUM, "", 4, Name("RED"), 0, Name("BLUE"), 5, vlen=2),
    record(Kind.FWD, "elsewhere", 0),
    record(Kind.TYPEDEF, "pid_t", Ref(1)),
    record(Kind.VOLATILE, "", Ref(1)),
    record(Kind.CONST, "", Ref(0)),  # 10
    record(Kind.RESTRICT, "", Ref(2)),
    record(Kind.FUNC, "f", Ref(13), vlen=1),
    record(Kind.FUNC_PROTO, "", Ref(0), Name("a"), Ref(1), Name(""), Ref(0), vlen=2),
    record(Kind.VAR, "v", Ref(1), 1),
    record(Kind.DATASEC, ".data", 8, Ref(14), 0, 4, vlen=1),  # 15
    record(Kind.FLOAT, "double", 8),
    record(Kind.DECL_TAG, "tag", Ref(12), 0),
    record(Kind.DECL_TAG, "tag", Ref(4), 0xFFFFFFFF),
    record(Kind.TYPE_TAG, "rcu", Ref(4)),
    record(Kind.ENUM64, "wide", 8, Name("RED"), 1, 0, vlen=1),  # 20
    composite(Kind.STRUCT, "", ("a", 16, 0), ("b", 6, 64), ("v", 20, 128), size=24),
    record(Kind.PTR, "", Ref(10)),
    record(Kind.CONST, "", Ref(22)),
    record(Kind.PTR, "", Ref(13)),
    record(Kind.PTR, "", Ref(19)),  # 25
    record(Kind.TYPEDEF, "a", Ref(4)),
    record(Kind.CONST, "", Ref(26)),
    record(Kind.ARRAY, "", 0, Ref(27), Ref(1), 2),
    composite(Kind.STRUCT, "b", ("a", 28, 0), size=80),
    composite(
        Kind.STRUCT, "", ("a", 1, 3 << 24), ("b", 6, 5 << 24 | 3), ("v", 1, 1 << 24 | 8), flag=1, size=8
    ),  # 30
    record(Kind.FUNC_PROTO, "", Ref(29), Name("a"), Ref(26), Name("b"), Ref(5), vlen=2),
    record(Kind.PTR, "", Ref(31)),
    record(Kind.INT, "char", 1, 8),
    record(Kind.ARRAY, "", 0, Ref(33), Ref(1), 0),
    composite(Kind.UNION, "a", ("", 4, 0), ("", 29, 0), ("v", 34, 0), size=80),  # 35
]
_BPF_BTF_LOAD = 18
_SOUND = Encoder().add(*SOUND_RECORDS)
SOUND = _SOUND.plain_words()
_TYPES = len(SOUND_RECORDS)
STRINGS = _SOUND.strings + b"".join(name.encode("latin-1") + b"\0" for name in _NAMES)
_OFFSETS = [0, *(at + 1 for at in range(len(STRINGS) - 1) if not STRINGS[at])]
_NUMBERS = (
    *(0, 1, 2, 3, 4, 7, 8, 16, 24, 31, 32, 33, 63, 64, 65, 80, 127, 128, 255, 256),
    *(0xFFFF, 0xFFFFFF, 0x1000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF),
)


class _Dice(NamedTuple):
    random: random.Random

    def below(self, limit: int) -> int:
        return self.random.getrandbits(32) * limit >> 32

    def one(self, *choices: int) -> int:
        return choices[self.below(len(choices))]


def variation(nth: int) -> list[int]:
    """The words of the nth variation: two of three are the sound ones with a few changes, one is a web of types."""
    dice = _Dice(random.Random(nth))
    return _web(dice) if nth % 3 == 2 else _changed(dice)


def _changed(dice: _Dice) -> list[int]:
    words = list(SOUND)
    for _ in range(dice.one(1, 1, 1, 2, 2, 3)):
        if dice.below(4):
            at = dice.below(len(words))
            words[at] = _other(dice, words[at])
        else:
            words += _any(dice, dice.below(_TYPES + 4), _TYPES)
    return words


def _other(dice: _Dice, word: int) -> int:
    return (
        dice.below(_TYPES + 2),
        dice.below(_TYPES + 2),
        dice.one(*_NUMBERS),
        dice.one(*_OFFSETS),
        (word + dice.one(1, -1, 8, -8, 64, -64)) & 0xFFFFFFFF,
        word ^ 1 << dice.below(32),
        dice.below(2) << 31 | dice.below(21) << 24 | dice.one(0, 0, 1, 2, 3),
    )[dice.below(7)]


def _web(dice: _Dice) -> list[int]:
    """Types of few kinds, mostly each of the next or the last: long chains, and circles."""
    count, step = dice.one(3, 5, 8, 20, 45), dice.one(1, 1, -1)
    words, kinds = list(SOUND[:4]), [dice.below(20) for _ in range(dice.one(1, 2, 3, 5))]
    for type_id in range(2, count + 2):
        target = type_id + step if dice.below(20) else dice.below(count + 2)
        if not 0 < target < count + 2 or not dice.below(20):
            target = 1
        words += _any(dice, target, count, dice.one(*kinds))
    return words


def _any(dice: _Dice, target: int, count: int, choice: int = -1) -> list[int]:
    """A record that refers to `target`, nearly sound by itself."""
    name, other = _OFFSETS[4 + dice.below(6)], dice.below(count + 2)
    size = dice.one(8, 8, 64, 80)
    whole = dice.one(0, 1, 2, 0xFFFFFFFF)
    records: tuple[list[int], ...] = (
        [0, Kind.PTR << 24, target],
        [0, Kind.CONST << 24, target],
        [name, Kind.TYPEDEF << 24, target],
        [name, Kind.TYPE_TAG << 24, target],
        [0, Kind.ARRAY << 24, 0, target, dice.one(1, 1, 1, 8, other), dice.one(0, 1, 2, 0x40000000)],
        [name, Kind.STRUCT << 24 | 1, size, name, target, 0],
        [0, Kind.STRUCT << 24 | 2, size, 0, target, 0, name, other, dice.one(0, 64, 64 * 8)],
        [name, Kind.UNION << 24 | 2, size, 0, target, 0, name, dice.one(1, other), 0],
        [name, Kind.VAR << 24, target, 1],
        [name, Kind.DATASEC << 24 | 1, 64, target, 0, dice.one(4, 8, 64)],
        [name, Kind.DECL_TAG << 24, target, whole],
        [name, Kind.FUNC << 24 | 1, target],
        [
            0,
            Kind.FUNC_PROTO << 24 | 2,
            target,
            name,
            dice.one(1, other),
            dice.one(0, name),
            dice.one(0, other),
        ],
    )
    return records[(dice.below(len(records)) if choice < 0 else choice) % len(records)]


def whole(words: list[int], order: str = "<") -> bytes:
    """BTF with these words and the strings that they name."""
    types = pack(words, order)
    head = struct.pack(order + "HBB5I", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(STRINGS))
    return head + types + STRINGS


def kernel_takes(data: bytes) -> bool:
    """Whether bpf(BPF_BTF_LOAD) of the running kernel accepts BTF of its own byte order.

    Raises PermissionError if it may not be asked.
    """
    buffer = ctypes.create_string_buffer(data, len(data))
    result = syscalls.bpf(_BPF_BTF_LOAD, struct.pack("=QQI", ctypes.addressof(buffer), 0, len(data)))
    if result >= 0:
        os.close(result)
    elif result in (-errno.EPERM, -errno.ENOSYS):
        raise PermissionError("bpf(BPF_BTF_LOAD)")
    return result >= 0
