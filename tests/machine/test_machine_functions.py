"""Patterns of bpftrace over the lists of functions."""

from __future__ import annotations

import itertools
import re
from fnmatch import fnmatchcase

from kdiag.machine.names.functions import glob, glob_matches
from tests.support import steps
from tests.support.patterns import Counted


def test_a_star_is_any_text() -> None:
    patterns = ["".join(parts) for size in range(6) for parts in itertools.product("ab*", repeat=size)]
    names = ["".join(parts) for size in range(6) for parts in itertools.product("ab", repeat=size)]
    for pattern in patterns:
        found = [name for name in names if glob_matches(pattern, name)]
        assert found == [name for name in names if fnmatchcase(name, pattern)], pattern


def test_a_name_with_characters_of_regular_expressions_is_itself() -> None:
    assert glob_matches("a.*", "a.isra.0") and not glob_matches("a.*", "ab")
    assert glob_matches("*[x]+$*", "y[x]+$z") and not glob_matches("*", "a b")


def test_many_stars_cost_no_power_of_their_number() -> None:
    def work(stars: int) -> int:
        counted = Counted(re.compile(glob("*x" * stars + "y")))
        assert counted.fullmatch(b"x" * 400) is None
        return counted.steps

    steps.linear(work, 20)
