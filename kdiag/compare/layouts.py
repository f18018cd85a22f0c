"""A report's JSON cut into findings and capabilities without decoding it, in the three layouts that programs write:
kdiag's own, Python's `json.dumps` on one line, and the same without spaces (`jq -c`, `JSON.stringify`).

Cutting is safe where no string of JSON can hold the mark: a line feed stands between tokens only, and a quote inside a
string has a backslash before it. Who cuts has to check that each piece is whole.
"""

from __future__ import annotations

from typing import NamedTuple


class Layout(NamedTuple):
    """The marks between the parts. next: between two items of a list. last: what an item of the list of findings has,
    and no object within it, where `next` may stand between such, too; empty where it may not. evidence: before and
    after a finding's.
    """

    findings: bytes
    capabilities: bytes
    rest: bytes
    next: bytes
    last: bytes
    evidence: tuple[bytes, bytes]


class Pieces(NamedTuple):
    """A document: what is before and behind the two lists, and their items from the value of their `id` on, without the
    last brace.
    """

    head: bytes
    findings: list[bytes]
    capabilities: list[bytes]
    rest: bytes
    layout: Layout


_OWN = Layout(
    b'\n  "findings": [\n    {\n      "id": ',
    b'\n    }\n  ],\n  "capabilities": [\n    {\n      "id": ',
    b'\n    }\n  ],\n  "',
    b'\n    },\n    {\n      "id": ',
    b"",
    (b'\n      "evidence": [\n', b'\n      ],\n      "'),
)
_SPACED = Layout(
    b'"findings": [{"id": ',
    b'}], "capabilities": [{"id": ',
    b'}], "',
    b'}, {"id": ',
    b'"blocks": [',
    (b'"evidence": [{', b'}], "'),
)
_TIGHT = Layout(
    b'"findings":[{"id":',
    b'}],"capabilities":[{"id":',
    b'}],"',
    b'},{"id":',
    b'"blocks":[',
    (b'"evidence":[{', b'}],"'),
)


def cut(document: bytes) -> Pieces | None:
    """The pieces of a document, None where it has another layout."""
    for layout in (_OWN,) if b"\n" in document[:3] else (_SPACED, _TIGHT):
        head, found, body = document.partition(layout.findings)
        findings, second, body = body.partition(layout.capabilities)
        capabilities, third, rest = body.partition(layout.rest)
        if found and second and third:
            every = _items(findings, layout)
            items = capabilities.split(layout.next)
            return None if every is None else Pieces(head, every, items, b'"' + rest, layout)
    return None


def _items(text: bytes, layout: Layout) -> list[bytes] | None:
    """The findings: remedies, which have an id, too, stay with theirs."""
    parts = text.split(layout.next)
    if not layout.last:
        return parts
    items, begun = [], 0
    for index, part in enumerate(parts):
        if layout.last in part:
            one = part if begun == index else layout.next.join(parts[begun : index + 1])
            items.append(one)
            begun = index + 1
    return items if begun == len(parts) else None


def without_evidence(finding: bytes, layout: Layout) -> tuple[bytes, bytes] | None:
    """A finding without its evidence, and its evidence as a list of JSON; None where it has none."""
    before, after = layout.evidence
    start = finding.find(before)
    end = finding.find(after, start)
    if start < 0 or end < 0:
        return None
    evidence = finding[start + before.rindex(b"[") : end + after.index(b"]") + 1]
    return finding[:start] + b'"evidence":[],"' + finding[end + len(after) :], evidence
