"""The three layouts in which programs write a report's JSON: kdiag's own, Python's `json.dumps` on one line, and the
same without spaces (`jq -c`, `JSON.stringify`); and where findings and capabilities end in them, without decoding.

Cutting is safe where no string of JSON can hold the mark: a line feed stands between tokens only, and a quote inside a
string has a backslash before it. Who cuts has to check that each piece is whole.
"""

from __future__ import annotations

import re
from typing import NamedTuple

Held = bytes | bytearray


class Layout(NamedTuple):
    """The marks between the parts. next: between two items of a list. last: what the last key of a finding begins
    with where `next` may stand within a finding, too; empty where it may not. evidence: before and after a finding's.
    stop: what ends a document, its last `kept` bytes are part of it.
    """

    begins: bytes
    findings: bytes
    capabilities: bytes
    rest: bytes
    next: bytes
    last: bytes
    evidence: tuple[bytes, bytes]
    stop: bytes
    kept: int


_OWN = Layout(
    b'{\n  "',
    b'\n  "findings": [\n    {\n      "id": ',
    b'\n    }\n  ],\n  "capabilities": [\n    {\n      "id": ',
    b'\n    }\n  ],\n  "',
    b'\n    },\n    {\n      "id": ',
    b"",
    (b'\n      "evidence": [\n', b'\n      ],\n      "'),
    b"\n}",
    2,
)


def _on_one_line(space: bytes) -> Layout:
    """That of a document without line feeds. space: what stands behind each comma and colon."""
    colon, comma = b":" + space, b"," + space
    return Layout(
        b'{"schema"' + colon,
        b'"findings"' + colon + b'[{"id"' + colon,
        b"}]" + comma + b'"capabilities"' + colon + b'[{"id"' + colon,
        b"}]" + comma + b'"',
        b"}" + comma + b'{"id"' + colon,
        b'"blocks"' + colon + b"[",
        (b'"evidence"' + colon + b"[{", b"}]" + comma + b'"'),
        b"\n",
        0,
    )


#: Evidence as kdiag writes it, in ASCII; whatever else may be some, too, and is read to find out.
_TEXT = rb'"[ !#-\[\]-~]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[ !#-\[\]-~]*)*"'
_KEYS = rb'\{ "source": %b, "observed": %b(?:, "side": %b)? \}' % (_TEXT, _TEXT, _TEXT)
_PIECE = re.sub(rb"(?<!\[) (?!!)", rb"[ \\t\\n\\r]*", _KEYS)
EVIDENCE = re.compile(rb"\[[ \t\n\r]*%b(?:,[ \t\n\r]*%b)*[ \t\n\r]*\]" % (_PIECE, _PIECE))

LAYOUTS = (_OWN, _on_one_line(b" "), _on_one_line(b""))


def finding_end(held: Held, at: int, layout: Layout) -> tuple[int, bytes] | None:
    """Where the finding ends that begins at `at`, and the mark behind it; None where that is not seen."""
    if layout.last:
        # Remedies, which have an id, too, stay with their finding.
        end = held.find(layout.last, at)
        end = held.find(b"]", end + len(layout.last)) + 1 if end >= 0 else 0
    else:
        end = held.find(layout.next[:6], at)
    if end > 0:
        for mark in (layout.next, layout.capabilities):
            if held.startswith(mark, end):
                return end, mark
    return None


def capability_end(held: Held, at: int, layout: Layout) -> tuple[int, bytes] | None:
    """The same of a capability."""
    following = held.find(layout.next, at)
    last = held.find(layout.rest, at, following if following >= 0 else len(held))
    if last >= 0:
        return last, layout.rest
    return None if following < 0 else (following, layout.next)


def document_end(held: Held, at: int, layout: Layout, *, ended: bool) -> int:
    """Where the document ends of which all lists are before `at`, -1 where that is not seen. ended: nothing follows."""
    end = held.find(layout.stop, at)
    if end >= 0:
        return end + layout.kept
    return len(held) if ended and not layout.kept else -1


def without_evidence(finding: bytes, layout: Layout) -> tuple[bytes, bytes] | None:
    """A finding without its evidence, and its evidence as a list of JSON; None where it has none."""
    before, after = layout.evidence
    start = finding.find(before)
    end = finding.find(after, start)
    if start < 0 or end < 0:
        return None
    evidence = finding[start + before.rindex(b"[") : end + after.index(b"]") + 1]
    return finding[:start] + b'"evidence":[],"' + finding[end + len(after) :], evidence
