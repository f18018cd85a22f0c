"""Reading BPF objects: what is in them, and that damaged ones end in an error with a place, in bounded work."""

from __future__ import annotations

import contextlib
import random
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.parse.bpf.btf_ext import CoreKind
from kdiag.parse.bpf.core.names import by_name, essential
from kdiag.parse.bpf.core.resolve import Kernel, resolve
from kdiag.parse.bpf.embedded import find
from kdiag.parse.bpf.image import Image
from kdiag.parse.bpf.instructions import Instruction
from kdiag.parse.bpf.linked import Linked
from kdiag.parse.bpf.read import Object, read
from kdiag.parse.btf import BtfError, parse
from kdiag.parse.btf.graph import Graph
from kdiag.parse.errors import ParseError
from tests.support.steps import calls, linear

OBJECTS = Path(__file__).parents[1] / "explain" / "objects"
SHIPPED = Path(__file__).parents[2] / "kdiag" / "smoke" / "objects"
EVERY = sorted((*OBJECTS.glob("*.bpf.o"), *SHIPPED.glob("*.bpf.o")))
KERNEL = Graph(parse((OBJECTS / "kernel.btf").read_bytes(), lazy=True))
CHANGED = Graph(parse((OBJECTS / "changed.btf").read_bytes(), lazy=True))


def through(data: bytes) -> Object:
    """All that kdiag does with an object's bytes."""
    found = read(data)
    if found.graph is not None:
        for one in resolve(found.graph, found.relocations, Kernel(CHANGED), big=False):
            str(one.local.describe() if one.local else one.error)
    linked = Linked(found, {}, constants=True)
    for program in found.programs[:50]:
        linked.parts(program)
        linked.reach(program)
    return found


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.name)
def test_an_object_is_read(path: Path) -> None:
    found = through(path.read_bytes())
    assert [one.name for one in found.programs] and found.license and found.graph
    assert all(found.function_at(one.section, one.instruction) for one in found.relocations)


def test_what_is_in_an_object() -> None:
    found = read((OBJECTS / "plain.bpf.o").read_bytes())
    (program,) = found.programs
    assert (program.name, program.section, sorted(program.helpers())) == (
        "program",
        "kprobe/do_thing",
        [2, 113],
    )
    table = found.maps[0]
    assert (table.name, table.kind, table.key_size, table.value_size, table.max_entries) == (
        "table",
        1,
        4,
        8,
        16,
    )
    assert found.license == "GPL"


def test_maps_of_old() -> None:
    """`maps` sections, which libbpf read until 1.0: a string table, the numbers, a symbol for each."""
    names = b"\0.maps\0maps\0first\0second\0"
    numbers = struct.pack("<10I", 1, 4, 8, 100, 0, 2, 4, 4, 1, 1)
    symbols = b"".join(
        struct.pack("<IBBHQQ", names.index(name), 0x11, 0, 2, at, 20)
        for name, at in ((b"first\0", 0), (b"second\0", 20))
    )
    sections = [(0, b""), (3, names), (1, numbers), (2, symbols)]
    at, headers, body = 64, b"", b""
    for nth, (kind, data) in enumerate(sections):
        name = {1: 1, 2: names.index(b"maps\0", 3), 3: 1}.get(nth, 0)
        headers += struct.pack("<IIQQQQIIQQ", name, kind, 0, 0, at + len(body), len(data), 1, 0, 1, 0)
        body += data
    head = b"\x7fELF\2\1\1".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 1, 247, 1, 0, 0, at + len(body), 0, 64, 0, 0, 64, 4, 1
    )
    found = read(head + body + headers)
    assert [(one.name, one.kind, one.max_entries, one.section) for one in found.maps] == [
        ("first", 1, 100, "maps"),
        ("second", 2, 1, "maps"),
    ]


