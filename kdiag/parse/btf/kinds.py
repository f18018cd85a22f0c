"""The kinds of BTF type records: what a record of each consists of, and who reads it since when."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from kdiag.parse.errors import ParseError


class BtfError(ParseError):
    """Bytes that are not the BTF they claim to be, or a question the BTF has no answer to."""


class Kind(IntEnum):
    """BTF_KIND_* of include/uapi/linux/btf.h."""

    INT = 1
    PTR = 2
    ARRAY = 3
    STRUCT = 4
    UNION = 5
    ENUM = 6
    FWD = 7
    TYPEDEF = 8
    VOLATILE = 9
    CONST = 10
    RESTRICT = 11
    FUNC = 12
    FUNC_PROTO = 13
    VAR = 14
    DATASEC = 15
    FLOAT = 16
    DECL_TAG = 17
    TYPE_TAG = 18
    ENUM64 = 19


class Shape(NamedTuple):
    """The 32-bit words of a record: the fixed ones, then those of each of its vlen elements.

    A letter per word. A name's offset in the string section is `i` where the kernel demands an identifier,
    `o` where it may be 0 as well, `n` where it is another text; `t` is a type id, `0` always zero, `.` anything
    else. The first three words are struct btf_type; the second of them is the info word: kind, vlen and flag.
    """

    fixed: str
    element: str = ""


_QUALIFIER = Shape("0.t")
_COMPOSITE = Shape("o..", "ot.")

SHAPES: dict[int, Shape] = {
    Kind.INT: Shape("n..."),
    Kind.PTR: _QUALIFIER,
    Kind.ARRAY: Shape("0.0tt."),
    Kind.STRUCT: _COMPOSITE,
    Kind.UNION: _COMPOSITE,
    Kind.ENUM: Shape("o..", "i."),
    Kind.FWD: Shape("i.0"),
    Kind.TYPEDEF: Shape("i.t"),
    Kind.VOLATILE: _QUALIFIER,
    Kind.CONST: _QUALIFIER,
    Kind.RESTRICT: _QUALIFIER,
    Kind.FUNC: Shape("i.t"),
    Kind.FUNC_PROTO: Shape("0.t", "ot"),
    Kind.VAR: Shape("i.t."),
    Kind.DATASEC: Shape("n..", "t.."),
    Kind.FLOAT: Shape("n.."),
    Kind.DECL_TAG: Shape("n.t."),
    Kind.TYPE_TAG: Shape("n.t"),
    Kind.ENUM64: Shape("o..", "i.."),
}

COMPOSITES = (Kind.STRUCT, Kind.UNION)
MODIFIERS = (Kind.TYPEDEF, Kind.VOLATILE, Kind.CONST, Kind.RESTRICT, Kind.TYPE_TAG)

#: What libbpf tells the size of a pointer from (src/btf.c, determine_ptr_size()).
LONG = frozenset(
    (
        *("long", "long int", "int long", "unsigned long", "long unsigned", "unsigned long int"),
        *("unsigned int long", "long unsigned int", "long int unsigned", "int unsigned long"),
        "int long unsigned",
    )
)
MAX_KIND = 0x7F  # what fits into an info word
MAX_TYPE = 0xFFFFF  # BTF_MAX_TYPE: the kernel passes over types beyond it
MAX_NAME_OFFSET = 0xFFFFFF  # BTF_MAX_NAME_OFFSET
MAX_FUNC_LINKAGE = 1  # a FUNC has no elements, its vlen is the linkage; the kernel takes no BTF_FUNC_EXTERN


def info_kind(info: int) -> int:
    """Bits 24-30 of an info word. Of old the kind had bits 24-28, and 29-30 were zero: see `info_vlen`."""
    return info >> 24 & MAX_KIND


def info_vlen(info: int) -> int:
    """Bits 0-23 of an info word, the number of elements.

    Before the kernel commit "bpf: Extend BTF UAPI vlen, kinds to use unused bits" (April 2026,
    libbpf:9801e0297351) vlen had bits 0-15, and bits 16-23 were zero: the wider field reads both.
    """
    return info & 0xFFFFFF


def info_flag(info: int) -> bool:
    """Bit 31 of an info word, the kind_flag.

    STRUCT and UNION: member offsets also hold bit-field sizes; FWD: a union; ENUM and ENUM64: signed;
    DECL_TAG and TYPE_TAG: the name is a whole __attribute__ (Documentation/bpf/btf.rst). Nothing is wrong
    with it elsewhere to libbpf, which masks it out where it knows no meaning; kinds got one later on. So
    an old libbpf reads vmlinux BTF with flagged tags (1.6.0 is the first to print them as attributes,
    libbpf:cc278ff7c0d2). Only a kernel before commit 53ee0d66d7a6 (February 2025) refuses such a tag, in
    the BTF of a BPF program.
    """
    return bool(info >> 31)


class _Since(NamedTuple):
    libbpf: str
    kernel: str


_FIRST = _Since("0.0.3", "4.18")
_FUNCTIONS = _Since("0.0.3", "5.0")
_VARIABLES = _Since("0.0.3", "5.2")
_LATER = {
    Kind.FUNC: _FUNCTIONS,
    Kind.FUNC_PROTO: _FUNCTIONS,
    Kind.VAR: _VARIABLES,
    Kind.DATASEC: _VARIABLES,
    Kind.FLOAT: _Since("0.4.0", "5.13"),
    Kind.DECL_TAG: _Since("0.6.0", "5.16"),
    Kind.TYPE_TAG: _Since("0.6.0", "5.17"),
    Kind.ENUM64: _Since("1.0.0", "6.0"),
}


def kind_needs_libbpf(kind: Kind) -> str:
    """The first libbpf release that reads BTF with this kind; an older one refuses the whole of it.

    Read off the case labels of btf_type_size() (src/btf.c) in the release tags of github.com/libbpf/libbpf:
    FLOAT is there from v0.4.0 on, DECL_TAG and TYPE_TAG from v0.6.0, ENUM64 from v1.0.0 (before it:
    "Unsupported BTF_KIND:19", libbpf#695). All others are in v0.0.3, the oldest tag.
    """
    return _LATER.get(kind, _FIRST).libbpf


def kind_since_kernel(kind: Kind) -> str:
    """The first kernel release that knows this kind; distributions backport.

    From cilium/ebpf, which tests the kernels for it: btf/feature.go (BTF 4.18, functions 5.0, variables 5.2,
    declaration tags 5.16, type tags 5.17, ENUM64 6.0), and a comment in btf/btf_types.go (FLOAT 5.13).
    """
    return _LATER.get(kind, _FIRST).kernel
