"""BTF that nobody should have written is refused or read as a plain reader reads it, never anything else."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kdiag.parse.btf import BtfError, Kind, parse
from kdiag.parse.btf.value import Btf
from tests.support.btf_encoder import SAMPLE, SAMPLE_BYTES, assemble

VMLINUX = Path("/sys/kernel/btf/vmlinux")
BASE = parse(SAMPLE_BYTES)
NAMES = ["", "int", "task_struct", "comm", "do_exit", "wide", "t", "elsewhere", "\ufffd"]


def plainly_valid(
    data: bytes, base_types: int = 0, base_names: int = 0, base_protos: frozenset[int] = frozenset()
) -> bool:
    """Whether the records of BTF with an old header and no layout are in order, told one field at a time.

    It follows btf_parse_type_sec() and btf_validate_type() of libbpf:src/btf.c and, for what has to be zero, the
    *_check_meta() of the kernel's kernel/bpf/btf.c, and shares nothing with the reader that it is compared with.
    """
    order = "<" if data[:2] == b"\x9f\xeb" else ">"
    hdr_len, type_off, type_len, str_len = (
        struct.unpack_from(order + "I", data, at)[0] for at in (4, 8, 12, 20)
    )
    at, end = hdr_len + type_off, hdr_len + type_off + type_len
    names: list[int] = []
    types: list[int] = []
    functions: list[int] = []
    protos = set(base_protos)
    type_id = base_types

    def u32(where: int) -> int:
        return int(struct.unpack_from(order + "I", data, where)[0])

    while at < end:
        if at + 12 > end:
            return False
        type_id += 1
        name, info, target = u32(at), u32(at + 4), u32(at + 8)
        kind, vlen = info >> 24 & 127, info & 0xFFFFFF
        at += 12
        names.append(name)
        if kind in (2, 8, 9, 10, 11, 12, 13, 14, 17, 18):
            types.append(target)
        size = {1: 4, 3: 12, 14: 4, 17: 4}.get(kind, 0)
        each = {4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12}.get(kind, 0)
        if (
            not 1 <= kind <= 19
            or (not each and vlen > (1 if kind == 12 else 0))
            or at + size + vlen * each > end
            or (kind in (2, 3, 9, 10, 11, 13) and name)
            or (kind in (3, 7) and target)
        ):
            return False
        if kind == 12:
            functions.append(target)
        if kind == 13:
            protos.add(type_id)
        if kind == 3:
            types += [u32(at), u32(at + 4)]
        for element in range(at, at + vlen * each, each or 1):
            if kind != 15:
                names.append(u32(element))
            if kind in (4, 5, 13):
                types.append(u32(element + 4))
            if kind == 15:
                types.append(u32(element))
        at += size + vlen * each
    return (
        max(names, default=0) < base_names + str_len
        and max(types, default=0) <= type_id
        and protos.issuperset(functions)
    )


def try_everything(data: bytes, base: Btf | None = None) -> Btf | None:
    """Read, and ask whatever can be asked of what was read; None if it was refused."""
    try:
        btf = parse(data, base=base, served=True)
    except BtfError as error:
        assert error.message
        assert error.offset is not None
        assert 0 <= error.offset <= len(data)
        return None
    last = btf.first_id + btf.n_types - 1
    assert sum(btf.counts.values()) + sum(btf.unknown_counts.values()) == btf.n_types
    for name in NAMES:
        found = btf.find(name, set(Kind))
        assert found is None or btf.name(found) == name
    for type_id in {0, 1, last // 2, last, *range(max(last - 20, 1), last + 1)}:
        try:
            btf.kind(type_id)
            btf.name(type_id)
            btf.members(type_id)
            btf.members(type_id, flatten=True)
        except BtfError:
            pass
    return btf


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200))
@example(b"\x9f\xeb\1\0" + b"\xff" * 28)
@example(b"\xeb\x9f\1\0" + b"\xff" * 28)
def test_any_bytes(data: bytes) -> None:
    try_everything(data)


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(["<", ">"]),
    st.lists(st.one_of(st.integers(0, 40), st.integers(0, 2**32 - 1)), min_size=5, max_size=5),
    st.booleans(),
    st.binary(max_size=64),
)
def test_any_header(order: str, fields: list[int], split: bool, rest: bytes) -> None:
    head = struct.pack(order + "HBB5I", 0xEB9F, 1, 0, *fields)
    try_everything(head + rest, BASE if split and order == "<" else None)


_SMALL = st.integers(0, 24)
_INFO = st.builds(
    lambda kind, vlen, flag: flag << 31 | kind << 24 | vlen,
    st.integers(0, 20),
    st.sampled_from([0, 0, 0, 1, 2, 3, 0x10000]),
    st.integers(0, 1),
)
_WORDS = st.lists(st.one_of(_SMALL, _SMALL, _INFO, _INFO, st.integers(0, 2**32 - 1)), max_size=40)


@settings(deadline=None, max_examples=500)
@given(_WORDS, st.sampled_from(["<", ">"]), st.booleans())
def test_any_words_are_judged_as_by_a_plain_reader(words: list[int], order: str, split: bool) -> None:
    data = assemble(struct.pack(f"{order}{len(words)}I", *words), b"\0int\0task_struct\0comm\0", order)
    if split and order == "<":
        valid = plainly_valid(data, BASE.n_types, BASE.names_end, frozenset({13}))
        assert (try_everything(data, BASE) is not None) == valid
    else:
        assert (try_everything(data) is not None) == (bool(words) and plainly_valid(data))


class Copy(NamedTuple):
    """A few bytes of the data itself, from there."""

    source: int


Edit = tuple[int, bytes | Copy]


def edits(begin: int, end: int) -> st.SearchStrategy[list[Edit]]:
    """Changes of bytes, words and parts from `begin` to `end`, and how often in words' places."""
    places = st.one_of(
        st.integers(begin, end - 1), st.integers(0, (end - begin) // 4 - 1).map(lambda n: begin + 4 * n)
    )
    words = st.one_of(_SMALL, _INFO, st.integers(0, 600), st.sampled_from([2**31, 2**32 - 1]))
    contents = st.one_of(
        st.binary(min_size=1, max_size=1),
        words.map(lambda word: struct.pack("<I", word)),
        words.map(lambda word: struct.pack(">I", word)),
        places.map(Copy),
    )
    return st.lists(st.tuples(places, contents), min_size=1, max_size=4)


def edited(data: bytes, changes: list[Edit]) -> bytes:
    """The data so changed, as long as it was."""
    changed = bytearray(data)
    for at, content in changes:
        new = data[content.source : content.source + 12] if isinstance(content, Copy) else content
        room = min(len(new), len(data) - at)
        changed[at : at + room] = new[:room]
    return bytes(changed)


_TYPES_END = 24 + 4 * len(SAMPLE.words)


@settings(deadline=None, max_examples=500)
@given(st.sampled_from(["<", ">"]), edits(24, _TYPES_END))
def test_a_damaged_sample_is_judged_as_by_a_plain_reader(order: str, changes: list[Edit]) -> None:
    whole = SAMPLE.encode(order)
    data = edited(whole[:_TYPES_END], changes) + whole[_TYPES_END:]
    assert (try_everything(data) is not None) == plainly_valid(data)


@settings(deadline=None, max_examples=200)
@given(edits(0, len(SAMPLE_BYTES)), st.booleans())
def test_a_damaged_sample_with_its_header(changes: list[Edit], split: bool) -> None:
    try_everything(edited(SAMPLE_BYTES, changes), BASE if split else None)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_cut_off_sample_is_always_refused(order: str) -> None:
    whole = SAMPLE.encode(order)
    for length in range(len(whole)):
        assert try_everything(whole[:length]) is None


@pytest.fixture(scope="module")
def vmlinux() -> bytes:
    try:
        return VMLINUX.read_bytes()
    except OSError as reason:
        pytest.skip(f"no vmlinux BTF here: {reason}")


@pytest.mark.live
@settings(deadline=None, max_examples=15)
@given(st.data())
def test_damaged_vmlinux(vmlinux: bytes, draws: st.DataObject) -> None:
    try_everything(edited(vmlinux, draws.draw(edits(0, len(vmlinux)))))


@pytest.mark.live
@settings(deadline=None, max_examples=15)
@given(st.data())
def test_cut_off_vmlinux(vmlinux: bytes, draws: st.DataObject) -> None:
    assert try_everything(vmlinux[: draws.draw(st.integers(0, len(vmlinux) - 1))]) is None


@pytest.mark.live
def test_vmlinux_of_the_other_byte_order_reads_the_same(vmlinux: bytes) -> None:
    """All of vmlinux but its header's bytes and its strings is 32-bit words."""
    hdr_len, type_off, type_len = struct.unpack_from("=III", vmlinux, 4)
    begin = hdr_len + type_off
    words = struct.unpack_from(f"={type_len // 4}I", vmlinux, begin)
    here = parse(vmlinux, served=True)
    order = ">" if here.byteorder == "little" else "<"
    strings = vmlinux[here.string_section[0] : here.string_section[1]]
    there = parse(assemble(struct.pack(f"{order}{len(words)}I", *words), strings, order), served=True)
    assert there.byteorder != here.byteorder
    assert there.counts == here.counts
    task = here.find("task_struct", {Kind.STRUCT})
    assert task is not None
    assert there.find("task_struct", {Kind.STRUCT}) == task
    assert there.members(task, flatten=True) == here.members(task, flatten=True)
