"""BTF that the kernel would refuse is refused, nothing else is, and the work for it grows with its size."""

from __future__ import annotations

import struct
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from btf_mutations import kernel_takes, variation, whole
from btf_verdicts import ACCEPTED, COUNT

from kdiag.parse.btf import BtfError, Kind, parse
from kdiag.parse.btf.value import Btf
from tests.support.btf_encoder import (
    SAMPLE_BYTES,
    Encoder,
    Name,
    Ref,
    Words,
    assemble,
    composite,
    fails,
    pack,
    record,
)

INT = record(Kind.INT, "int", 4, 0x01000020)
ITSELF = "is part of itself"


def encoded(*records: Words, order: str = "<") -> bytes:
    return Encoder().add(*records).encode(order)


def refusal(data: bytes, base: Btf | None = None) -> str:
    """What is wrong with it, "" if nothing."""
    try:
        parse(data, base=base)
    except BtfError as error:
        assert error.offset is not None
        assert 0 <= error.offset < len(data)
        return error.message
    return ""


def struct_of(name: str, member: int, offset: int = 0, size: int = 8, flag: int = 0) -> Words:
    return composite(Kind.STRUCT, name, ("m", member, offset), size=size, flag=flag)


# --- circles ------------------------------------------------------------------------------------------

CIRCLES = {
    "typedef": [record(Kind.TYPEDEF, "a", Ref(2)), record(Kind.TYPEDEF, "b", Ref(1))],
    "const": [record(Kind.CONST, "", Ref(2)), record(Kind.CONST, "", Ref(1))],
    "a modifier of itself": [record(Kind.VOLATILE, "", Ref(1))],
    "type tag": [record(Kind.TYPE_TAG, "t", Ref(2)), record(Kind.TYPE_TAG, "t", Ref(1))],
    "pointer to itself": [record(Kind.PTR, "", Ref(1))],
    "pointers through const": [record(Kind.PTR, "", Ref(2)), record(Kind.CONST, "", Ref(1))],
    "array of itself": [record(Kind.ARRAY, "", 0, Ref(1), Ref(2), 4), INT],
    "array indexed by itself": [INT, record(Kind.ARRAY, "", 0, Ref(1), Ref(2), 4)],
    "struct in itself": [struct_of("s", 1)],
    "structs in each other": [struct_of("s", 2), struct_of("t", 1)],
    "union in a typedef of itself": [
        composite(Kind.UNION, "u", ("m", 2, 0)),
        record(Kind.TYPEDEF, "t", Ref(1)),
    ],
    "struct with none of itself": [INT, record(Kind.ARRAY, "", 0, Ref(3), Ref(1), 0), struct_of("s", 2)],
    # Linux 6.18 accepts these two: it resolved the const for a pointer, and looks no further afterwards.
    "const struct in itself": [
        record(Kind.PTR, "", Ref(2)),
        record(Kind.CONST, "", Ref(3)),
        struct_of("s", 2),
    ],
    "const array of itself": [
        *(record(Kind.PTR, "", Ref(2)), record(Kind.CONST, "", Ref(3))),
        *(record(Kind.ARRAY, "", 0, Ref(2), Ref(4), 1), INT),
    ],
}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("records", CIRCLES.values(), ids=CIRCLES.keys())
def test_no_type_is_part_of_itself(records: list[Words], order: str) -> None:
    assert ITSELF in refusal(encoded(*records, order=order))


def test_circles_that_are_none() -> None:
    """A struct that points to itself, functions that take pointers to themselves."""
    assert not refusal(encoded(record(Kind.PTR, "", Ref(2)), struct_of("s", 1)))
    assert not refusal(
        encoded(record(Kind.TYPEDEF, "t", Ref(3)), record(Kind.PTR, "", Ref(1)), struct_of("s", 2))
    )
    prototype = record(Kind.FUNC_PROTO, "", Ref(0), Name("f"), Ref(2), vlen=1)
    assert not refusal(encoded(prototype, record(Kind.PTR, "", Ref(1))))


