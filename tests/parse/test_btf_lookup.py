"""Types and members are found in BTF, split BTF included."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kdiag.parse.btf import BtfError, Kind, parse
from kdiag.parse.btf.value import Btf, Member
from tests.support.btf_encoder import (
    SAMPLE,
    SAMPLE_BYTES,
    Encoder,
    Name,
    Ref,
    assemble,
    composite,
    fails,
    pack,
    record,
)

# --- split BTF ----------------------------------------------------------------------------------------


def module_over(base: Btf, order: str = "<") -> bytes:
    """Three types on top of the base, named by the base's strings where it has them, as pahole does."""
    first = base.first_id + base.n_types
    encoder = Encoder(strings=b"", names_from=base.names_end).add(
        composite(Kind.STRUCT, "module_only", ("owner", 2, 0), ("pid", 8, 64)),
        record(Kind.TYPEDEF, "task_struct", Ref(first)),
        record(Kind.FUNC, "module_fn", Ref(13), vlen=1),
    )
    begin, end = base.string_section
    for index, word in enumerate(encoder.words):
        if isinstance(word, Name):
            at = base.data.find(b"\0" + word.text.encode() + b"\0", begin, end)
            encoder.words[index] = word if at < 0 else at + 1 - begin + base.names_from
    return encoder.encode(order)


@pytest.mark.parametrize("order", ["<", ">"])
def test_split_btf_goes_on_after_its_base(order: str) -> None:
    base = parse(SAMPLE.encode(order))
    btf = parse(module_over(base, order), base=base)
    assert (btf.first_id, btf.n_types, btf.counts[Kind.FUNC], btf.highest_kind) == (21, 3, 1, Kind.FUNC)
    names = ["task_struct", "module_only", "task_struct", "module_fn"]
    assert [btf.name(i) for i in (4, 21, 22, 23)] == names
    assert btf.members(21) == (Member("owner", 2, 0, 0), Member("pid", 8, 64, 0))
    assert btf.members(4) == base.members(4)
    assert btf.find("task_struct", {Kind.STRUCT}) == 4
    assert btf.find("task_struct", {Kind.TYPEDEF}) == 22
    assert btf.find("task_struct", {Kind.TYPEDEF, Kind.STRUCT}) == 4
    assert btf.find("module_fn", {Kind.FUNC}) == 23
    assert base.find("module_fn", {Kind.FUNC}) is None


def test_split_btf_on_split_btf() -> None:
    base = parse(SAMPLE_BYTES)
    middle = parse(module_over(base), base=base)
    top = parse(module_over(middle), base=middle)
    assert (top.first_id, top.kind(22), top.kind(25)) == (24, Kind.TYPEDEF, Kind.TYPEDEF)
    assert [top.name(i) for i in (4, 21, 24, 25, 26)] == [
        "task_struct",
        "module_only",
        "module_only",
        "task_struct",
        "module_fn",
    ]


def test_split_btf_without_its_base_is_recognised() -> None:
    assert "looks like split BTF" in fails(module_over(parse(SAMPLE_BYTES))).message
    for words in (pack([1000, Kind.TYPEDEF << 24, 1]), pack([1, Kind.TYPEDEF << 24, 1000])):
        assert "split BTF (of a kernel module) needs its base" in fails(assemble(words, b"\0t\0")).message


def test_split_btf_is_checked_against_both() -> None:
    base = parse(SAMPLE_BYTES)
    last_name = base.names_end
    assert parse(assemble(pack([last_name, Kind.TYPEDEF << 24, 20]), b"t\0"), base=base).n_types == 1
    for name, type_id in ((last_name + 2, 20), (last_name, 22)):
        error = fails(assemble(pack([name, Kind.TYPEDEF << 24, type_id]), b"t\0"), base)
        assert "type 21" in error.message
        assert "needs its base" not in error.message
    assert "no FUNC_PROTO" in fails(assemble(pack([1, Kind.FUNC << 24, 4]), b""), base).message
    assert parse(assemble(b"", b""), base=base).n_types == 0
    assert "big-endian split BTF" in fails(module_over(base, ">"), base).message


# --- find ---------------------------------------------------------------------------------------------


def test_find_wants_the_whole_name_and_the_kind() -> None:
    btf = parse(SAMPLE_BYTES)
    for name in ("", "task", "ask_struct", "task_struct\0", "\0task_struct", "nowhere", "comm", "\udcff"):
        assert btf.find(name, set(Kind)) is None, name
    assert btf.find("task_struct", {Kind.FUNC}) is None
    assert btf.has("pid_t", Kind.TYPEDEF)
    assert not btf.has("pid_t", Kind.STRUCT)


