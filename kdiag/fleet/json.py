"""A fleet as one JSON document, `kdiag.fleet/1`, with every machine; `kdiag.fleet.document` says what is in it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from kdiag import __version__
from kdiag.compare.reading.memory import Memory, within
from kdiag.console.printable import in_json
from kdiag.fleet.asking import Asking
from kdiag.fleet.document import MachineRow, document, row, schema
from kdiag.fleet.kinds import troubles
from kdiag.fleet.limits import Judged
from kdiag.fleet.value import Fleet

#: The end of the document without its machines, which are the last key.
_END = '"machines": []\n}'
#: Bytes of causes that are kept at hand.
_REMEMBERED = 16 * 1024 * 1024


def render(fleet: Fleet, asking: Asking, limits: Sequence[Judged] = ()) -> str:
    """The document, ending in a newline: a machine on a line."""
    head = json.dumps(document(fleet, tuple(limits), __version__), indent=2, ensure_ascii=False).removesuffix(
        _END
    )
    causes: Memory[int, list[str]] = Memory()

    def of(kind: int) -> list[str]:
        within(_REMEMBERED, (causes,))
        if kind not in causes:
            found = sorted({t.cause for t in troubles(asking.summary(kind)) if t.cause})
            causes.keep(kind, found, sum(map(len, found)))
        return causes[kind]

    rows = (
        json.dumps(row(MachineRow(name, verdict, since, *asking.place(place), of(kind))), ensure_ascii=False)
        for name, kind, place, verdict, since in asking.machines()
    )
    listed = ",\n    ".join(rows)
    return in_json(f'{head}"machines": [\n    {listed}\n  ]\n}}') + "\n"


def schema_text() -> str:
    """The JSON Schema of the document."""
    return in_json(json.dumps(schema(), indent=2, ensure_ascii=False)) + "\n"
