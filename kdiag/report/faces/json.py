"""The report as one stable JSON document, `kdiag.report/1`; what is in it is defined in `kdiag.report.document`."""

from __future__ import annotations

import json

from kdiag.console.printable import in_json
from kdiag.model import Report
from kdiag.report.document import document, schema


def render(report: Report) -> str:
    """The document, ending in a newline; it can always be encoded as UTF-8: write bytes, whatever the locale.

    A byte that was not UTF-8 (a surrogate, which JSON cannot carry) becomes the text `\\x80`. All that
    is not printable is escaped, C1 and bidirectional characters too: the document may be shown on a terminal.
    """
    return _text(document(report))


def joined(report: str, smoke: str) -> str:
    """One document of a rendered report and a rendered smoke run, which goes under `smoke`."""
    return _text({**json.loads(report), "smoke": json.loads(smoke)})


def schema_text() -> str:
    """The JSON Schema of the document."""
    return _text(schema())


def _text(value: object) -> str:
    return in_json(json.dumps(value, indent=2, ensure_ascii=False)) + "\n"
