"""Running commands in turn, and their wall time, CPU time and peak memory as medians: machines drift, ratios do not."""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a command: milliseconds of wall time and of CPU (all its children included), peak memory in MiB."""

    wall: float
    cpu: float
    memory: float


@dataclass(frozen=True, slots=True)
class Result:
    """The medians over all runs of one command."""

    name: str
    wall: float
    cpu: float
    memory: float
    runs: int


def once(command: Sequence[str], environment: Mapping[str, str]) -> Run:
    """Run a command with its output thrown away. Its exit status is its own business."""
    started = time.perf_counter()
    child = os.fork()
    if child == 0:
        # Not in a repository: a kdiag.toml or pyproject.toml there would be read, too.
        os.chdir("/")
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        try:
            os.execvpe(command[0], list(command), dict(environment))
        finally:
            os._exit(127)
    _, _, usage = os.wait4(child, 0)
    wall = time.perf_counter() - started
    return Run(wall * 1000, (usage.ru_utime + usage.ru_stime) * 1000, usage.ru_maxrss / 1024)


def compare(commands: Mapping[str, Sequence[str]], rounds: int) -> list[Result]:
    """Run the commands in turn, `rounds` times after one warm-up each: all meet the same moods of the machine."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for command in commands.values():
        once(command, environment)
    for index in range(rounds):
        for name, command in commands.items():
            runs[name].append(once(command, environment))
        if sys.stderr.isatty():
            print(f"\r{index + 1}/{rounds}", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r      \r", end="", file=sys.stderr)
    return [
        Result(
            name,
            statistics.median(r.wall for r in done),
            statistics.median(r.cpu for r in done),
            max(r.memory for r in done),
            len(done),
        )
        for name, done in runs.items()
    ]


def table(results: Sequence[Result], reference: str) -> str:
    """The results as a table, with the ratio of wall times to one of them."""
    from tabulate import tabulate

    base = next(r.wall for r in results if r.name == reference)
    rows = [
        (r.name, f"{r.wall:.0f}", f"{r.cpu:.0f}", f"{r.memory:.0f}", f"{r.wall / base:.2f}") for r in results
    ]
    headers = ("", "wall ms", "CPU ms", "peak MiB", f"x {reference}")
    return tabulate(rows, headers=headers, colalign=("left", *["right"] * 4))
