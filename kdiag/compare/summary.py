"""What a comparison needs of a report, and reading just that quickly: ten thousand reports of 90 kB in seconds.

kdiag writes reports one way (report/json.py), so a finding that two machines share is the same bytes in both files.
Such a block is read and validated once, by the reader of whole reports, and then known by its bytes. In a document of
any other layout, such as one report per line, findings are known by their values instead. Whatever is odd in any way
goes through the reader of whole reports.
"""

from __future__ import annotations

import json
import marshal
import re
from collections.abc import Callable
from typing import NamedTuple

from kdiag.model import Capability, Finding, MachineInfo, Report, Status
from kdiag.report.document import BadReport, load

#: Bytes of blocks that are remembered. Machines that share nothing must not fill the memory.
_REMEMBERED = 48 * 1024 * 1024


class Fact(NamedTuple):
    """A finding. next: the first command that would repair it."""

    id: str
    title: str
    status: Status
    summary: str
    causes: tuple[str, ...]
    next: str


class MachineSummary(NamedTuple):
    """What is compared of a report. answers: what makes two machines the same, as a value to look up: the
    status of every capability and every finding, and the causes.
    """

    machine: MachineInfo
    required: tuple[str, ...]
    capabilities: tuple[Capability, ...]
    facts: tuple[Fact, ...]
    answers: tuple[int, ...]

    def fact(self, fact_id: str) -> Fact | None:
        """The finding of this id, or None."""
        return next((fact for fact in self.facts if fact.id == fact_id), None)


def fact_of(finding: Finding) -> Fact:
    """A finding without what is not compared."""
    command = next((c for remedy in finding.remedies for c in remedy.commands), "")
    return Fact(finding.id, finding.title, finding.status, finding.summary, finding.causes, command)


_Shell = tuple[MachineInfo, tuple[str, ...]]

_FINDINGS = b'\n  "findings": [\n    {\n      "id": '
_CAPABILITIES = b'\n    }\n  ],\n  "capabilities": [\n    {\n      "id": '
_REST = b'\n    }\n  ],\n  "required": '
_NEXT = b'\n    },\n    {\n      "id": '
_CREATED = re.compile(
    rb'(?<=[\n{,] "created": ")[0-9TZ:.+-]{1,40}(?=",[ \n])|(?<=\n  "created": ")[0-9TZ:.+-]{1,40}(?=",\n)'
)
_FRAME = (
    b'{"schema":"kdiag.report/1","kdiag":"","created":"","machine":{},"findings":[%s],"capabilities":[%s],"required":[],'
    b'"verdict":{"status":"unknown","summary":""}}'
)


