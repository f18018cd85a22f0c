"""Which tests are slow: those that say so, and those whose code tells it.

Slow are tests that start programs or examine this machine, and tests that try hundreds of generated inputs. A test, its
fixtures and the functions of the tests that they call are looked through for the names below, so a new test needs no
mark; `@pytest.mark.slow` is for those that compute for long.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType

import pytest

TESTS = Path(__file__).parents[1]

#: What starts a program or another process: modules, functions and fixtures; and the live machine, whose tools are run.
STARTS = frozenset(
    {
        *("subprocess", "Popen", "multiprocessing", "fork", "launch", "start", "Thread"),
        *("Live", "Run", "case", "fake", "programs"),
    }
)


def is_slow(item: pytest.Function) -> bool:
    """Whether a test takes longer than a developer waits."""
    if item.get_closest_marker("slow") is not None:
        return True
    if hasattr(item.function, "hypothesis") or not STARTS.isdisjoint(item.fixturenames):
        return True
    functions = [
        item.function,
        *(one.func for all_ in item._fixtureinfo.name2fixturedefs.values() for one in all_),
    ]
    return any(_starts(_plain(function)) for function in functions)


def _plain(function: object) -> object:
    """What was written, where a decorator put something around it."""
    function = getattr(function, "hypothesis", function)
    function = getattr(function, "inner_test", function)
    return getattr(function, "__wrapped__", function)


#: What was found out about a function; those that are being looked at count as quick, which ends circles.
_known: dict[FunctionType, bool] = {}


def _starts(function: object) -> bool:
    if not isinstance(function, FunctionType) or not _ours(function):
        return False
    if function not in _known:
        _known[function] = False
        names = set(_names(function.__code__))
        _known[function] = not STARTS.isdisjoint(names) or any(
            _starts(_plain(function.__globals__.get(name))) for name in names
        )
    return _known[function]


def _ours(function: FunctionType) -> bool:
    return function.__code__.co_filename.startswith(f"{TESTS}/")


def _names(code: CodeType) -> Iterator[str]:
    """All names that a function uses, those in functions inside it as well."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
