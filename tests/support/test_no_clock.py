"""No test looks at a clock: a limit in seconds holds on the machine that it was written on."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
#: The one module that waits, and the lab's programs, which are no tests: they build and boot kernels.
WAITING = TESTS / "support" / "waiting.py"
FILES = sorted(
    path
    for path in TESTS.rglob("*.py")
    if path not in (WAITING, Path(__file__)) and (path.name.startswith("test_") or "lab" not in path.parts)
)
#: What stands in for a tool that is examined hangs on purpose.
FAKES = {
    TESTS / "smoke" / "fake_bpftrace.py": {"import time"},
    # Time stamps of a journal, written and read; nothing is measured.
    TESTS / "fix" / "test_made.py": {"import time"},
    TESTS / "fix" / "test_packages_proof.py": {"import time"},
}

_MODULES = {"time", "timeit", "sched"}
_CALLS = {"now", "utcnow", "today", "getrusage", "times", "clock_gettime", "clock_gettime_ns"}
_IN_TEXT = re.compile(r"\b(perf_counter|monotonic|process_time|thread_time|time\.time|timeit)\b *\(")


def clocks(source: str) -> Iterator[tuple[int, str]]:
    """(line, what) of everything in a module that measures time, or limits it by a number of its own."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, f"import {name.name}") for name in node.names if name.name in _MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in _MODULES:
            yield node.lineno, f"import {node.module}"
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr in _CALLS:
                yield node.lineno, f"{node.func.attr}()"
            for word in node.keywords:
                if (
                    word.arg == "timeout"
                    and isinstance(word.value, ast.Constant)
                    and word.value.value is not None
                ):
                    yield node.lineno, "a timeout other than HANG"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _IN_TEXT.search(node.value):
            yield node.lineno, "a clock in the text of a program"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TESTS)))
def test_no_test_looks_at_a_clock(path: Path) -> None:
    found = [(line, what) for line, what in clocks(path.read_text()) if what not in FAKES.get(path, ())]
    assert not found, "count the work instead (tests/support/steps.py), or wait for what must happen"


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "from time import monotonic as now",
        "import os, timeit",
        "resource.getrusage(0)",
        "start = datetime.now()",
        "os.times()",
        "process.wait(timeout=20)",
        "subprocess.run(argv, timeout=0.5)",
        "code = 'import time; print(time.monotonic())'",
    ],
)
def test_what_would_look_is_found(source: str) -> None:
    assert list(clocks(source))


@pytest.mark.parametrize(
    "source", ["run(argv, timeout=HANG)", "wait_until(path.exists)", "launch(argv, 0.3)", "os.utime(path)"]
)
def test_what_waits_is_not(source: str) -> None:
    assert not list(clocks(source))
