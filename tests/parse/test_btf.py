"""BTF: every kind, every reference, and every way in which a header or a record can lie."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kdiag.parse.btf import Kind, kind_needs_libbpf, kind_since_kernel, parse
from kdiag.parse.btf.header import read_header
from kdiag.parse.btf.records import CHUNK
from kdiag.parse.btf.value import Member
from kdiag.parse.errors import ParseError
from tests.support.btf_encoder import (
    SAMPLE,
    SAMPLE_BYTES,
    SAMPLE_RECORDS,
    Encoder,
    Name,
    Ref,
    assemble,
    fails,
    pack,
    record,
)


@pytest.mark.parametrize(("order", "byteorder"), [("<", "little"), (">", "big")])
def test_every_kind_in_both_byte_orders(order: str, byteorder: str) -> None:
    data = SAMPLE.encode(order)
    btf = parse(data)
    assert (btf.byteorder, btf.version, btf.size, btf.n_types) == (byteorder, 1, len(data), 20)
    assert {kind: n for kind, n in btf.counts.items() if n != 1} == {Kind.STRUCT: 2}
    assert (btf.highest_kind, btf.has_layout, dict(btf.unknown_counts)) == (Kind.ENUM64, False, {})
    assert [btf.kind(i) for i in range(21)] == [0, *range(1, 20), Kind.STRUCT]
    assert [btf.name(i) for i in (0, 1, 2, 4, 19)] == ["void", "int", "", "task_struct", "wide"]
    assert btf.find("task_struct", {Kind.STRUCT}) == 4
    assert btf.members(4) == (Member("comm", 3, 0, 0), Member("pid", 1, 128, 0), Member("", 5, 160, 0))
    assert btf.members(5) == (Member("flags", 1, 0, 4), Member("next", 2, 0, 0))


def test_the_type_section_may_lie_unaligned() -> None:
    data = bytearray(assemble(SAMPLE.types(), SAMPLE.strings, hdr_len=25))
    data[24:24] = bytes(1)
    assert parse(bytes(data)).members(4) == parse(SAMPLE_BYTES).members(4)


def test_nothing_lies_before_the_sections_between_them_or_after_them() -> None:
    types, strings = SAMPLE.types(), SAMPLE.strings
    end = 24 + len(types)
    before = assemble(types, strings, type_off=4, str_off=len(types) + 4)
    between = assemble(types, strings, str_off=len(types) + 4)
    for data, at in ((before, 24), (between, end), (SAMPLE_BYTES, len(SAMPLE_BYTES))):
        error = fails(data[:at] + b"gap\0" + data[at:])
        assert (error.offset, "4 bytes" in error.message) == (at, True)


@pytest.mark.parametrize("length", [24, 28, 32, 100])
def test_a_longer_header_passes_if_it_is_zero(length: int) -> None:
    longer = bytearray(assemble(SAMPLE.types(), SAMPLE.strings, hdr_len=length))
    longer[24:24] = bytes(length - 24)
    btf = parse(bytes(longer))
    assert (btf.n_types, btf.header_length, btf.has_layout) == (20, length, False)
    if length in (28, 100):
        longer[length - 1] = 1
        assert fails(bytes(longer)).offset == length - 1


# --- the layout section -------------------------------------------------------------------------------

LAYOUT = b"\0\0\0\0" * 20 + b"\4\10\0\0"  # kind 20: 4 bytes, then 8 per element


def with_layout(encoder: Encoder, layout: bytes, order: str = "<", layout_off: int | None = None) -> bytes:
    types = encoder.types(order)
    where = {"hdr_len": 32, "type_len": len(types), "str_off": len(types) + len(layout)}
    data = bytearray(assemble(types + layout, encoder.strings, order, **where))
    data[24:24] = pack([len(types) if layout_off is None else layout_off, len(layout)], order)
    return bytes(data)


@pytest.mark.parametrize("order", ["<", ">"])
def test_an_unknown_kind_passes_if_the_layout_section_describes_it(order: str) -> None:
    unknown = Encoder().add(
        record(20, "new", 0, 7, *(1, 2), *(3, 4), vlen=2), record(Kind.STRUCT, "task_struct", 0)
    )
    btf = parse(with_layout(unknown, LAYOUT, order))
    assert (btf.has_layout, btf.header_length) == (True, 32)
    assert (btf.highest_kind, dict(btf.unknown_counts), sum(btf.counts.values())) == (20, {20: 1}, 1)
    assert (btf.kind(1), btf.find("task_struct", {Kind.STRUCT})) == (20, 2)
    assert "unknown kind 20" in fails(unknown.encode(order)).message
    assert "unknown kind 20" in fails(with_layout(unknown, LAYOUT[:80], order)).message
    assert "unknown kind 20" in fails(with_layout(unknown, LAYOUT[:80] + b"\5\10\0\0", order)).message
    assert "unknown kind 0" in fails(with_layout(Encoder().add(record(0, "", 0)), LAYOUT, order)).message


def test_a_layout_section_must_be_where_it_can_be() -> None:
    types_len = len(SAMPLE.words) * 4
    for layout_off in (0, types_len - 4, types_len + 4, types_len + 2, 0xFFFFFFFC):
        assert fails(with_layout(SAMPLE, LAYOUT, layout_off=layout_off)).offset == 24
    assert fails(with_layout(SAMPLE, LAYOUT + b"odd")).offset == 24
    long = read_header(with_layout(SAMPLE, LAYOUT * 1000), split=False)
    assert len(long.layouts or ()) == 128


# --- what is wrong, and where -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "offset", "says"),
    [
        (b"", 0, "empty"),
        (b"\x9f", 1, "truncated"),
        (b"\x9f\xeb", 2, "truncated: 2 bytes"),
        (SAMPLE_BYTES[:23], 23, "truncated: 23 bytes"),
        (b"\x7fELF" + bytes(60), 0, "ELF"),
        (b"hello, this is not BTF at all", 0, "68 65"),
        (assemble(SAMPLE.types(), SAMPLE.strings, version=2), 2, "version 2"),
        (assemble(SAMPLE.types(), SAMPLE.strings, flags=0x80), 3, "flags 0x80"),
        (assemble(SAMPLE.types(), SAMPLE.strings, hdr_len=23), 4, "header length 23"),
        (SAMPLE_BYTES[:-1], 16, "truncated: the string section"),
        (SAMPLE_BYTES[:60], 8, "truncated: the type section"),
        (SAMPLE_BYTES[:-1] + b"x", len(SAMPLE_BYTES) - 1, "does not end with NUL"),
        (assemble(b"", b"\0"), 12, "type section is empty"),
        (assemble(bytes(12), b""), 20, "string section is empty"),
        (assemble(bytes(16), b"\0", hdr_len=0xFFFFFFFF), 4, "truncated: header"),
        (assemble(bytes(16), b"\0", type_off=2, type_len=12), 8, "aligned"),
        (assemble(bytes(16), b"\0", type_len=14), 8, "aligned"),
        (assemble(bytes(16), b"\0", type_len=0xFFFFFFFC), 8, "truncated: the type section"),
        (assemble(bytes(16), b"\0", str_len=0xFFFFFFFF), 16, "truncated: the string section"),
        (assemble(bytes(16), b"\0", str_off=12), 16, "begins before"),
        (assemble(bytes(12), b"\0"), 28, "type 1 has the unknown kind 0"),
        (assemble(pack([0, 20 << 24, 0]), b"\0"), 28, "unknown kind 20"),
        (assemble(pack([0, 127 << 24, 0]), b"\0"), 28, "unknown kind 127"),
        (assemble(pack([0, 16 << 24, 8, 0]), b"\0"), 36, "type 2 is truncated: 4 bytes"),
        (assemble(pack([0, 16 << 24, 8, 0, 16 << 24]), b"\0"), 36, "type 2 needs 12 bytes"),
        (assemble(pack([0, 4 << 24 | 9, 8]), b"\0"), 24, "needs 120 bytes"),
        (assemble(pack([0, 4 << 24 | 0xFFFFFF, 8]), b"\0"), 24, "ends after 12"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(data: bytes, offset: int, says: str) -> None:
    error = fails(data)
    assert isinstance(error, ParseError)
    assert error.offset == offset
    assert says in error.message


@pytest.mark.parametrize("order", ["<", ">"])
def test_every_reference_is_checked_and_nothing_else(order: str) -> None:
    """With each word in turn the last valid number, the first invalid one, and the greatest."""
    words, names_end, infos = SAMPLE.plain_words(), len(SAMPLE.strings), set(_infos())
    zeros = set(_zeros())

    def with_word(index: int, value: int) -> bytes:
        return assemble(pack([*words[:index], value, *words[index + 1 :]], order), SAMPLE.strings, order)

    for index, word in enumerate(SAMPLE.words):
        if index in zeros:
            for value in (1, 0x80000000):
                error = fails(with_word(index, value))
                assert (error.offset, "must be 0" in error.message) == (24 + 4 * index, True)
            continue
        if isinstance(word, int):
            if index not in infos:
                assert parse(with_word(index, 0xFFFFFFFF), served=True).n_types == 20
            continue
        what, last = ("name", names_end - 1) if isinstance(word, Name) else ("type", 20)
        if word != Ref(13):  # that of the FUNC, which has to be this one
            assert parse(with_word(index, last), served=True).n_types == 20
        for value in (last + 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF):
            error = fails(with_word(index, value))
            assert error.offset == 24 + 4 * index
            assert what in error.message
            assert str(value) in error.message


def _infos() -> Iterator[int]:
    at = 1
    for one in SAMPLE_RECORDS:
        yield at
        at += len(one)


def _zeros() -> Iterator[int]:
    """The name words of what cannot have a name, and the third words of FWD and ARRAY."""
    for at in _infos():
        kind = SAMPLE.plain_words()[at] >> 24 & 127
        if kind in (2, 3, 9, 10, 11, 13):
            yield at - 1
        if kind in (3, 7):
            yield at + 1


@pytest.mark.parametrize("target", [0, 1, 12])
def test_a_func_is_of_a_func_proto(target: int) -> None:
    words = SAMPLE.plain_words()
    at = SAMPLE.words.index(Ref(13))
    words[at] = target
    error = fails(assemble(pack(words), SAMPLE.strings))
    assert (error.offset, f"of type {target}, which is no FUNC_PROTO" in error.message) == (24 + 4 * at, True)


@pytest.mark.parametrize("kind", [k for k in Kind if k not in (4, 5, 6, 13, 15, 19)])
def test_kinds_without_elements_have_no_vlen(kind: Kind) -> None:
    for vlen in (2, 0xFFFF, 0x10000):
        error = fails(assemble(pack([0, kind << 24 | vlen, *[0] * 5]), b"\0"))
        expected = f"{kind.name} and cannot have a vlen of {vlen}"
        assert (error.offset, expected in error.message) == (28, True)


@pytest.mark.parametrize("count", [CHUNK // 3, CHUNK // 3 + 1, CHUNK, 3 * CHUNK + 7])
def test_checks_hold_across_chunks(count: int) -> None:
    words = [word for _ in range(count) for word in (0, Kind.PTR << 24, count)]
    assert parse(assemble(pack(words), b"\0"), served=True).counts[Kind.PTR] == count
    for nth in {0, count // 2, count - 1}:
        bad = [*words]
        bad[3 * nth + 2] += 1
        error = fails(assemble(pack(bad), b"\0"))
        expected = f"type {nth + 1} refers to type {count + 1}"
        assert (error.offset, expected in error.message) == (32 + 12 * nth, True)


@pytest.mark.slow
@pytest.mark.parametrize("vlen", [CHUNK, 0xFFFF, 0x10001])
def test_a_record_may_be_longer_than_a_chunk(vlen: int) -> None:
    words, tail = [0, Kind.STRUCT << 24 | vlen, 8, *[1, 1, 0] * vlen], [0, Kind.PTR << 24, 1]
    btf = parse(assemble(pack(words + tail), b"\0m\0"), served=True)
    assert (btf.n_types, len(btf.members(1)), btf.members(1)[-1]) == (2, vlen, Member("m", 1, 0, 0))
    words[-2] = 3
    assert fails(assemble(pack(words + tail), b"\0m\0")).offset == 24 + 4 * (len(words) - 2)


def test_which_libbpf_and_kernel_a_kind_needs() -> None:
    later = {
        "FUNC": ("0.0.3", "5.0"),
        "FUNC_PROTO": ("0.0.3", "5.0"),
        "VAR": ("0.0.3", "5.2"),
        "DATASEC": ("0.0.3", "5.2"),
        "FLOAT": ("0.4.0", "5.13"),
        "DECL_TAG": ("0.6.0", "5.16"),
        "TYPE_TAG": ("0.6.0", "5.17"),
        "ENUM64": ("1.0.0", "6.0"),
    }
    for kind in Kind:
        assert (kind_needs_libbpf(kind), kind_since_kernel(kind)) == later.get(kind.name, ("0.0.3", "4.18"))
