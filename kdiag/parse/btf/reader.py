"""Puts a `Btf` together from bytes."""

from __future__ import annotations

from types import MappingProxyType

from kdiag.parse.btf.header import read_header
from kdiag.parse.btf.kinds import SHAPES, BtfError, Kind
from kdiag.parse.btf.records import Space, read_records
from kdiag.parse.btf.value import Btf


def read(data: bytes, *, base: Btf | None = None, served: bool = False, lazy: bool = False) -> Btf:
    """Read and validate BTF as in /sys/kernel/btf/* or an ELF file's .BTF section, of either byte order.

    `base` is what split BTF is on top of, vmlinux for a kernel module: type ids and name offsets go on after
    its own. `served` is for what the running kernel itself gives: it was built with that and has judged it when
    it booted, so no more is asked than what reading needs, in a fraction of the time. With `lazy`, records are only
    found, and a reference is judged when it is followed: for who looks at a few types, of BTF of any origin, and
    also of objects that libbpf has not yet completed (extern functions). The result refers to `data` and holds
    another 0.9 times its size. Raises `BtfError`.
    """
    header = read_header(data, split=base is not None)
    if base is not None and base.byteorder != header.byteorder:
        raise BtfError(f"{header.byteorder}-endian split BTF on {base.byteorder}-endian base BTF", 0)
    begin, end = header.strings
    names_from = base.names_end if base else 0
    space = Space(base.kinds_by_id() if base else b"\0", names_from + end - begin, base is not None)
    records = read_records(data, header, space, lazy=lazy)
    unknown = records.kinds.translate(None, bytes(SHAPES))
    btf = Btf(
        byteorder=header.byteorder,
        version=header.version,
        size=len(data),
        header_length=header.length,
        has_layout=header.layouts is not None,
        base=base,
        first_id=len(space.base_kinds),
        n_types=len(records.kinds),
        counts=MappingProxyType({kind: records.kinds.count(kind) for kind in Kind}),
        unknown_counts=MappingProxyType({kind: unknown.count(kind) for kind in sorted(set(unknown))}),
        highest_kind=max(records.kinds, default=0),
        names_from=names_from,
        names_end=space.names_end,
        string_section=header.strings,
        type_section=header.types,
        records=records,
        data=data,
    )
    if served or lazy:
        return btf
    from kdiag.parse.btf.verify import verify

    return btf._replace(resolution=verify(btf))