def test_a_circle_in_split_btf() -> None:
    base = parse(SAMPLE_BYTES)
    own = Encoder(strings=b"", names_from=base.names_end)
    assert ITSELF in refusal(
        own.add(record(Kind.PTR, "", Ref(22)), record(Kind.CONST, "", Ref(21))).encode(), base
    )


# --- depth --------------------------------------------------------------------------------------------


def chain(length: int, link: Callable[[int], Words], *, forward: bool) -> list[Words]:
    """An INT, then so many types each of the next, the last of the INT; or each of the one before."""
    ids = range(2, length + 2)
    return [INT, *(link((i + 1 if i < length + 1 else 1) if forward else i - 1) for i in ids)]


LINKS: dict[str, Callable[[int], Words]] = {
    "pointers": lambda target: record(Kind.PTR, "", Ref(target)),
    "typedefs": lambda target: record(Kind.TYPEDEF, "t", Ref(target)),
    "arrays": lambda target: record(Kind.ARRAY, "", 0, Ref(target), Ref(1), 1),
    "structs": lambda target: struct_of("s", target),
}


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS.keys())
def test_32_types_may_wait_for_each_other_and_no_more(link: Callable[[int], Words]) -> None:
    assert not refusal(encoded(*chain(32, link, forward=True)))
    assert "more than 32" in refusal(encoded(*chain(33, link, forward=True)))


def test_what_is_resolved_already_is_not_waited_for() -> None:
    for name in ("pointers", "typedefs", "structs"):
        assert not refusal(encoded(*chain(500, LINKS[name], forward=False))), name


def test_a_chain_of_modifiers_ends_even_if_it_was_resolved_piece_by_piece() -> None:
    """A pointer to the middle lets the second half be resolved first; btf_check_type_tags() counts them all."""
    for last, said in ((33, ""), (34, "type 2 begins a chain of more than 32 modifiers")):
        links = [record(Kind.CONST, "", Ref(type_id + 1)) for type_id in range(2, last + 1)]
        assert refusal(encoded(record(Kind.PTR, "", Ref(20)), *links, INT)) == said


# --- what the kernel demands of each kind -------------------------------------------------------------