def test_every_kind_of_relocation_has_its_number() -> None:
    """As BTF of the changed kernel says; what BPF_CORE_READ_BITFIELD_PROBED and the others of libbpf's header ask."""
    found = read((OBJECTS / "kinds.bpf.o").read_bytes())
    assert found.graph is not None
    resolved = resolve(found.graph, found.relocations, Kernel(CHANGED), big=False)
    here = {(one.kind.name, one.local.describe()): one.here.number for one in resolved if one.local}
    size = CHANGED.size(by_name(CHANGED.btf, {"thing"})["thing"][0])
    assert here["FIELD_BYTE_OFFSET", "thing.flag"] == 28
    assert here["FIELD_BYTE_SIZE", "thing.flag"] == 4
    assert here["FIELD_LSHIFT_U64", "thing.flag"] == 64 - 7
    assert here["FIELD_RSHIFT_U64", "thing.flag"] == 64 - 2
    assert here["FIELD_SIGNED", "thing.flag"] == 0
    assert here["FIELD_BYTE_SIZE", "thing.widened"] == 4
    assert (here["TYPE_EXISTS", "thing"], here["TYPE_EXISTS", "absent"]) == (1, 0)
    assert here["TYPE_SIZE", "thing"] == size
    assert here["TYPE_ID_TARGET", "thing"] == by_name(CHANGED.btf, {"thing"})["thing"][0]
    assert here["TYPE_ID_LOCAL", "thing"] == next(
        one.relocation.type_id for one in resolved if one.kind is CoreKind.TYPE_ID_LOCAL
    )
    assert (here["ENUMVAL_EXISTS", "colour.BLUE"], here["ENUMVAL_VALUE", "colour.GREEN"]) == (0, 20)
    assert (here["FIELD_EXISTS", "absent.any"], here["FIELD_EXISTS", "thing___old.former"]) == (0, 1)


@pytest.mark.parametrize(("kernel", "matches"), [(KERNEL, 1), (CHANGED, 0)], ids=["kernel", "changed"])
def test_types_that_match(kernel: Graph, matches: int) -> None:
    """BPF_CORE_TYPE_MATCHES, which clang 14 does not make: in the place of questions whether a type exists."""
    found = read((OBJECTS / "kinds.bpf.o").read_bytes())
    assert found.graph is not None
    asked = [one for one in found.relocations if one.kind == CoreKind.TYPE_EXISTS]
    resolved = resolve(
        found.graph, [one._replace(kind=CoreKind.TYPE_MATCHES) for one in asked], Kernel(kernel), big=False
    )
    here = {one.local.describe(): one.here.number for one in resolved if one.local}
    assert (here["thing"], here["absent"], here["number_t"]) == (matches, 0, 1)


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("thing___old", "thing"),
        ("a___b___c", "a___b"),
        ("a____b", "a____b"),
        ("___x", "___x"),
        ("a___", "a___"),
    ],
)
def test_flavours(name: str, short: str) -> None:
    assert essential(name) == short


def test_objects_are_found_in_programs() -> None:
    one, other = (path.read_bytes() for path in EVERY[:2])
    shell = b"\x7fELF\2\1\1" + b"\0" * 9 + b"\2\0\x3e\0" + b"\x7fELF" * 3 + b"y" * 77
    found = find(shell + one + b"z" * 5 + other + one[:80])
    assert [(part.at, part.data) for part in found] == [
        (len(shell), one),
        (len(shell) + len(one) + 5, other),
    ]
    assert find(b"\x7fELF" * 100_000) == ()


@pytest.mark.parametrize("path", EVERY[:3], ids=lambda path: path.name)
def test_a_truncated_object_is_an_error_with_a_place(path: Path) -> None:
    data = path.read_bytes()
    for size in range(0, len(data) - 1, 37):
        with pytest.raises(ParseError):
            through(data[:size])


@given(st.randoms(use_true_random=False), st.sampled_from(EVERY))
@settings(deadline=None, max_examples=300)
def test_a_damaged_object_is_read_or_refused(dice: random.Random, path: Path) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(dice.randrange(1, 12)):
        at = dice.randrange(len(data))
        if dice.random() < 0.5:
            data[at] = dice.randrange(256)
        else:
            word = struct.pack("<I", dice.choice((0, 1, 0xFFFFFFFF, 0x7FFFFFFF, dice.getrandbits(32))))
            data[at : at + 4] = word[: len(data) - at]
    try:
        through(bytes(data))
    except ParseError as error:
        assert str(error)


