"""A whole recording without its secrets: files, answers and report, all through one redactor."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import Enum
from typing import cast

from kdiag.model import Evidence, Report
from kdiag.recording import sensitive
from kdiag.recording.placeholders import KINDS
from kdiag.recording.redact import Redactor
from kdiag.system.recording_index import Json

_SINGULAR = {
    "addresses": "address",
    "kernel addresses": "kernel address",
    "tokens and values": "token or value",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Cleaned:
    """The parts of a recording after redaction. notes: what was done to a file, by its new name; names: new by old."""

    index: dict[str, Json]
    files: dict[str, bytes]
    report: Report
    notes: dict[str, str]
    names: dict[str, str]


def clean(
    index: Mapping[str, Json],
    files: Mapping[str, bytes],
    report: Report,
    redactor: Redactor,
    heads: Mapping[str, int],
) -> Cleaned:
    """Redact all parts. Files that tell secrets come first: what they tell may stand anywhere else. heads: names of
    files of which there are only the first so many bytes.
    """
    done: dict[str, bytes] = {}
    notes: dict[str, str] = {}
    names: dict[str, str] = {}
    for name in sorted(files, key=lambda n: (sensitive.TELLING.fullmatch(n.removeprefix("root")) is None, n)):
        before = Counter(redactor.counts)
        data = sensitive.redacted(name.removeprefix("root"), files[name], redactor)
        if len(files[name]) == heads.get(name):
            data = sensitive.without_cut_word(data, heads[name])
        if data != files[name]:
            notes[names.setdefault(name, redactor.text(name))] = "replaced: " + replaced(
                redactor.counts - before
            )
        done[names.setdefault(name, redactor.text(name))] = data
    answers = {
        key: _variables(value, redactor)
        if key == "env"
        else value
        if key == "schema"
        else redactor.value(value)
        for key, value in index.items()
    }
    return Cleaned(answers, done, report_without(report, redactor), notes, names)


def _variables(table: Json, redactor: Redactor) -> Json:
    if not isinstance(table, dict):
        return table
    return {n: sensitive.variable(n, v, redactor) if isinstance(v, str) else v for n, v in table.items()}


def report_without(report: Report, redactor: Redactor) -> Report:
    """The report with every text in it redacted."""
    return cast("Report", _mapped(report, redactor))


def _mapped(value: object, redactor: Redactor) -> object:
    if isinstance(value, Evidence):
        # What was seen in a file is treated as the file is.
        seen = sensitive.text(value.source, value.observed, redactor)
        return value._replace(source=redactor.text(value.source), observed=seen)
    if isinstance(value, str) and not isinstance(value, Enum):
        return redactor.text(value)
    if isinstance(value, tuple) and hasattr(value, "_make"):  # a NamedTuple, before what it is made of
        make: Callable[..., object] = type(value)
        return make(*(_mapped(item, redactor) for item in value))
    if isinstance(value, tuple):
        return tuple(_mapped(item, redactor) for item in value)
    if isinstance(value, dict):
        return {key: _mapped(item, redactor) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: _mapped(getattr(value, f.name), redactor) for f in dataclasses.fields(value)}
        return replace(value, **fields)
    return value


def replaced(counts: Mapping[str, int]) -> str:
    """`2 host names, 1 address`: counts by kind in words."""
    words: Counter[str] = Counter()
    for kind, count in counts.items():
        words[KINDS[kind]] += count
    return ", ".join(
        f"{count} {word if count > 1 else _SINGULAR.get(word, word.removesuffix('s'))}"
        for word, count in words.items()
        if count
    )
