"""Which release of bpftrace knows which name and which form of a script; the table is in `language.json`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple, cast

from kdiag.knowledge.tables import table
from kdiag.knowledge.tools.behaviour import Version
from kdiag.knowledge.tools.stock_scripts import version


class Form(NamedTuple):
    """A form of the language. says: how it is written; instead: what older releases take, empty where nothing does."""

    since: Version
    says: str
    instead: str
    source: str


@cache
def names() -> Mapping[str, Version]:
    """Builtins and functions, with the first release that has them; 0.9.0 stands for older ones, too."""
    rows = cast("Mapping[str, Mapping[str, str]]", table("scripts/language"))["names"]
    return {name: version(since) for name, since in rows.items()}


@cache
def forms() -> Mapping[str, Form]:
    """Forms of the language by a short name."""
    rows = cast("Mapping[str, Mapping[str, Mapping[str, str]]]", table("scripts/language"))["syntax"]
    return {
        name: Form(version(row["since"]), row["says"], row["instead"], row["source"])
        for name, row in rows.items()
    }


@cache
def about() -> Mapping[str, tuple[str, str]]:
    """Of each builtin and function how it is written, and what it is; those with a number as `argN`."""
    rows = cast("Mapping[str, Mapping[str, list[str]]]", table("scripts/words"))["words"]
    return {name: (row[0], row[1]) for name, row in rows.items()}


@cache
def _examples() -> Mapping[str, str]:
    rows = cast("Mapping[str, list[tuple[str, str]]]", table("scripts/words"))["examples"]
    return {name: command for words, command in rows for name in (words.split() or [""])}


def example(name: str) -> tuple[str, ...]:
    """A whole command that shows what a builtin or function does, or where it is explained."""
    known = _examples()
    return (known.get(name, known[""]).replace("{name}", name),)
