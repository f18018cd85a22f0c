"""Columns in words: what their machines are, what all have in common, whose names they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from kdiag.compare.reading.inputs import SUFFIXES
from kdiag.compare.value import Column, Comparison

#: What names of files end in that are no part of a machine's name.
_SUFFIXES = (*SUFFIXES, ".tar.gz", ".tar")

_PLURALS = {
    "release": "kernel releases",
    "arch": "architectures",
    "kernel": "kinds of kernel",
    "distribution": "distributions",
    "container": "kinds of container",
    "vm": "kinds of virtual machine",
    "bpftrace": "releases of bpftrace",
    "user": "users",
}


def common_values(comparison: Comparison) -> tuple[str, ...]:
    """The properties that all of several columns have the same, in words."""
    first = dict(comparison.columns[0].values) if len(comparison.columns) > 1 else {}
    common = []
    for name, values in first.items():
        same = len(values) == 1 and all(
            dict(c.values)[name][:1] == ((values[0][0], c.count),) for c in comparison.columns
        )
        if same and values[0][0]:
            same_kernel = ": one kernel, so what it decides is the same" if name == "release" else ""
            common.append(f"{in_words(name, values[0][0])}{same_kernel}")
    return tuple(common)


def own_values(column: Column, common: tuple[str, ...]) -> tuple[str, ...]:
    """The properties of a column beyond those that all have."""
    words = []
    for name, values in column.values:
        known = [value for value, _ in values if value]
        if name == "kernel" and column.count > 1:
            continue
        if len(known) > 1:
            words.append(f"{len(known)} {_PLURALS[name]}")
        elif known and not any(word.startswith(in_words(name, known[0])) for word in common):
            words.append(in_words(name, known[0]))
    return tuple(words)


def in_words(name: str, value: str) -> str:
    """The value of a property as it is said alone."""
    if name == "bpftrace":
        return f"bpftrace {value}"
    return f"as {value}" if name == "user" else value


def directory_of(comparison: Comparison) -> str:
    """The directory that all inputs are in, with its slash; empty if they are in several, or few."""
    machines = [name for column in comparison.columns for name in column.machines]
    if len(machines) < 2:
        return ""
    low, high = min(machines), max(machines)
    same = next(
        (i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high))
    )
    return low[: low.rfind("/", 0, same) + 1]


def machine_names(inputs: Sequence[str]) -> tuple[str, ...]:
    """What the machines behind these inputs are called: the last part of the path, without what files end in; of those
    that are called alike, as many parts before it as tell them apart.
    """
    parts = [[part for part in _bare(name).split("/") if part] or [name] for name in inputs]
    told = [1] * len(parts)
    while True:
        called = ["/".join(part[-count:]) for part, count in zip(parts, told, strict=True)]
        often = Counter(called)
        again = [i for i, name in enumerate(called) if often[name] > 1 and told[i] < len(parts[i])]
        if not again:
            return tuple(called)
        for index in again:
            told[index] += 1


def _bare(name: str) -> str:
    return next((name.removesuffix(s) for s in _SUFFIXES if name.endswith(s) and name != s), name)


def names(column: Column, start: str, most: int) -> str:
    """The first few inputs, without the directory that all are in, and how many more."""
    some = ", ".join(name.removeprefix(start) for name in column.machines[:most])
    more = len(column.machines) - most
    return f"{some} and {more} more" if more > 0 else some
