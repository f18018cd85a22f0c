"""What is in a recording, or would go in: every file with its size and what was done to it, every answer in words."""

from __future__ import annotations

import json
from collections.abc import Iterator

from kdiag.console.wrap import clean, columns, pad
from kdiag.recording.clean import replaced
from kdiag.recording.make import Made
from kdiag.system.recording_index import Json

#: Keys of recording.json, and what their entries are.
_ANSWERS = {
    "absent": "paths that are not there",
    "unavailable": "questions without an answer",
    "stats": "owners, modes and sizes of files",
    "listings": "directories' names",
    "filesystems": "file system types",
    "probes": "outcomes of system calls",
}


def listing(made: Made, *, unicode: bool = True) -> str:
    """The whole list, a line each, so that a person can read what will be sent before it is written."""
    lines = ["Files", *_files(made, unicode)]
    lines += ["", "Answers (recording.json)", *_answers(made.index, unicode)]
    lines += ["", _secrets(made)]
    return "\n".join(lines) + "\n"


def _files(made: Made, unicode: bool) -> Iterator[str]:
    members = made.members(directory=False)
    names = sorted(members, key=lambda n: (n.startswith("root/"), n))
    shown = {name: clean(name.removeprefix("root"), unicode=unicode) for name in names}
    width = min(max(map(columns, shown.values())), 48)
    for name in names:
        note = made.notes.get(name, "as it was read" if name.startswith("root/") else _OWN[name])
        yield f"  {pad(shown[name], width)} {len(members[name]):>9}  {note}"


_OWN = {"recording.json": "the answers below", "report.json": "what the checks found"}


def _answers(index: dict[str, Json], unicode: bool) -> Iterator[str]:
    for key, what in _ANSWERS.items():
        value = index.get(key)
        count = len(value) if isinstance(value, dict | list) else 0
        yield f"  {key:<12} {count:>4} {what}, {len(json.dumps(value))} bytes"
    yield from (f"  {key:<12} {_words(index.get(key), unicode)}" for key in ("uname", "identity"))
    for key in ("env", "which"):
        table = index.get(key)
        for name, value in table.items() if isinstance(table, dict) else ():
            shown = "not set" if key == "env" else "not found"
            yield f"  {key:<12} {clean(name)}: {shown if value is None else clean(str(value), unicode=unicode)}"
    commands = index.get("commands")
    for command in commands if isinstance(commands, list) else ():
        if isinstance(command, dict) and isinstance(argv := command.get("argv"), list):
            said = (
                command.get("unavailable") or f"status {command.get('status')}, {command.get('stdout')!r:.60}"
            )
            yield "  command      " + clean(f"{' '.join(map(str, argv))}: {said}", unicode=unicode)


def _words(table: Json, unicode: bool) -> str:
    if not isinstance(table, dict):
        return "not known"
    return clean(", ".join(f"{k} {v}" for k, v in table.items()), unicode=unicode)


def _secrets(made: Made) -> str:
    if made.index.get("redacted") is None:
        return "Nothing was replaced (--no-redact): host and user names, addresses and tokens are in it as they are."
    if not made.counts:
        return "No secrets were found, so nothing was replaced."
    return (
        f"Replaced throughout: {replaced(made.counts)}. The same secret has the same placeholder everywhere."
    )
