"""BTF that was made to do harm, or that is damaged: an answer or an error with a place, in little time and memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdiag.btf.diff import all_structs, difference
from kdiag.btf.header import header
from kdiag.btf.json import type_value
from kdiag.btf.listing import listing
from kdiag.btf.searching import matching
from kdiag.btf.sizes import measure
from kdiag.btf.sources import Source, Types
from kdiag.btf.text import head_line
from kdiag.console.printable import line
from kdiag.parse.btf import BtfError, Kind, parse
from kdiag.parse.btf.graph import Graph
from kdiag.parse.btf.sections import content, sections
from kdiag.parse.errors import ParseError
from tests.support.btf_encoder import SAMPLE_BYTES, Encoder, Ref, Words, assemble, composite, pack, record
from tests.support.steps import calls
from tests.support.waiting import HANG

_INT = record(Kind.INT, "int", 4, 0x01000020)
#: Calls of functions that no answer about a small file may need.
BOUND = 3_000_000


def types_of(data: bytes) -> Types:
    return Types("file", "", Graph(parse(data, lazy=True), line), data)


def of(*records: Words) -> Types:
    return types_of(Encoder().add(_INT, *records).encode())


def answers(types: Types, type_id: int) -> list[Callable[[], object]]:
    """All that can be asked about a type."""
    graph = types.graph
    return [
        lambda: listing(graph, type_id),
        lambda: header(graph, type_id),
        lambda: type_value(types, type_id),
        lambda: head_line(graph, type_id, "name"),
    ]


def ask(types: Types, *type_ids: int) -> list[str]:
    """What goes wrong in all answers about these types: nothing but BtfError may."""
    problems = []
    for type_id in type_ids:
        for answer in answers(types, type_id):
            try:
                answer()
            except BtfError as error:
                problems.append(str(error))
    return problems


def nested(depth: int) -> list[Words]:
    """Structs, each with the next one in it."""
    return [composite(Kind.STRUCT, "s", ("m", n + 3, 0), size=4) for n in range(depth)]


def doubled(depth: int, name: str) -> list[Words]:
    """Structs, each with two of the next one: 2**depth in the first."""
    return [composite(Kind.STRUCT, name, ("", n + 3, 0), ("", n + 3, 0), size=4) for n in range(depth)]


def spread(depth: int) -> list[Words]:
    """Pointers to functions that take two of the next: 2**depth parameters."""
    words: list[Words] = []
    for n in range(depth):
        at = 2 + 2 * n
        words.append(record(Kind.PTR, "", Ref(at + 1)))
        words.append(record(Kind.FUNC_PROTO, "", Ref(1), 0, Ref(at + 2), 0, Ref(at + 2), vlen=2))
    return [*words, record(Kind.PTR, "", Ref(1))]


@pytest.mark.parametrize(
    "records",
    [
        [record(Kind.TYPEDEF, "t", Ref(2))],
        [record(Kind.CONST, "", Ref(3)), record(Kind.VOLATILE, "", Ref(2))],
        [composite(Kind.STRUCT, "s", ("self", 2, 0))],
        [composite(Kind.STRUCT, "", ("", 2, 0))],
        [record(Kind.PTR, "", Ref(2)), composite(Kind.STRUCT, "s", ("p", 2, 0))],
        [record(Kind.ARRAY, "", 0, Ref(2), Ref(1), 2), composite(Kind.STRUCT, "s", ("a", 2, 0))],
        [record(Kind.FUNC_PROTO, "", Ref(2)), record(Kind.FUNC, "f", Ref(2))],
        [record(Kind.TYPEDEF, "t", Ref(3)), composite(Kind.STRUCT, "", ("t", 2, 0))],
        nested(70),
        doubled(40, ""),
        doubled(40, "s"),
        spread(30),
        [*spread(30), composite(Kind.STRUCT, "s", *[(f"m{n}", 2, 64 * n) for n in range(200)], size=1600)],
        [composite(Kind.STRUCT, "s", ("m", 99, 0))],
        [composite(Kind.STRUCT, "s", ("a", 1, 0), size=0xFFFFFFFF)],
        [composite(Kind.STRUCT, "s", ("a", 1, 0xFFFFFFFF), ("b", 1, 0), size=1)],
        [record(Kind.ENUM, "e", 1 << 31, 0, 1, vlen=1)],
    ],
)
def test_what_has_no_end_or_no_sense_ends(records: list[Words]) -> None:
    types = of(*records)
    last = len(records) + 1
    assert calls(lambda: ask(types, 2, last)) < 4 * BOUND


def test_an_array_of_arrays_of_all_that_fits_has_a_size() -> None:
    most = 0xFFFFFFFF
    arrays = [record(Kind.ARRAY, "", 0, Ref(n + 3), Ref(1), most) for n in range(10)]
    types = of(*arrays, record(Kind.TYPEDEF, "a", Ref(2)), composite(Kind.STRUCT, "s", ("a", 2, 0), size=4))
    # The last array's element is the typedef of the first: without end.
    assert any("more than 64 types" in problem or "modifiers" in problem for problem in ask(types, 12, 13))
    fine = of(
        record(Kind.ARRAY, "", 0, Ref(1), Ref(1), most), composite(Kind.STRUCT, "s", ("a", 2, 0), size=4)
    )
    assert f"int a[{most}];" in listing(fine.graph, 3)


def test_a_hundred_thousand_structs_in_one_another_are_refused_at_once() -> None:
    types = of(*nested(100_000), _INT)
    assert any("nested more than 64 types deep" in problem for problem in ask(types, 2))


def test_a_name_that_is_nowhere_is_an_error_with_its_place() -> None:
    words = Encoder().add(_INT, composite(Kind.STRUCT, "s", ("m", 1, 0))).plain_words()
    words[4] = 0x00FFFFFF  # the name of the second type
    types = types_of(assemble(pack(words), b"\0int\0s\0m\0"))
    problems = ask(types, 2)
    assert problems
    assert all("a name at 16777215" in problem and "(at offset" in problem for problem in problems)


def test_names_cannot_write_on_a_terminal_or_begin_a_line() -> None:
    types = of(
        composite(Kind.STRUCT, "s\x1b[31m", ("m\nint fake;", 1, 0), size=4),
        record(Kind.ENUM, "e", 4, 0, 0, vlen=1),
    )
    text = listing(types.graph, 2) + head_line(types.graph, 2, line("x\n::error::y"))
    assert "\x1b" not in text
    assert r"m\nint fake;" in text
    assert not any(one.startswith("int fake") for one in text.splitlines())


@given(st.data())
def test_damaged_bytes_are_answered_or_refused(data: st.DataObject) -> None:
    damaged = bytearray(SAMPLE_BYTES)
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(24, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    damaged = damaged[: data.draw(st.integers(0, len(damaged)))] if data.draw(st.booleans()) else damaged
    try:
        types = types_of(bytes(damaged))
    except BtfError as error:
        assert error.offset is not None
        return
    ask(types, *range(1, types.btf.n_types + 1))
    for whole in (
        lambda: list(matching(types, "*", tuple(Kind))),
        lambda: measure(Source("file", "", types)),
        lambda: difference(types, types, all_structs(types), ()),
    ):
        try:
            whole()
        except BtfError as error:
            assert error.offset is not None


@given(st.binary(max_size=200), st.integers(0, 63), st.integers(0, 255))
def test_damaged_elf_files_are_refused_or_read(tail: bytes, at: int, value: int) -> None:
    import io

    head = bytearray(b"\x7fELF\x02\x01\x01" + bytes(57))
    head[0x28:0x30] = (64).to_bytes(8, "little")
    head[0x3A:0x40] = bytes((64, 0, 3, 0, 1, 0))
    head[at] = value
    file = io.BytesIO(bytes(head) + tail)
    try:
        for section in sections(file):
            content(file, section, 1 << 20)
    except ParseError:
        pass


def test_a_file_full_of_zeros_and_one_that_is_a_device(tmp_path: Path) -> None:
    file = tmp_path / "zeros"
    file.write_bytes(b"\x9f\xeb\x01\0" + bytes(1 << 20))
    for path in (str(file), "/dev/zero", str(tmp_path), ""):
        done = subprocess.run(
            [sys.executable, "-m", "kdiag", "btf", "struct", "x", "--file", path or "/dev/null"],
            capture_output=True,
            text=True,
            timeout=HANG,
            check=False,
        )
        assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
        assert len(done.stderr.splitlines()) == 1
