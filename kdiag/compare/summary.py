"""What a comparison needs of a report, and reading just that quickly: ten thousand reports of 90 kB in seconds.

Programs write reports in few layouts (kdiag.compare.layouts), so a finding that two machines share is the same bytes in
both files. Such a block is read and validated once, by the reader of whole reports, and then known by its bytes; one
that only has other evidence is known by the rest, and its evidence is validated. In a document of any other layout,
findings are known by their values instead. Whatever is odd in any way goes through the reader of whole reports.
"""

from __future__ import annotations

import json
import marshal
import re
from collections.abc import Callable
from typing import NamedTuple

from kdiag.compare.layouts import Layout, cut, without_evidence
from kdiag.model import Capability, Finding, MachineInfo, Readiness, Report, Status
from kdiag.report.document import EVIDENCE, BadReport, load

#: Bytes of blocks that are remembered. Machines that share nothing must not fill the memory.
_REMEMBERED = 24 * 1024 * 1024
#: The most answers of one report: kdiag's have some 220 findings and 45 capabilities. Each answer is remembered.
MOST_ANSWERS = 5000


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
    status of every capability and every finding, and the causes. created: when the report was made. labels: what who
    collected it wrote into it, such as the name of the host.
    """

    machine: MachineInfo
    required: tuple[str, ...]
    capabilities: tuple[Capability, ...]
    facts: tuple[Fact, ...]
    answers: tuple[int, ...]
    verdict: Readiness = Readiness.UNKNOWN
    created: str = ""
    labels: tuple[tuple[str, str], ...] = ()

    def fact(self, fact_id: str) -> Fact | None:
        """The finding of this id, or None."""
        return next((fact for fact in self.facts if fact.id == fact_id), None)


def fact_of(finding: Finding) -> Fact:
    """A finding without what is not compared."""
    command = next((c for remedy in finding.remedies for c in remedy.commands), "")
    return Fact(finding.id, finding.title, finding.status, finding.summary, finding.causes, command)


class _Shell(NamedTuple):
    """What is around the two lists."""

    machine: MachineInfo
    required: tuple[str, ...]
    verdict: Readiness


_CREATED = re.compile(rb'((?:\n  |[{,] ?)"created": ?")([0-9TZ:.+-]{1,40})(?=",)')
#: The names of hosts and the like; few such values have braces, and those are read the long way.
_LABELS = re.compile(rb'((?:\n  |[{,] ?)"labels": ?)(\{[^{}]*\})')
_FRAME = (
    b'{"schema":"kdiag.report/1","kdiag":"","created":"","machine":{},"findings":[%s],"capabilities":[%s],"required":[],'
    b'"verdict":{"status":"unknown","summary":""}}'
)
#: In the place of the two lists: a document may have lists of these names further on, too, and the last ones count.
_MARKS = (
    b'{"id":"-","status":"ok","summary":""}',
    b'{"id":"-","title":"","tool":"","status":"works","because":""}',
)


class Reader:
    """Reads reports, remembering the blocks that it has seen."""

    def __init__(self) -> None:
        self._facts: dict[bytes, tuple[Fact, int]] = {}
        self._capabilities: dict[bytes, tuple[Capability, int]] = {}
        self._shells: dict[bytes, _Shell] = {}
        self._remembered = 0
        self._numbers: dict[object, int] = {}
        #: Answers that are each about something else.
        self._distinct: set[tuple[int, ...]] = set()

    def read(self, document: bytes) -> MachineSummary:
        """The summary of one JSON document. Raises BadReport, with the place, for whatever is wrong with it."""
        try:
            quick = self._quickly(document) or self._by_values(document)
        except (BadReport, ValueError, RecursionError):
            quick = None  # the reader of whole documents knows the place
        if quick is None:
            return self.of(load(document))
        if b'"labels"' not in document:
            return quick
        try:
            return quick._replace(labels=_labels(document))
        except (ValueError, RecursionError):
            return self.of(load(document))

    def of(self, report: Report) -> MachineSummary:
        """The summary of a report. Raises BadReport for one with more answers than any machine has."""
        if len(report.findings) + len(report.capabilities) > MOST_ANSWERS:
            raise BadReport(f"more than {MOST_ANSWERS} findings and capabilities; a report has some 300")
        facts = tuple(fact_of(finding) for finding in report.findings)
        answers = [self._number(_answer(c)) for c in report.capabilities]
        answers += [self._number(_answer(f)) for f in facts]
        return MachineSummary(
            report.machine,
            report.required,
            report.capabilities,
            facts,
            tuple(answers),
            report.verdict.status,
            report.created,
            tuple(report.labels.items()),
        )

    def _quickly(self, document: bytes) -> MachineSummary | None:
        """The summary of a document in a layout that can be cut, None for any other. All pieces are checked."""
        pieces = cut(document)
        if pieces is None:
            return None
        shell = self._shell(pieces.head, pieces.rest)
        if shell is None:
            return None
        found = self._put_together(shell, pieces.findings, pieces.capabilities, _whole, pieces.layout)
        created = _CREATED.search(pieces.head)
        return found._replace(created=created[2].decode() if created else "") if found else None

    def _known(self, findings: list[bytes], layout: Layout) -> None:
        """See to it that findings are known which only have other evidence than a known one; it is validated. Raises
        BadReport, or ValueError.
        """
        known = self._facts
        for block in findings:
            parts = None if block in known else without_evidence(block, layout)
            if parts is None:
                continue
            bare, evidence = parts
            EVIDENCE.read(json.loads(evidence))
            if bare not in known:
                self._learn([bare], [], _whole)
            known[block] = known[bare]
            self._remembered += len(block)

    def _by_values(self, document: bytes) -> MachineSummary | None:
        """The summary of a document in any layout; None if it is not a report at first sight."""
        value: object = json.loads(document)
        if not isinstance(value, dict):
            return None
        lists = [value.pop(name, None) for name in ("findings", "capabilities")]
        if not all(isinstance(some, list) for some in lists):
            return None
        created = value.get("created")
        required = json.dumps(value.pop("required", None)).encode()
        head = json.dumps(value).encode()
        shell = self._shell(head[:-1] + b", ", b'"required": ' + required + b"}")
        blocks, works = ([marshal.dumps(item, 2) for item in some] for some in lists)
        found = None if shell is None else self._put_together(shell, blocks, works, _written)
        return found._replace(created=str(created)) if found else None

    def _put_together(
        self,
        shell: _Shell,
        blocks: list[bytes],
        works: list[bytes],
        written: Callable[[bytes], bytes],
        layout: Layout | None = None,
    ) -> MachineSummary | None:
        if len(blocks) + len(works) > MOST_ANSWERS:
            return None
        # Looking a block up reads all of it: once, if it is known.
        known, works_known = [*map(self._facts.get, blocks)], [*map(self._capabilities.get, works)]
        if None in known or None in works_known:
            new = [block for block, one in zip(blocks, known, strict=True) if one is None]
            if layout is not None:
                self._known(new, layout)
            self._learn(new, works, written)
        facts = [one or self._facts[block] for block, one in zip(blocks, known, strict=True)]
        able = [one or self._capabilities[block] for block, one in zip(works, works_known, strict=True)]
        answers = tuple([number for _, number in able] + [number for _, number in facts])
        if answers not in self._distinct:
            if len({fact.id for fact, _ in facts}) != len(facts) or len({c.id for c, _ in able}) != len(able):
                return None
            self._distinct.add(answers)
        return MachineSummary(
            shell.machine,
            shell.required,
            tuple([c for c, _ in able]),
            tuple([f for f, _ in facts]),
            answers,
            shell.verdict,
        )

    def _shell(self, head: bytes, rest: bytes) -> _Shell | None:
        """What is around the two lists; None if the lists are somewhere else, and this is not what it seems."""
        key = _CREATED.sub(rb"\1", head, count=1) + rest
        if b'"labels"' in key:
            key = _LABELS.sub(rb"\1{}", key, count=1)
        known = self._shells.get(key)
        if known is None:
            report = load(b'%s"findings": [%s], "capabilities": [%s], %s' % (head, *_MARKS, rest))
            if [f.id for f in report.findings] != ["-"] or [c.id for c in report.capabilities] != ["-"]:
                return None
            known = self._shells[key] = _Shell(report.machine, report.required, report.verdict.status)
            self._remembered += len(key)
        return known

    def _learn(self, blocks: list[bytes], works: list[bytes], written: Callable[[bytes], bytes]) -> None:
        """Read and check the blocks that were not seen before. written: a block as JSON, as it is on its own."""
        if self._remembered > _REMEMBERED:
            for memory in (self._facts, self._capabilities, self._shells, self._distinct):
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


def _labels(document: bytes) -> tuple[tuple[str, str], ...]:
    found = _LABELS.search(document)
    if found is None:
        return tuple(load(document).labels.items())
    return tuple((k, v) for k, v in json.loads(found[2]).items() if isinstance(v, str))


def _whole(block: bytes) -> bytes:
    """A block that was cut out of a document, if it is whole. Raises ValueError."""
    text = b'{"id":%s}' % block
    json.loads(text)
    return text


def _written(block: bytes) -> bytes:
    return json.dumps(marshal.loads(block)).encode()  # noqa: S302  made here, of what JSON held


def _answer(item: Fact | Capability) -> tuple[object, ...]:
    if isinstance(item, Fact):
        return "finding", item.id, item.status.value, item.causes
    return "capability", item.id, item.status.value, item.with_root