@pytest.mark.parametrize("registers", [0xF0, 0x0F, 0xFF, 0xB1, 0x1B])
@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.name)
def test_registers_that_there_are_not_are_no_places_in_memory(path: Path, registers: int) -> None:
    """In each instruction of each program, one after the other: 16 fit into it, and r10 is the last that there is."""
    data = path.read_bytes()
    for section in {one.section for one in read(data).programs}:
        at, size = _section(data, section)
        for nth in range(at, at + size, 8):
            changed = bytearray(data)
            changed[nth + 1] = registers
            with contextlib.suppress(ParseError):
                through(bytes(changed))


def _section(data: bytes, name: str) -> tuple[int, int]:
    found = Image(data).named(name)
    assert found is not None
    return found.at, found.size


@pytest.mark.parametrize(
    ("place", "value", "why"),
    [
        (4, 0xFFFFFFF0, "a header of 4294967280 bytes"),
        (24, 0xFFFFFF00, "relocations at"),
        (28, 0xFFFFFF00, "relocations at"),
    ],
)
def test_wild_offsets_of_relocations(place: int, value: int, why: str) -> None:
    data = bytearray((OBJECTS / "plain.bpf.o").read_bytes())
    at, _ = _section(bytes(data), ".BTF.ext")
    data[at + place : at + place + 4] = struct.pack("<I", value)
    with pytest.raises(ParseError, match=why) as caught:
        read(bytes(data))
    assert caught.value.offset is not None and at <= caught.value.offset < at + 64


def test_types_that_refer_to_themselves_are_refused_when_they_are_followed() -> None:
    """Every type of the object refers to itself: no walk goes on without end."""
    data = bytearray((OBJECTS / "plain.bpf.o").read_bytes())
    at, size = _section(bytes(data), ".BTF")
    for word in range(at + 24, at + size - 4, 4):
        changed = bytearray(data)
        changed[word : word + 4] = struct.pack("<I", 7)
        try:
            through(bytes(changed))
        except (ParseError, BtfError):
            continue


def test_a_loop_ends() -> None:
    """A program of nothing but branches to all places: the number of states is bounded."""
    data = bytearray((OBJECTS / "plain.bpf.o").read_bytes())
    (program,) = read(bytes(data)).programs
    at, _ = _section(bytes(data), program.section)
    for nth in range(len(program.code)):
        if nth not in program.symbols and nth - 1 not in program.symbols:
            back = -(nth % 7) - 1
            data[at + nth * 8 : at + nth * 8 + 8] = struct.pack(
                "<BBhi", 0x15 if nth % 2 else 0x07, nth % 10, back if nth % 2 else 0, 1
            )
    try:
        found = read(bytes(data))
    except ParseError:
        pytest.fail("instructions alone make no object unreadable")
    reach = Linked(found, {}, constants=True).reach(found.programs[0])
    assert reach.reached


def test_many_relocations_are_linear_work() -> None:
    """The members of a struct are looked for once, and the same question is asked once."""
    found = read((OBJECTS / "plain.bpf.o").read_bytes())
    assert found.graph is not None
    graph, one = found.graph, found.relocations[0]
    members = len(graph.members(graph.plain(one.type_id)))

    def work(size: int) -> int:
        many = [one._replace(access=f"{nth // members}:{nth % members}") for nth in range(size)]
        return calls(lambda: resolve(graph, many, Kernel(CHANGED), big=False))

    linear(work, 2000)
    same = [one] * 4000
    assert calls(lambda: resolve(graph, same, Kernel(CHANGED), big=False)) < 10 * len(same)


def test_branches_are_bounded_work() -> None:
    """States double at each branch; only a few of each instruction are followed."""
    image = (OBJECTS / "plain.bpf.o").read_bytes()
    (program,) = read(image).programs

    def work(size: int) -> int:
        # r1 += 1 or not, again and again: 2 ** size ways through
        pairs = [Instruction(0x15, 2, 0, 1, 5), Instruction(0x07, 1, 0, 0, 1)] * size
        code = (Instruction(0xB7, 1, 0, 0, 0), *pairs, Instruction(0x95, 0, 0, 0, 0))
        found = read(image)._replace(functions=(program._replace(code=code, symbols={}),))
        return calls(lambda: Linked(found, {}, constants=True).reach(found.functions[0]))

    linear(work, 200)