class Reader:
    """Reads reports, remembering the blocks that it has seen."""

    def __init__(self) -> None:
        self._facts: dict[bytes, tuple[Fact, int]] = {}
        self._capabilities: dict[bytes, tuple[Capability, int]] = {}
        self._shells: dict[bytes, _Shell] = {}
        self._remembered = 0
        self._numbers: dict[object, int] = {}

    def read(self, document: bytes) -> MachineSummary:
        """The summary of one JSON document. Raises BadReport, with the place, for whatever is wrong with it."""
        try:
            quick = self._quickly(document) or self._by_values(document)
        except (BadReport, ValueError, RecursionError):
            quick = None  # the reader of whole documents knows the place
        return quick if quick is not None else self.of(load(document))

    def of(self, report: Report) -> MachineSummary:
        """The summary of a report."""
        facts = tuple(fact_of(finding) for finding in report.findings)
        answers = [self._number(_answer(c)) for c in report.capabilities]
        answers += [self._number(_answer(f)) for f in facts]
        return MachineSummary(report.machine, report.required, report.capabilities, facts, tuple(answers))

    def _quickly(self, document: bytes) -> MachineSummary | None:
        """The summary of a document in kdiag's own layout, None for any other. Line feeds stand between JSON's
        tokens only, never inside a string, so that cutting there is safe: every piece is checked to be whole.
        """
        head, found, body = document.partition(_FINDINGS)
        findings, second, body = body.partition(_CAPABILITIES)
        capabilities, third, rest = body.partition(_REST)
        if not (found and second and third):
            return None
        shell = self._shell(head, rest)
        if shell is None:
            return None
        return self._put_together(shell, findings.split(_NEXT), capabilities.split(_NEXT), _whole)

    def _by_values(self, document: bytes) -> MachineSummary | None:
        """The summary of a document in any layout; None if it is not a report at first sight."""
        value: object = json.loads(document)
        if not isinstance(value, dict):
            return None
        lists = [value.pop(name, None) for name in ("findings", "capabilities")]
        if not all(isinstance(some, list) for some in lists):
            return None
        required = json.dumps(value.pop("required", None)).encode()
        head = json.dumps(value).encode()
        shell = self._shell(head[:-1] + b", ", required + b"}")
        blocks, works = ([marshal.dumps(item, 2) for item in some] for some in lists)
        return None if shell is None else self._put_together(shell, blocks, works, _written)

    def _put_together(
        self, shell: _Shell, blocks: list[bytes], works: list[bytes], written: Callable[[bytes], bytes]
    ) -> MachineSummary | None:
        self._learn(blocks, works, written)
        facts = [self._facts[block] for block in blocks]
        able = [self._capabilities[block] for block in works]
        if len({fact.id for fact, _ in facts}) != len(facts) or len({c.id for c, _ in able}) != len(able):
            return None
        answers = tuple([number for _, number in able] + [number for _, number in facts])
        return MachineSummary(*shell, tuple([c for c, _ in able]), tuple([f for f, _ in facts]), answers)

    def _shell(self, head: bytes, rest: bytes) -> _Shell | None:
        """What is around the two lists; None if the lists are somewhere else, and this is not what it seems."""
        key = _CREATED.sub(b"", head, count=1) + rest
        known = self._shells.get(key)
        if known is None:
            report = load(b'%s"findings": [], "capabilities": [], "required": %s' % (head, rest))
            if report.findings or report.capabilities:
                return None
            known = self._shells[key] = report.machine, report.required
            self._remembered += len(key)
        return known

    def _learn(self, blocks: list[bytes], works: list[bytes], written: Callable[[bytes], bytes]) -> None:
        """Read and check the blocks that were not seen before. written: a block as JSON, as it is on its own."""
        if self._remembered > _REMEMBERED:
            for memory in (self._facts, self._capabilities, self._shells):
                memory.clear()
            self._remembered = 0
        new = list(dict.fromkeys(b for b in blocks if b not in self._facts))
        able = list(dict.fromkeys(b for b in works if b not in self._capabilities))
        if not new and not able:
            return
        joined = [b", ".join(map(written, some)) for some in (new, able)]
        report = load(_FRAME % (*joined,))
        for block, finding in zip(new, report.findings, strict=True):
            fact = fact_of(finding)
            self._facts[block] = fact, self._number(_answer(fact))
        for block, capability in zip(able, report.capabilities, strict=True):
            self._capabilities[block] = capability, self._number(_answer(capability))
        self._remembered += sum(map(len, new)) + sum(map(len, able))

    def _number(self, answer: object) -> int:
        """A small number that stands for an answer: the same for the same one."""
        return self._numbers.setdefault(answer, len(self._numbers))


def _whole(block: bytes) -> bytes:
    """A block that was cut out of a document, if it is whole. Raises ValueError."""
    text = b'{"id": %s}' % block
    json.loads(text)
    return text


def _written(block: bytes) -> bytes:
    return json.dumps(marshal.loads(block)).encode()  # noqa: S302  made here, of what JSON held


def _answer(item: Fact | Capability) -> tuple[object, ...]:
    if isinstance(item, Fact):
        return "finding", item.id, item.status.value, item.causes
    return "capability", item.id, item.status.value, item.with_root
