"""The names and forms of a script by the release that knows them first, and constants that only headers have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.btf.sources import NoTypes
from kdiag.explain.probe import types
from kdiag.explain.script import fields
from kdiag.explain.script.value import Need
from kdiag.knowledge.scripts.language import forms, names
from kdiag.parse.bpftrace.c_types import TYPE_NAMES
from kdiag.parse.bpftrace.uses import Chain
from kdiag.parse.btf import BtfError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kdiag.explain.here import Here
    from kdiag.knowledge.tools.behaviour import Version
    from kdiag.parse.bpftrace.conditions import Line
    from kdiag.parse.bpftrace.lexer import Word
    from kdiag.parse.bpftrace.script import Script
    from kdiag.parse.bpftrace.uses import Use

GROUP = "Language"


def needs(script: Script, uses: list[Use], guarded: list[Line], here: Here) -> Iterator[Need]:
    """What is newer than the installed release, and names that nothing defines."""
    behaviour = here.machine.tools.behaviour
    release = behaviour.version if behaviour is not None else None
    own = {name for one in script.definitions for name in (one.name, *one.parameters)}
    own |= {line.name for line in guarded if line.kind == "define"}
    used = {**fields.named(uses), **fields.called(uses)}
    known = names()
    for name, line in used.items():
        since = known.get(name)
        if name in own or since is None:
            continue
        yield from _newer(name, since, "", release, line)
    for key, line in _forms(script, uses):
        form = forms()[key]
        yield from _newer(form.says, form.since, form.instead, release, line)
    for name, line in fields.named(uses).items():
        if name not in own and name not in known and not name.startswith("__builtin_"):
            yield from _constant(name, line, script, guarded, here)


def _newer(name: str, since: Version, instead: str, release: Version | None, line: int) -> Iterator[Need]:
    needed = ".".join(map(str, since[:2]))
    if release is None:
        if since > (0, 11, 0):
            yield Need(GROUP, "unknown", name, f"requires bpftrace {needed} or newer", line)
        return
    if release < since:
        hint = f"; older releases take {instead}" if instead else ""
        have = ".".join(map(str, release))
        yield Need(
            GROUP, "fails", name, f"requires bpftrace {needed} or newer, and this is {have}{hint}", line
        )


def _constant(name: str, line: int, script: Script, guarded: list[Line], here: Here) -> Iterator[Need]:
    """A name that is neither bpftrace's nor the script's: of an enum of the kernel, or of a header."""
    if name in TYPE_NAMES or name.endswith("_t"):
        return
    if any(name == word.text for one in script.definitions for word in one.body if one.kind == "enum"):
        return
    included = any(one.kind == "include" for one in guarded)
    unsure = any(one.kind == "include" and not one.certain for one in guarded)
    if included:
        return  # whether that header has the name was not looked at; that it compiles is judged where it is included
    try:
        if types.constant(here.types, name):
            return
        if not types.whole(here.types):
            yield Need(
                GROUP, "unknown", name, "a constant, of the kernel's types only a part was recorded", line
            )
            return
    except (NoTypes, BtfError):
        unsure = True
    if unsure:
        yield Need(GROUP, "unknown", name, "a constant whose origin is not known", line)
        return
    yield Need(GROUP, "fails", name, "neither bpftrace nor an enum of this kernel has this name", line)


def _forms(script: Script, uses: list[Use]) -> Iterator[tuple[str, int]]:
    """The forms that a script uses, each with the line where it is first."""
    found: dict[str, int] = {}
    for use in uses:
        if isinstance(use, Chain) and (use.root, use.text) == ("name", "args") and use.steps[:1]:
            step = use.steps[0]
            if step.sign == ".":
                found.setdefault("args-dot", step.word.line)
    first = script.probes[0].line
    if script.config:
        found["config"] = first
    if script.maps:
        found["map-declaration"] = script.maps[0].line
    if script.imports:
        found["import"] = first
    for one in script.definitions:
        if one.kind in ("macro", "fn"):
            found.setdefault("macro" if one.kind == "macro" else "function", one.line)
    for probe in script.probes:
        _in_body(probe.body, found)
    yield from found.items()


def _in_body(words: tuple[Word, ...], found: dict[str, int]) -> None:
    for at, word in enumerate(words):
        following = words[at + 1] if at + 1 < len(words) else None
        if word.kind == "sign" and word.text == "..":
            found.setdefault("for-range", word.line)
        if word.kind != "name" or following is None:
            continue
        if word.text == "let":
            found.setdefault("let", word.line)
        elif word.text in ("true", "false"):
            found.setdefault("booleans", word.line)
        elif (
            word.text == "for" and following.text == "(" and at + 3 < len(words) and words[at + 3].text == ":"
        ):
            found.setdefault("for-map", word.line)
        elif word.text in ("if", "for", "while") and following.text != "(":
            found.setdefault("bare-condition", word.line)