PROTO = record(Kind.FUNC_PROTO, "", Ref(0))
RULES = {
    "the kind flag": [record(Kind.INT, "i", 4, 32, flag=1)],
    "4 bytes with the data 0x21": [record(Kind.INT, "i", 4, 33)],
    "with the data 0x3000020": [record(Kind.INT, "i", 4, 0x03000020)],
    "with the data 0x10000020": [record(Kind.INT, "i", 4, 0x10000020)],
    "FLOAT and has 3": [record(Kind.FLOAT, "f", 3)],
    "ENUM and has 3": [record(Kind.ENUM, "e", 3)],
    "ENUM64 and has 16": [record(Kind.ENUM64, "e", 16)],
    "no identifier": [record(Kind.TYPEDEF, "two words", Ref(0))],
    "identifier": [record(Kind.TYPEDEF, "1st", Ref(0))],
    "name that is": [record(Kind.TYPEDEF, "", Ref(0))],
    "that is no": [record(Kind.FWD, "x" * 513, 0)],
    "a name that is no": [record(Kind.ENUM, "e", 4, Name(""), 0, vlen=1)],
    "has a name that": [INT, composite(Kind.STRUCT, "s", ("a-b", 1, 0))],
    "section whose name": [record(Kind.DATASEC, "", 4)],
    "an empty section": [record(Kind.DATASEC, ".data", 0)],
    "tag without a name": [record(Kind.TYPE_TAG, "", Ref(0))],
    "VAR of linkage 2": [INT, record(Kind.VAR, "v", Ref(1), 2)],
    "VAR of type void": [record(Kind.VAR, "v", Ref(0), 1)],
    "of a negative part": [
        INT,
        record(Kind.TYPEDEF, "t", Ref(1)),
        record(Kind.DECL_TAG, "d", Ref(2), 0x80000000),
    ],
    "takes none": [INT, record(Kind.DECL_TAG, "d", Ref(1), 0xFFFFFFFF)],
    "part 0 of type 2": [INT, record(Kind.TYPEDEF, "t", Ref(1)), record(Kind.DECL_TAG, "d", Ref(2), 0)],
    "part 1 of type 2": [INT, struct_of("s", 1), record(Kind.DECL_TAG, "d", Ref(2), 1)],
    "modifiers before the type tag": [
        *(INT, record(Kind.TYPE_TAG, "t", Ref(1)), record(Kind.CONST, "", Ref(2))),
    ],
    "member of type 0": [struct_of("s", 0)],
    "member of type 1": [record(Kind.FWD, "f", 0), struct_of("s", 1)],
    "a member of type 2": [record(Kind.FWD, "f", 0), record(Kind.CONST, "", Ref(1)), struct_of("s", 2)],
    "ends beyond its 8": [INT, struct_of("s", 1, 40)],
    "at bit 72": [INT, struct_of("s", 1, 72)],
    "after 32": [INT, composite(Kind.STRUCT, "s", ("a", 1, 32), ("b", 1, 0))],
    "at bit 8, after 0": [INT, composite(Kind.UNION, "u", ("a", 1, 8))],
    "more than its integer": [INT, struct_of("s", 1, 33 << 24, 8, 1)],
    "its type has no bit-fields": [record(Kind.PTR, "", Ref(0)), struct_of("s", 1, 1 << 24, 8, 1)],
    "more than its enum": [record(Kind.ENUM, "e", 4), struct_of("s", 1, 33 << 24, 8, 1)],
    "where its type can": [record(Kind.PTR, "", Ref(0)), struct_of("s", 1, 1, 16)],
    "that does not begin": [record(Kind.FLOAT, "f", 4), struct_of("s", 1, 8)],
    "a bit-field itself": [record(Kind.INT, "i", 4, 5), struct_of("s", 1, 0, 8, 1)],
    "array with index of type 1": [
        record(Kind.PTR, "", Ref(0)),
        record(Kind.ARRAY, "", 0, Ref(1), Ref(1), 1),
    ],
    "elements of type 0": [INT, record(Kind.ARRAY, "", 0, Ref(0), Ref(1), 1)],
    "more than 4 GiB": [INT, record(Kind.ARRAY, "", 0, Ref(1), Ref(1), 0x40000000)],
    "type 1, a VAR": [record(Kind.VAR, "v", Ref(2), 1), INT, record(Kind.PTR, "", Ref(1))],
    "which is no variable": [INT, record(Kind.DATASEC, ".data", 4, Ref(1), 0, 4, vlen=1)],
    "too little room": [
        INT,
        record(Kind.VAR, "v", Ref(1), 1),
        record(Kind.DATASEC, "d", 4, Ref(2), 0, 2, vlen=1),
    ],
    "has a variable at 4-8": [
        INT,
        record(Kind.VAR, "v", Ref(1), 1),
        record(Kind.DATASEC, "d", 4, Ref(2), 4, 4, vlen=1),
    ],
    "parameter without a name": [
        *(INT, record(Kind.FUNC_PROTO, "", Ref(0), Name(""), Ref(1), vlen=1), record(Kind.FUNC, "f", Ref(2))),
    ],
    "no type but with a name": [record(Kind.FUNC_PROTO, "", Ref(0), Name("a"), Ref(0), vlen=1)],
    "takes or returns type 0": [
        *(INT, record(Kind.FUNC_PROTO, "", Ref(0), Name(""), Ref(0), Name("a"), Ref(1), vlen=2)),
    ],
    "takes or returns type 1": [record(Kind.FWD, "f", 0), record(Kind.FUNC_PROTO, "", Ref(1))],
    "or returns type 2": [PROTO, record(Kind.FUNC, "f", Ref(1)), record(Kind.FUNC_PROTO, "", Ref(2))],
}


@pytest.mark.parametrize(("says", "records"), RULES.items(), ids=RULES.keys())
def test_what_the_kernel_demands(says: str, records: list[Words]) -> None:
    for order in "<>":
        assert says in refusal(encoded(*records, order=order))


