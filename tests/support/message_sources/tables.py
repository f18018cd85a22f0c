"""The files of texts, `kdiag/knowledge/texts/*.json`, read and written: one text a line, sorted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

from kdiag.knowledge.texts.templates import File
from tests.support.message_sources.standing import Sources, Stands
from tests.support.message_sources.trees import shown
from tests.support.paths import REPOSITORY

PLACE = REPOSITORY / "kdiag" / "knowledge" / "texts"


def load(tool: str, place: Path = PLACE) -> File:
    """A tool's file; an empty one where there is none."""
    path = place / f"{tool}.json"
    if path.is_file():
        return cast("File", json.loads(path.read_text()))
    return {"tool": tool, "before": "", "read": [], "left_out": {}, "templates": {}}


def entry(one: Stands) -> list[str | None]:
    """A text as the files have it."""
    return [one.text, shown(one.first), None if one.last is None else shown(one.last), one.place]


def filled(
    before: File, read: Sources, rows: Mapping[str, Iterable[Stands]], left_out: Mapping[str, int]
) -> File:
    """The file with what was read now."""
    return {
        "tool": before["tool"],
        "before": before["before"],
        "read": [shown(release) for release in read.releases],
        "left_out": dict(sorted(left_out.items())),
        "templates": {
            row: sorted((entry(one) for one in several), key=lambda text: text[0] or "")
            for row, several in sorted(rows.items())
            if several
        },
    }


def written(content: File) -> str:
    """As JSON with a text in each line."""
    lines = ["{"]
    for key in ("tool", "before", "read"):
        lines.append(f"  {json.dumps(key)}: {json.dumps(content[key], ensure_ascii=False)},")  # type: ignore[literal-required]
    lines.append('  "left_out": {')
    reasons = [f"    {json.dumps(reason)}: {number}" for reason, number in content["left_out"].items()]
    lines += [",\n".join(reasons)] if reasons else []
    lines += ["  },", '  "templates": {']
    rows = []
    for row, texts in content["templates"].items():
        inner = ",\n".join(f"      {json.dumps(text, ensure_ascii=False)}" for text in texts)
        rows.append(f"    {json.dumps(row)}: [\n{inner}\n    ]")
    lines += [",\n".join(rows)] if rows else []
    return "\n".join([*lines, "  }", "}", ""])
