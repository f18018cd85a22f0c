"""Columns in words: what their machines are, what all have in common, whose names they are."""

from __future__ import annotations

from kdiag.compare.value import Column, Comparison

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
            common.append(f"{_words(name, values[0][0])}{same_kernel}")
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
        elif known and not any(word.startswith(_words(name, known[0])) for word in common):
            words.append(_words(name, known[0]))
    return tuple(words)


def _words(name: str, value: str) -> str:
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


def names(column: Column, start: str, most: int) -> str:
    """The first few inputs, without the directory that all are in, and how many more."""
    some = ", ".join(name.removeprefix(start) for name in column.machines[:most])
    more = len(column.machines) - most
    return f"{some} and {more} more" if more > 0 else some