def test_find_sees_names_shared_as_tails_and_names_stored_twice() -> None:
    strings = b"\0put_task_struct\0dup\0dup\0"
    tail, second = strings.index(b"task"), strings.rindex(b"dup")
    struct, float_, fwd = Kind.STRUCT << 24, Kind.FLOAT << 24, Kind.FWD << 24
    words = [1, struct, 0, tail, struct, 0, second, float_, 8, tail, fwd, 0, second - 4, float_, 4]
    btf = parse(assemble(pack(words), strings))
    assert btf.find("put_task_struct", {Kind.STRUCT}) == 1
    assert btf.find("task_struct", {Kind.STRUCT}) == 2
    assert btf.find("task_struct", {Kind.FWD}) == 4
    assert btf.find("dup", {Kind.FLOAT}) == 3


def test_find_is_not_misled_by_equal_numbers_that_are_no_names() -> None:
    """1 is here the name's offset, member names, types, sizes and offsets; only the last type is named so.

    It is not sound, and finding must not depend on that.
    """
    other = record(Kind.STRUCT, "", 1, *(1, Ref(1), 1), *(1, Ref(1), 0x04000001), vlen=2)
    encoder = Encoder(strings=b"\0x\0").add(other, record(Kind.STRUCT, "x", 1))
    assert parse(encoder.encode(), served=True).find("x", {Kind.STRUCT}) == 2


# --- members ------------------------------------------------------------------------------------------


def test_flattened_members_have_offsets_from_the_outer_start() -> None:
    assert parse(SAMPLE_BYTES).members(4, flatten=True) == (
        Member("comm", 3, 0, 0),
        Member("pid", 1, 128, 0),
        Member("flags", 1, 160, 4),
        Member("next", 2, 160, 0),
    )


def test_anonymous_members_are_found_behind_const_and_typedef() -> None:
    encoder = Encoder().add(
        record(Kind.INT, "int", 4, 32),
        composite(Kind.STRUCT, "", ("pid", 1, 0), size=4),
        record(Kind.CONST, "", Ref(2)),
        record(Kind.TYPEDEF, "hidden", Ref(3)),
        composite(Kind.STRUCT, "task_struct", ("", 1, 0), ("", 4, 32)),
    )
    btf = parse(encoder.encode())
    assert btf.members(5, flatten=True) == (Member("", 1, 0, 0), Member("pid", 1, 32, 0))


def test_questions_without_an_answer() -> None:
    btf = parse(SAMPLE_BYTES)
    asks: list[Callable[[], object]] = [
        lambda: btf.members(1),
        lambda: btf.members(0),
        lambda: btf.members(21),
        lambda: btf.members(-1),
        lambda: btf.members(2, flatten=True),
        lambda: btf.kind(21),
        lambda: btf.name(-1),
    ]
    for ask in asks:
        with pytest.raises(BtfError):
            ask()


def test_nesting_without_end_is_an_error() -> None:
    loop = Encoder().add(composite(Kind.STRUCT, "loop", ("", 1, 0)))
    doubling = Encoder().add(
        *[composite(Kind.STRUCT, "", ("", nth + 2, 0), ("", nth + 2, 0)) for nth in range(25)],
        composite(Kind.STRUCT, "", ("m", 1, 0)),
    )
    deep = Encoder().add(
        *[composite(Kind.STRUCT, "", ("", nth + 2, 0)) for nth in range(40)],
        composite(Kind.STRUCT, "", ("m", 1, 0)),
    )
    for encoder in (loop, doubling, deep):
        with pytest.raises(BtfError, match="without end"):
            parse(encoder.encode(), served=True).members(1, flatten=True)
    modifiers = Encoder().add(composite(Kind.STRUCT, "s", ("", 2, 0)), record(Kind.CONST, "", Ref(2)))
    assert parse(modifiers.encode(), served=True).members(1, flatten=True) == (Member("", 2, 0, 0),)


def test_an_endless_name_is_an_error() -> None:
    btf = parse(Encoder().add(record(Kind.STRUCT, "n" * 5000, 0)).encode(), served=True)
    with pytest.raises(BtfError, match="longer than"):
        btf.name(1)
    assert btf.find("n" * 5000, {Kind.STRUCT}) == 1
