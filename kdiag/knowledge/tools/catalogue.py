"""The catalogue of messages: `kdiag/knowledge/messages/*.json`, read strictly, once, and only when asked for.

A file has `tool` (who prints its messages), `source` (the repository in which they were read) and `messages`. A row is

    {"id": "bpftrace.capability",                       the file's name, or the program's, and what it is about
     "pattern": "Missing (?P<capability>CAP_[A-Z_]+)",  searched in a line; a list: any of them; absent: see below
     "weight": "stop",                                  see `Weight`
     "causes": ["privileges.capabilities", "@bpf"],     ids of findings, likeliest first; @: a list of `causes.json`
     "meaning": "bpftrace requires root.",              ours, in one or two sentences
     "example": "ERROR: Missing CAP_BPF capability",    as it was printed, or as the source words it
     "source": "src/main.cpp check_privileges(): ...",  the file, the function, the condition
     "call": "bpf.map",                                 the system call that failed, of `calls.json`: see `errnos`
     "else_program": true,                              where none of the causes is here, it lies in the program
     "misfit": true,                                    as that, but the kernel does not have what the program asks for
     "since": "0.25.0", "until": "0.26.1",              releases that print it; absent: all
     "misleads": "...", "harmless_if": ["btf.vmlinux"], "tool": "bcc"}

Within a file the particular comes before the general, and so do the files: for one line the first row that fits counts.
A row without a pattern is one for a class of messages: `kdiag.knowledge.texts` has their texts. It is asked where no
pattern fits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import cast, get_args

from kdiag.knowledge.tables import table
from kdiag.knowledge.tools.behaviour import Version
from kdiag.knowledge.tools.errnos import calls
from kdiag.knowledge.tools.message import Message, Weight

#: The files, in the order in which their rows are tried.
FILES = (
    "bpftrace",
    "clang",
    "kmod",
    "loader",
    "libbpf",
    "bcc",
    "bpftool",
    "packages",
    "programs",
    "kernel",
    "ebpf",
    "libbpf-rs",
    "aya",
    "general",
)
#: The file of rows for what any program says: they count where nothing else is known of a line.
GENERAL = "any."
_NEEDED = frozenset({"id", "weight", "causes", "meaning", "example"})
_KNOWN = _NEEDED | {
    "pattern",
    "source",
    "since",
    "until",
    "misleads",
    "harmless_if",
    "tool",
    "call",
    "else_program",
    "misfit",
}
_LISTS = ("causes", "harmless_if")
_FLAGS = ("else_program", "misfit")


class BadRow(ValueError):
    """A row that cannot be used, with its file and number."""


@cache
def catalogue() -> tuple[Message, ...]:
    """All known messages; for one line the first that fits counts."""
    lists = cast("Mapping[str, list[str]]", table("messages/causes"))
    return tuple(message for name in FILES for message in messages(name, table(f"messages/{name}"), lists))


def messages(name: str, content: object, lists: Mapping[str, list[str]]) -> tuple[Message, ...]:
    """The messages of a file's content. Raises BadRow where it is not as the module says."""
    if not isinstance(content, dict) or content.keys() != {"tool", "source", "messages"}:
        raise BadRow(f"{name}.json: requires `tool`, `source` and `messages`, and nothing else")
    found = []
    for number, row in enumerate(content["messages"], 1):
        try:
            found.append(_message(row, content["tool"], lists))
        except (ValueError, TypeError) as error:
            called = row.get("id", "") if isinstance(row, dict) else ""
            raise BadRow(f"{name}.json, row {number} ({called}): {error}") from error
    return tuple(found)


def _message(row: object, tool: str, lists: Mapping[str, list[str]]) -> Message:
    if not isinstance(row, dict):
        raise TypeError("a row is an object")
    if wrong := sorted((_NEEDED - row.keys()) | (row.keys() - _KNOWN)):
        raise ValueError(f"absent or not known: {', '.join(wrong)}")
    words = {key: value for key, value in row.items() if key not in (*_LISTS, "pattern", *_FLAGS)}
    if not all(isinstance(value, str) and value for value in words.values()):
        raise TypeError("a text is absent")
    if not all(_strings(row.get(key, [])) for key in _LISTS):
        raise TypeError(f"{' and '.join(_LISTS)} are lists of texts")
    if row["weight"] not in get_args(Weight):
        raise ValueError(f"`weight` is one of {', '.join(get_args(Weight))}")
    return Message(
        row["id"],
        _pattern(row["pattern"]) if "pattern" in row else "",
        cast("Weight", row["weight"]),
        tuple(cause for name in row["causes"] for cause in _causes(name, lists)),
        row["meaning"],
        _version(row.get("since")),
        _version(row.get("until")),
        row["example"],
        row.get("misleads", ""),
        tuple(row.get("harmless_if", ())),
        row.get("tool", tool),
        row.get("source", ""),
        _call(row.get("call", "")),
        *(row.get(flag, False) is True for flag in _FLAGS),
    )


def _call(name: str) -> str:
    if name and name not in calls():
        raise ValueError(f"no call {name} in calls.json")
    return name


def _pattern(value: object) -> str:
    patterns = [value] if isinstance(value, str) else value
    if not patterns or not _strings(patterns):
        raise TypeError("`pattern` is a text, or a list of texts")
    return "|".join(cast("list[str]", patterns))


def _strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) and one for one in value)


def _causes(name: str, lists: Mapping[str, list[str]]) -> list[str]:
    if not name.startswith("@"):
        return [name]
    if name[1:] not in lists:
        raise ValueError(f"no list {name} in causes.json")
    return lists[name[1:]]


def _version(text: str | None) -> Version | None:
    if text is None:
        return None
    if not re.fullmatch(r"\d+\.\d+(\.\d+)?", text):
        raise ValueError(f"not a release: {text}")
    major, minor, *patch = (int(part) for part in text.split("."))
    return (major, minor, patch[0] if patch else 0)
