"""Attach points of bpftrace: any text is one or is refused with a reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdiag.parse.bpftrace.attach import KINDS, looks_like, parse
from kdiag.parse.errors import ParseError


@given(st.text(max_size=60))
def test_any_text_is_taken_apart_or_refused(text: str) -> None:
    try:
        point = parse(text)
    except ParseError:
        return
    assert point.kind in KINDS.values() and KINDS[point.spelled] == point.kind


@pytest.mark.parametrize(
    ("text", "kind", "parts"),
    [
        ("k:vfs_open", "kprobe", ("vfs_open",)),
        ("kr:vfs_open", "kretprobe", ("vfs_open",)),
        ('uprobe:/bin/x:"a::b(int)"', "uprobe", ("/bin/x", "a::b(int)")),
        ("usdt:/bin/x:p:n", "usdt", ("/bin/x", "p", "n")),
        ("usdt:/bin/x::n*", "usdt", ("/bin/x", "", "n*")),
        ("BEGIN", "begin", ()),
        ("f:nf:nft_do_chain", "fentry", ("nf", "nft_do_chain")),
    ],
)
def test_short_names_and_quotes(text: str, kind: str, parts: tuple[str, ...]) -> None:
    assert parse(text)[0::2][:2] == (kind, parts)


@pytest.mark.parametrize(
    "text", ["btf.vmlinux", "CONFIG_BPF", "./a.bt", "kernel.lockdown", "memlock", "file:x"]
)
def test_other_subjects_are_no_attach_points(text: str) -> None:
    assert not looks_like(text)