def test_what_it_does_not_demand() -> None:
    for records in (
        [record(Kind.INT, "long unsigned int", 8, 64), record(Kind.FLOAT, "long double", 16)],
        [record(Kind.FWD, "x" * 512, 0), record(Kind.FWD, "a.b_1", 0), record(Kind.DATASEC, ".data..x y", 4)],
        [record(Kind.TYPE_TAG, "address_space(1)", Ref(0), flag=1)],
        [record(Kind.PTR, "", Ref(2)), record(Kind.FUNC_PROTO, "", Ref(0), Name(""), Ref(0), vlen=1)],
    ):
        assert not refusal(encoded(*records))


def test_a_pointer_has_the_size_of_a_long() -> None:
    """A 32-bit kernel's BTF is not measured by a 64-bit kernel's pointers."""
    records = [
        record(Kind.INT, "long int", 4, 0x01000020),
        record(Kind.PTR, "", Ref(0)),
        struct_of("s", 2, 0, 4),
    ]
    assert not refusal(encoded(*records))
    assert "ends beyond its 4 bytes" in refusal(encoded(INT, *records[1:]))


def test_what_the_kernel_serves_is_not_judged_again() -> None:
    for records in (*CIRCLES.values(), *RULES.values()):
        assert parse(encoded(*records), served=True).resolution is None


def test_split_btf_is_judged_with_its_base() -> None:
    """In a struct of the base's types: room, names and what has no size are looked up there."""
    for base in (parse(SAMPLE_BYTES), parse(SAMPLE_BYTES, served=True)):

        def says(*records: Words, base: Btf = base) -> str:
            return refusal(Encoder(strings=b"", names_from=base.names_end).add(*records).encode(), base)

        assert not says(struct_of("own", 8, 32), record(Kind.FUNC, "f", Ref(13), vlen=1))
        assert "ends beyond its 8 bytes" in says(struct_of("own", 8, 40))
        assert "ends beyond its 8 bytes" in says(struct_of("own", 3))
        assert "has no size" in says(struct_of("own", 7))
        assert "part 3 of type 4" in says(record(Kind.DECL_TAG, "t", Ref(4), 3))
        assert not says(record(Kind.DECL_TAG, "t", Ref(4), 2))
        assert "no identifier" in says([base.names_end - 1, Kind.TYPEDEF << 24, 0])


# --- the kernel's own word ----------------------------------------------------------------------------


@pytest.mark.slow
def test_as_the_kernel_judges_so_do_we() -> None:
    """By its recorded verdicts; each is the same in the other byte order."""
    wrong = {}
    for nth in range(COUNT):
        words = variation(nth)
        said = refusal(whole(words))
        if (not said) != bool(ACCEPTED >> nth & 1) and ITSELF not in said:
            wrong[nth] = said
        if nth % 4 == 0:
            assert refusal(whole(words, ">")) == said
    assert not wrong
    assert 300 < ACCEPTED.bit_count() < COUNT - 300


@pytest.mark.slow
@pytest.mark.live
def test_the_running_kernel_judges_so_too() -> None:
    """Others than the recorded ones, where it may be asked, and judges as the recorded one. Older releases lack
    kinds and flags, newer ones may know more.
    """
    if sys.byteorder != "little":
        pytest.skip("the kernel reads BTF of its own byte order alone")
    try:
        same = all(kernel_takes(whole(variation(nth))) == bool(ACCEPTED >> nth & 1) for nth in range(COUNT))
    except PermissionError as reason:
        pytest.skip(f"may not ask: {reason}")
    if not same:
        pytest.skip("this kernel has other rules")
    wrong = {}
    for nth in range(COUNT, COUNT + 1000):
        data = whole(variation(nth))
        said = refusal(data)
        if kernel_takes(data) != (not said) and ITSELF not in said:
            wrong[nth] = said
    assert not wrong


@pytest.mark.slow
@pytest.mark.live
def test_the_running_kernels_own_btf_is_sound() -> None:
    path = Path("/sys/kernel/btf/vmlinux")
    try:
        data = path.read_bytes()
    except OSError as reason:
        pytest.skip(f"no vmlinux BTF here: {reason}")
    base = parse(data)
    for module in sorted(path.parent.iterdir(), key=lambda one: one.stat().st_size)[:3]:
        if module != path:
            assert parse(module.read_bytes(), base=base).resolution is not None


