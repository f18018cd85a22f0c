"""The table of bpftrace's releases against what was seen of four of them, and against its own promises."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag import knowledge
from kdiag.knowledge.tools.behaviour import Behaviour, Version
from kdiag.knowledge.tools.bpftrace import behaviour, parse_version
from kdiag.knowledge.tools.bpftrace_history import NEWEST_READ, ROWS

# Debian 11, 12, 13 and sid, run on booted kernels.
V11, V17, V23, V27 = (0, 11, 3), (0, 17, 0), (0, 23, 2), (0, 27, 1)
SEEN = (V11, V17, V23, V27)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        # "module installed, nothing loaded": 0.11.3 unpacks by itself, 0.17 only on a kernel without BTF
        ("unpacks_kheaders", ("always", "without-btf", "never", "never")),
        # the WARNING with the snippet was seen on 0.23.2 after a failure, never on the others
        ("header_warning", ("never", "never", "after-failure", "never")),
        # a wrong BPFTRACE_KERNEL_SOURCE breaks hello on 0.11.3, args on 0.17 and 0.23, nothing of it on 0.27
        ("clang_runs", ("always", "when-types", "with-definitions", "always")),
        ("kconfig_include", ("always", "always", "always", "if-readable")),
        # 5.10 with 0.17: `btf: no` although the file is there; hidden /sys/kernel/btf: only 0.17 has BTF
        ("btf_source", ("file-list", "kernel-id", "libbpf", "libbpf")),
        # 0.11.3 needs headers for tracepoints although BTF is there
        ("btf_types", ("without-definitions", "always", "always", "always")),
        ("args_need_btf", (False, False, False, True)),
        ("privileges", ("euid", "euid", "euid", "capabilities")),
        # no tracefs: BEGIN works except on 0.27
        ("needs_tracefs_at_start", (False, False, False, True)),
        # every one of them runs on the 6.18 microVM, which has no /proc/modules
        ("needs_proc_modules", (False, False, False, False)),
        ("min_kernel_warning", (None, None, None, (5, 15, 0))),
        ("memlock_prefix", ("", "ERROR", "WARNING", "WARNING")),
        ("honours_kernel_build", (False, True, True, True)),
    ],
)
def test_releases_that_were_seen(field: str, values: tuple[object, ...]) -> None:
    assert tuple(getattr(behaviour(version), field) for version in SEEN) == values


@pytest.mark.parametrize(
    ("tool", "failing"),
    [
        # "none" row of the table of header states: without headers, with BTF
        ("runqlat", (V11, V17)),
        ("dcsnoop", (V11,)),
        ("tcplife", (V11,)),
        ("opensnoop", ()),
    ],
)
def test_stock_tools_that_include_kernel_headers(tool: str, failing: tuple[Version, ...]) -> None:
    found = tuple(version for version in SEEN if tool in behaviour(version).tools_including_kernel)
    assert found == failing


def test_tcpconnect_wants_a_header_of_the_c_library_on_0_17_only() -> None:
    assert [version for version in SEEN if "tcpconnect" in behaviour(version).tools_including_libc] == [V17]


@pytest.mark.parametrize(
    ("last", "first", "field", "before", "after"),
    [
        ((0, 18, 1), (0, 19, 0), "unpacks_kheaders", "without-btf", "always"),
        ((0, 20, 3), (0, 20, 4), "unpacks_kheaders", "always", "never"),
        ((0, 20, 1), (0, 20, 2), "checks_kheaders_owner", False, True),
        ((0, 17, 0), (0, 17, 1), "btf_source", "kernel-id", "libbpf"),
        ((0, 18, 1), (0, 19, 0), "args_operator", "->", "."),
        ((0, 19, 1), (0, 20, 0), "fentry_spelling", "kfunc", "fentry"),
        ((0, 23, 5), (0, 24, 0), "rawtracepoint", "any", "needs-btf"),
        ((0, 24, 2), (0, 25, 0), "privileges", "euid", "capabilities"),
        ((0, 24, 2), (0, 25, 0), "types_header", "tracepoints-without-btf", "never"),
        ((0, 25, 1), (0, 26, 0), "needs_proc_modules", True, False),
    ],
)
def test_boundaries(last: Version, first: Version, field: str, before: object, after: object) -> None:
    assert (getattr(behaviour(last), field), getattr(behaviour(first), field)) == (before, after)


def test_rows_are_in_order_and_each_changes_something() -> None:
    assert [row.since for row in ROWS] == sorted({row.since for row in ROWS})
    for older, newer in pairwise(ROWS):
        assert older._replace(since=newer.since) != newer, newer.since


def test_every_field_is_read_by_code() -> None:
    """What nothing reads is either an answer that is never given or dead weight."""
    table = Path(knowledge.__file__).parent / "tools"
    top = table.parent.parent
    sources = [p for place in (top, top.parent / "checks") for p in place.rglob("*.py") if p.parent != table]
    own = (table / "behaviour.py").read_text().partition("@property")[2]
    text = own + "".join(p.read_text() for p in sources)
    assert [f for f in Behaviour._fields if not re.search(rf"\.{f}\b", text)] == []


def test_releases_beyond_the_table_are_marked() -> None:
    future = behaviour((NEWEST_READ[0], NEWEST_READ[1] + 1, 0))
    assert not future.known
    assert future.since == ROWS[-1].since
    assert not behaviour((0, 8, 0)).known
    assert behaviour((0, 23, 9)).known


def test_no_fentry_before_0_10() -> None:
    assert behaviour((0, 9, 4)).fentry_spelling is None


@given(st.tuples(*[st.integers(0, 99)] * 3))
@settings(deadline=None, max_examples=200)
def test_any_version_has_a_behaviour(version: Version) -> None:
    answer = behaviour(version)
    assert isinstance(answer, Behaviour)
    assert answer.version == version
    assert answer.since <= version or not answer.known


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("bpftrace v0.17.0\n", (0, 17, 0)),
        ("bpftrace v0.23.2\n", (0, 23, 2)),
        ("bpftrace v0.9\n\n", (0, 9, 0)),
        ("bpftrace v0.21.0-123-gabcd\n", (0, 21, 0)),
        ("bpftrace v0.21.0-dirty\n", (0, 21, 0)),
        ("bpftrace v0.25.1-1bac8a8\n", (0, 25, 1)),
        ("bpftrace v0.24-rc0\n", (0, 24, 0)),
        ("bpftrace 0.20.2-1ubuntu4.3\n", (0, 20, 2)),
        ("v0.20.3\n", (0, 20, 3)),
        ("0.16.0+snap1\n", (0, 16, 0)),
        ("WARNING: terminal 1.2.3 unknown\nbpftrace v0.14.1\r\n", (0, 14, 1)),
    ],
)
def test_versions_are_read(output: str, version: Version) -> None:
    assert parse_version(output) == version


@pytest.mark.parametrize(
    "output",
    [
        "",
        "bpftrace UNKNOWN\n",
        "bash: bpftrace: command not found\n",
        "Linux version 6.12.107 (gcc 14.2.0)\n",
        "bpftrace: error while loading shared libraries: libLLVM.so.19.1\n",
        "bpftrace v0\n",
    ],
)
def test_what_is_no_version_is_none(output: str) -> None:
    assert parse_version(output) is None


@given(st.text(max_size=300))
@settings(deadline=None, max_examples=200)
def test_any_text_is_answered(text: str) -> None:
    version = parse_version(text)
    assert version is None or min(version) >= 0


@given(st.tuples(*[st.integers(0, 999)] * 3), st.sampled_from(["", "-dirty", "-12-gdeadbeef", "-1+b2", " "]))
@settings(deadline=None, max_examples=100)
def test_what_bpftrace_prints_is_read_back(version: Version, tail: str) -> None:
    assert parse_version("bpftrace v{}.{}.{}{}\n".format(*version, tail)) == version
