"""The counting matcher finds what `re` finds, and sees the growth that it is there to see."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdiag.knowledge.tools.catalogue import catalogue
from kdiag.parse import kconfig
from kdiag.parse.packages import dpkg
from tests.support.patterns import Counted
from tests.support.steps import linear

PATTERNS = [
    *(re.compile(message.pattern) for message in catalogue()),
    *(value for value in vars(kconfig).values() if isinstance(value, re.Pattern)),
    re.compile(r"(?i)\b(?:ab|a)(?P<x>b?c)+?d{2,3}$|^\W[^b-d\n]*(?<=a)x(?!y)", re.MULTILINE),
    re.compile(r"(a|b)*?c\Z"),
]


@given(st.sampled_from(PATTERNS), st.text("\x85\xa0aAbcdxy ABC:'()_CONFIG=#issetn\n", max_size=25))
def test_it_finds_what_re_finds(pattern: re.Pattern[str], text: str) -> None:
    found = pattern.search(text)
    assert Counted(pattern)._first(text, 0) == (found.span() if found else None)


@given(st.binary(max_size=12))
def test_it_reads_bytes(junk: bytes) -> None:
    for pattern in (dpkg._NAME, dpkg._FIRST_NAME):
        found = pattern.search(b"a\nPackage: x" + junk)
        assert Counted(pattern)._first(b"a\nPackage: x" + junk, 0) == (found.span() if found else None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pattern", "piece"), [("a+b", "a"), (r"(a+)+b", "a"), (r"open .*map.*: no", "open map ")]
)
def test_it_sees_what_grows_faster(pattern: str, piece: str) -> None:
    def steps(size: int) -> int:
        counted = Counted(re.compile(pattern))
        counted.search(piece * size)
        return counted.steps

    with pytest.raises(AssertionError, match="steps for"):
        linear(steps, 6 if "+)" in pattern else 20)