# --- the work -----------------------------------------------------------------------------------------


def steps(work: Callable[[], object]) -> int:
    """How many bytecodes it takes."""
    count = 0

    def trace(frame: FrameType, event: str, _arg: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def members(count: int, *types: Words, name: str = "") -> bytes:
    """A struct named s with so many members of type 2, then these types."""
    rows = [word for _ in range(count) for word in (Name(name), Ref(2), 0)]
    return encoded(record(Kind.STRUCT, "s", 8, *rows, vlen=count), *types)


def modifiers(count: int, last: Words) -> list[Words]:
    """Types 2 and on: so many modifiers of each other, then that."""
    return [*(record(Kind.CONST, "", Ref(i + 1)) for i in range(2, count + 2)), last]


def hostile() -> Iterator[tuple[str, Callable[[int], bytes]]]:
    yield "anonymous members behind modifiers", lambda n: members(n, *modifiers(25, struct_of("", 28)), INT)
    yield (
        "members to be resolved one by one",
        lambda n: encoded(
            record(Kind.STRUCT, "s", 8, *[w for i in range(n) for w in (Name("m"), Ref(i + 2), 0)], vlen=n),
            *(record(Kind.TYPEDEF, "t", Ref(n + 2)) for _ in range(n)),
            INT,
        ),
    )
    yield "backward chain of typedefs", lambda n: encoded(*chain(n, LINKS["typedefs"], forward=False))
    yield "backward chain of structs", lambda n: encoded(*chain(n, LINKS["structs"], forward=False))
    yield "forward chain of pointers", lambda n: encoded(*chain(n, LINKS["pointers"], forward=True))
    yield "circle of structs", lambda n: encoded(*(struct_of("s", i % n + 1) for i in range(1, n + 1)))
    yield (
        "circle of pointers",
        lambda n: encoded(*(record(Kind.PTR, "", Ref(i % n + 1)) for i in range(1, n + 1))),
    )
    yield (
        "the same string again and again",
        lambda n: assemble(pack([1, Kind.STRUCT << 24, 0] * n), b"\0s\0" + b"s\0" * n),
    )
    yield (
        "a name's offset everywhere",
        lambda n: assemble(
            pack([0, Kind.STRUCT << 24 | n, 8, *[0, 2, 1] * n, 0, Kind.INT << 24, 1, 1]), b"\0s\0"
        ),
    )
    yield (
        "long names that end alike",
        lambda n: assemble(
            pack([w for i in range(n) for w in (1 + i % 400, Kind.STRUCT << 24, 0)]),
            b"\0" + b"s" * 400 + b"\0",
        ),
    )


def read_and_ask(data: bytes) -> None:
    """What is done with a file of another, sound or not."""
    for served in (False, True):
        try:
            btf = parse(data, served=served)
        except BtfError:
            continue
        found = btf.find("s", {Kind.STRUCT})
        btf.find("s", {Kind.UNION})
        if found is not None:
            with suppress(BtfError):
                btf.members(found, flatten=True)


HOSTILE = dict(hostile())


@pytest.mark.slow
@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE.keys())
def test_twice_the_size_is_twice_the_work(make: Callable[[int], bytes]) -> None:
    once, twice = (steps(partial(read_and_ask, make(n))) for n in (400, 800))
    assert twice < 2.3 * once


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE.keys())
def test_memory_is_a_multiple_of_the_size(make: Callable[[int], bytes]) -> None:
    data = make(4000)
    tracemalloc.start()
    try:
        read_and_ask(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 30 * len(data) + 1_000_000


def test_more_than_the_kernel_can_have_is_refused_early() -> None:
    assert "takes 16777216" in fails(assemble(pack([0, Kind.PTR << 24, 0]), bytes((1 << 24) + 1))).message
    many = struct.pack("<III", 0, Kind.PTR << 24, 0) * 0x100000
    assert "more than the kernel can have" in fails(assemble(many, b"\0")).message
