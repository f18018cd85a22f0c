"""Findings in the order in which they explain each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from kdiag.model import Finding


def causes_first(findings: Iterable[Finding], by_id: Mapping[str, Finding]) -> Iterator[Finding]:
    """The findings, each after its causes. Circles of causes, as a plug-in or a file may
    have them, are cut where they close; a chain may be of any length."""
    entered: set[str] = set()
    for first in findings:
        if first.id in entered:
            continue
        entered.add(first.id)
        stack = [(first, iter(first.causes))]
        while stack:
            finding, causes = stack[-1]
            cause = next((c for c in causes if c in by_id and c not in entered), None)
            if cause is None:
                stack.pop()
                yield finding
            else:
                entered.add(cause)
                stack.append((by_id[cause], iter(by_id[cause].causes)))
