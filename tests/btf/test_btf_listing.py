"""Types as C with offsets and holes, and where members lie: small BTF that is made here, with what BTF can hold."""

from __future__ import annotations

import pytest

from kdiag.btf.declare import Declarer
from kdiag.btf.finding import NoMember, follow
from kdiag.btf.listing import listing
from kdiag.parse.btf import BtfError, Kind, parse
from kdiag.parse.btf.graph import Graph
from tests.support.btf_encoder import SAMPLE_BYTES, Encoder, Ref, Words, composite, record

_INT = record(Kind.INT, "int", 4, 0x01000020)


def graph_of(*records: Words) -> Graph:
    return Graph(parse(Encoder().add(*records).encode(), lazy=True))


def array(element: int, count: int) -> Words:
    return record(Kind.ARRAY, "", 0, Ref(element), Ref(1), count)


def proto(returns: int, *params: int) -> Words:
    words: Words = []
    for one in params:
        words += [0, Ref(one)]
    return record(Kind.FUNC_PROTO, "", Ref(returns), *words, vlen=len(params))


def ptr(target: int) -> Words:
    return record(Kind.PTR, "", Ref(target))


def const(target: int) -> Words:
    return record(Kind.CONST, "", Ref(target))


@pytest.mark.parametrize(
    ("records", "declared"),
    [
        ((ptr(1),), "int *x"),
        ((ptr(3), const(1)), "const int *x"),
        ((const(3), ptr(1)), "int * const x"),
        ((ptr(3), ptr(1)), "int **x"),
        ((array(3, 2), array(1, 3)), "int x[2][3]"),
        ((array(3, 2), ptr(1)), "int *x[2]"),
        ((ptr(3), array(1, 2)), "int (*x)[2]"),
        ((ptr(3), proto(1, 1)), "int (*x)(int)"),
        ((ptr(3), proto(0)), "void (*x)(void)"),
        ((ptr(3), proto(1, 1, 0)), "int (*x)(int, ...)"),
        ((array(3, 4), ptr(4), proto(1, 1)), "int (*x[4])(int)"),
        ((ptr(3), proto(4, 1), ptr(5), proto(1)), "int (*(*x)(int))(void)"),
        ((ptr(3), record(Kind.TYPE_TAG, "rcu", Ref(1))), 'int __attribute__((btf_type_tag("rcu"))) *x'),
        ((const(3), array(1, 2)), "int x[2]"),
    ],
)
def test_a_declaration_reads_as_c(records: tuple[Words, ...], declared: str) -> None:
    assert Declarer(graph_of(_INT, *records)).declare(2, "x") == declared


def test_holes_padding_bits_and_what_is_anonymous() -> None:
    graph = graph_of(
        _INT,
        record(Kind.INT, "char", 1, 8),
        record(Kind.INT, "long unsigned int", 8, 64),
        composite(Kind.UNION, "", ("whole", 3, 0), ("half", 1, 0), size=8),
        composite(
            Kind.STRUCT,
            "s",
            ("c", 2, 0),
            ("n", 1, 32),
            ("low", 1, 3 << 24 | 64),
            ("high", 1, 4 << 24 | 69),
            ("", 4, 128),
            ("last", 2, 192),
            flag=1,
            size=32,
        ),
    )
    assert [line.split("*/")[0].strip() for line in listing(graph, 5).splitlines()] == [
        "struct s {",
        "char c;                                          /*     0     1",
        "",
        "/* XXX 3 bytes hole, try to pack",
        "",
        "int n;                                           /*     4     4",
        "int low:3;                                       /*     8: 0  4",
        "",
        "/* XXX 2 bits hole, try to pack",
        "",
        "int high:4;                                      /*     8: 5  4",
        "",
        "/* XXX 23 bits hole, try to pack",
        "/* XXX 4 bytes hole, try to pack",
        "",
        "union {",
        "long unsigned int whole;                 /*    16     8",
        "int half;                                /*    16     4",
        "};                                               /*    16     8",
        "char last;                                       /*    24     1",
        "",
        "/* size: 32, cachelines: 1, members: 6",
        "/* sum members: 14, holes: 2, sum holes: 7",
        "/* sum bitfield members: 7 bits, bit holes: 2, sum bit holes: 25 bits",
        "/* padding: 7",
        "/* last cacheline: 32 bytes",
        "};",
    ]


def test_a_packed_struct_and_an_array_without_length() -> None:
    graph = graph_of(
        _INT,
        record(Kind.INT, "char", 1, 8),
        array(2, 0),
        composite(Kind.STRUCT, "s", ("c", 2, 0), ("n", 1, 8), ("rest", 3, 40), size=5),
    )
    text = listing(graph, 4)
    assert text.rstrip().endswith("} __attribute__((__packed__));")
    assert "char rest[];" in text


def test_enums_have_their_sign() -> None:
    graph = graph_of(
        record(Kind.ENUM, "e", 4, 0, 0xFFFFFFFF, vlen=1),
        record(Kind.ENUM, "s", 4, 0, 0xFFFFFFFF, vlen=1, flag=1),
        record(Kind.ENUM64, "w", 8, 0, 0, 0x80000000, vlen=1),
    )
    assert [
        listing(graph, one).count(value) for one, value in ((1, "4294967295"), (2, "-1"), (3, str(1 << 63)))
    ] == [
        1,
        1,
        1,
    ]


def members_graph() -> Graph:
    outer = [("all", 4, 0), ("", 5, 192), ("there", 3, 320), ("bit", 1, 2 << 24 | 385)]
    return graph_of(
        _INT,
        composite(Kind.STRUCT, "inner", ("a", 1, 0), ("b", 1, 32), size=8),
        ptr(2),
        array(2, 3),
        composite(Kind.STRUCT, "", ("hidden", 2, 64), size=16),
        composite(Kind.STRUCT, "outer", *outer, flag=1, size=52),
    )


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("all", [("all", 0, 24)]),
        ("all[2].b", [("all[2].b", 20, 4)]),
        ("hidden.b", [("hidden.b", 36, 4)]),
        ("there.b", [("there", 40, 8), ("b", 4, 4)]),
        ("there->b", [("there", 40, 8), ("b", 4, 4)]),
    ],
)
def test_a_path_leads_to_a_member(path: str, steps: list[tuple[str, int, int]]) -> None:
    assert [(one.text, one.at // 8, one.size) for one in follow(members_graph(), 6, path)] == steps


def test_a_bit_field_has_its_bit() -> None:
    (step,) = follow(members_graph(), 6, "bit")
    assert (step.at, step.bits) == (385, 2)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("al", "struct outer has no member al; did you mean all?"),
        ("b", "did you mean all.b?"),
        ("all[3]", "the elements 0 to 2"),
        ("bit.x", "has no member x"),
        ("hidden->a", "not a pointer"),
        ("all..b", "not a path"),
        ("", "not a path"),
    ],
)
def test_a_path_that_leads_nowhere_says_where_it_ends(path: str, why: str) -> None:
    with pytest.raises(NoMember, match=why.replace("[", r"\[").replace("?", r"\?")):
        follow(members_graph(), 6, path)


def test_every_kind_can_be_listed() -> None:
    graph = Graph(parse(SAMPLE_BYTES, lazy=True))
    for type_id in range(1, 21):
        try:
            listing(graph, type_id)
        except BtfError as error:
            assert error.offset is not None
