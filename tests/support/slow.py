"""Which tests are slow: those that say so, and those whose code starts programs or examines this machine.

A test, its fixtures and the functions of the tests that they call are looked through for the names below. So a new test
needs no mark for it; `@pytest.mark.slow` is for those that compute for long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType

import pytest

TESTS = Path(__file__).parents[1]

#: What starts a program or another process, and the live machine, whose tools are started.
STARTS = frozenset(
    {"subprocess", "Popen", "multiprocessing", "fork", "launch", "start", "Live", "Thread", "Run"}
)


def is_slow(item: pytest.Function) -> bool:
    """Whether a test takes longer than a developer waits."""
    if item.get_closest_marker("slow") is not None:
        return True
    functions: list[Callable[..., object]] = [item.function]
    for definitions in item._fixtureinfo.name2fixturedefs.values():
        functions += [definition.func for definition in definitions]
    seen: set[FunctionType] = set()
    return any(_starts(_plain(function), seen) for function in functions)


def _plain(function: object) -> object:
    """What was written, where a decorator put something around it."""
    function = getattr(function, "hypothesis", function)
    function = getattr(function, "inner_test", function)
    return getattr(function, "__wrapped__", function)


def _starts(function: object, seen: set[FunctionType]) -> bool:
    if not isinstance(function, FunctionType) or function in seen or not _ours(function):
        return False
    seen.add(function)
    names = set(_names(function.__code__))
    if names & STARTS:
        return True
    return any(_starts(_plain(function.__globals__.get(name)), seen) for name in names)


def _ours(function: FunctionType) -> bool:
    return Path(function.__code__.co_filename).is_relative_to(TESTS)


def _names(code: CodeType) -> Iterator[str]:
    """All names that a function uses, those in functions inside it as well."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
