"""A comparison as one JSON document, `kdiag.comparison/1`, with all columns. Additions keep the number."""

from __future__ import annotations

import json
import pkgutil

from kdiag import __version__
from kdiag.compare.value import Change, Column, Comparison, Group, Row
from kdiag.console.printable import in_json

SCHEMA = "kdiag.comparison/1"


def render(comparison: Comparison) -> str:
    """The document, ending in a newline; ASCII only, so that it can be shown and sent anywhere."""
    return in_json(json.dumps(document(comparison), indent=2, ensure_ascii=False)) + "\n"


def schema_text() -> str:
    """The JSON Schema (draft 2020-12) of the document, as shipped."""
    return (pkgutil.get_data(__package__, "comparison.schema.json") or b"").decode()


def document(comparison: Comparison) -> dict[str, object]:
    """The document as a value."""
    return {
        "schema": SCHEMA,
        "kdiag": __version__,
        "title": comparison.title,
        "summary": comparison.summary,
        "machines": comparison.total,
        "kinds": comparison.kinds,
        "baseline": comparison.baseline,
        "columns": [_column(column) for column in comparison.columns],
        "changes": [_change(change) for change in comparison.changes],
        "groups": [_group(group) for group in comparison.groups],
        "alike": [
            {
                "kind": row.kind,
                "id": row.id,
                "title": row.title,
                "status": row.cells[0].status if row.cells else "",
            }
            for row in comparison.alike
        ],
        "information": list(comparison.information),
        "skipped": [{"name": name, "message": message} for name, message in comparison.skipped],
    }


def _column(column: Column) -> dict[str, object]:
    return {
        "key": column.key,
        "name": column.name,
        "count": column.count,
        "machines": column.machines,
        "values": {
            name: [{"value": value, "count": count} for value, count in values]
            for name, values in column.values
        },
    }


def _change(change: Change) -> dict[str, object]:
    return {
        "kind": change.kind,
        "id": change.id,
        "title": change.title,
        "was": change.was,
        "now": change.now,
        "machines": change.machines,
        "columns": change.columns,
        "because": change.because,
        "chain": [{"id": link.id, "summary": link.summary} for link in change.chain],
        "next": change.next,
    }


def _group(group: Group) -> dict[str, object]:
    return {
        "id": group.id,
        "cause": group.cause,
        "machines": group.machines,
        "rows": [_row(row) for row in group.rows],
    }


def _row(row: Row) -> dict[str, object]:
    return {
        "kind": row.kind,
        "id": row.id,
        "title": row.title,
        "machines": row.machines,
        "cells": [
            {"status": c.status, "because": c.because, "cause": c.cause, "worse": c.worse} for c in row.cells
        ],
    }
