"""What a comparison needs of a report, and reading just that quickly: ten thousand reports of 128 kB in seconds.

Programs write reports in few layouts (kdiag.compare.reading.layouts), so a finding that two machines share is the same
bytes in both files. Such a block is read and validated once, by the reader of whole reports, and then known by its
bytes, in place (kdiag.compare.reading.chain); one that only has other evidence is known by the rest. In a document of
any other layout they are known by their values. Whatever is odd goes through the reader of whole reports.
"""

from __future__ import annotations

import json
import marshal
import re
import secrets
from hashlib import blake2b
from typing import NamedTuple

from kdiag.compare.reading import layouts
from kdiag.compare.reading.answers import Fact, MachineSummary, fact_of
from kdiag.compare.reading.chain import Chain
from kdiag.compare.reading.layouts import LAYOUTS, Held, Layout, capability_end, document_end, finding_end
from kdiag.compare.reading.memory import Memory, within
from kdiag.model import Capability, MachineInfo, Readiness, Report
from kdiag.report.document import EVIDENCE, BadReport, load

#: Bytes that are remembered. Machines that share nothing must not fill the memory.
_REMEMBERED = 48 * 1024 * 1024
#: The most answers of one report: kdiag's have some 220 findings and 45 capabilities. Each answer is remembered.
MOST_ANSWERS = 5000
#: The most characters that say which machine it is: its properties and labels. kdiag's have some 200.
_MOST_SAID = 16_384


class Ahead(NamedTuple):
    """A report that begins at a place in a stream: what it says, its bytes, and how many of them are line feeds."""

    summary: MachineSummary
    size: int
    lines: int


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
#: The lists begin within so many bytes.
_HEAD = 64 * 1024
_BLANK = b" \t\r\n"
#: In the place of the two lists: a document may have lists of these names further on, too, and the last ones count.
_MARKS = (
    b'{"id":"-","status":"ok","summary":""}',
    b'{"id":"-","title":"","tool":"","status":"works","because":""}',
)


class _Lists(NamedTuple):
    """The two lists in one layout."""

    layout: Layout
    findings: Chain[Fact]
    capabilities: Chain[Capability]


class Reader:
    """Reads reports, remembering the blocks that it has seen."""

    def __init__(self) -> None:
        self._facts: Memory[bytes, tuple[Fact, bytes]] = Memory()
        self._capabilities: Memory[bytes, tuple[Capability, bytes]] = Memory()
        self._shells: Memory[bytes, _Shell] = Memory()
        #: Answers that are each about something else.
        self._distinct: Memory[bytes, None] = Memory()
        # An answer has a digest and no number, which would have to be remembered for ever. Nobody can make two alike.
        self._secret = secrets.token_bytes(16)
        self._lists = [
            _Lists(
                layout,
                Chain(layout, finding_end, self._finding, _evidence),
                Chain(layout, capability_end, self._capability),
            )
            for layout in LAYOUTS
        ]
        chains = [chain for lists in self._lists for chain in (lists.findings, lists.capabilities)]
        self._memories = (self._facts, self._capabilities, self._shells, self._distinct, *chains)
        #: The largest report so far: so many bytes have to be there for the next one to be seen whole.
        self.largest = 0

    def read(self, document: bytes) -> MachineSummary:
        """The summary of one JSON document. Raises BadReport, with the place, for whatever is wrong with it."""
        quick = self.ahead(document, 0, ended=True)
        if quick is not None and not document[quick.size :].strip(_BLANK):
            return quick.summary
        try:
            by_values = self._by_values(document)
        except (BadReport, ValueError, RecursionError):
            by_values = None  # the reader of whole documents knows the place
        return self.of(load(document)) if by_values is None else by_values

    def ahead(self, held: Held, at: int, *, ended: bool) -> Ahead | None:
        """The report that begins at `at`, None for what has another layout, has anything wrong with it, or goes on
        behind `held`. All pieces are checked. ended: nothing follows.
        """
        within(_REMEMBERED, self._memories)
        for lists in self._lists:
            if held.startswith(lists.layout.begins, at):
                try:
                    return self._walked(held, at, lists, ended=ended)
                except (BadReport, ValueError, RecursionError):
                    return None
        return None

    def of(self, report: Report) -> MachineSummary:
        """The summary of a report. Raises BadReport for one with more answers than any machine has."""
        if len(report.findings) + len(report.capabilities) > MOST_ANSWERS:
            raise BadReport(f"more than {MOST_ANSWERS} findings and capabilities; a report has some 300")
        facts = tuple(fact_of(finding) for finding in report.findings)
        each = [*map(self._answer, report.capabilities), *map(self._answer, facts)]
        summary = MachineSummary(
            report.machine,
            report.required,
            report.capabilities,
            facts,
            self._together(b"".join(each)),
            report.verdict.status,
            report.created,
            tuple(report.labels.items()),
        )
        if not _is_short(summary):
            raise BadReport(f"more than {_MOST_SAID} characters of properties and labels; it has some 200")
        return summary

    def _walked(self, held: Held, at: int, lists: _Lists, *, ended: bool) -> Ahead | None:
        layout = lists.layout
        begin = held.find(layout.findings, at, at + _HEAD)
        if begin < 0:
            return None
        head = bytes(held[at:begin])
        key = _anonymous(head)
        found = lists.findings.walk(held, begin + len(layout.findings), key, MOST_ANSWERS)
        if found is None:
            return None
        works = lists.capabilities.walk(held, found.end, key, MOST_ANSWERS - len(found.items))
        end = document_end(held, works.end, layout, ended=ended) if works else -1
        if works is None or end < 0:
            return None
        rest = b'"' + bytes(held[works.end : end])
        shell = self._shell(head, rest, key + rest)
        if shell is None:
            return None
        summary = self._put_together(shell, works.items, found.items, works.answers + found.answers)
        if summary is None:
            return None
        created = _CREATED.search(head)
        if created is None:
            return None
        summary = summary._replace(created=created[2].decode(), labels=_labels(head, rest))
        if not _is_short(summary):
            return None
        self.largest = max(self.largest, end - at)
        around = sum(text.count(b"\n") for text in (head, layout.findings, rest))
        return Ahead(summary, end - at, around + found.lines + works.lines)

    def _finding(self, item: bytes) -> tuple[Fact, bytes]:
        """Reads a finding as it stands in a document, from the value of its id on. Raises BadReport or ValueError."""
        (finding,) = load(_FRAME % (_whole(item), b"")).findings
        fact = fact_of(finding)
        return fact, self._answer(fact)

    def _capability(self, item: bytes) -> tuple[Capability, bytes]:
        (capability,) = load(_FRAME % (b"", _whole(item))).capabilities
        return capability, self._answer(capability)

    def _by_values(self, document: bytes) -> MachineSummary | None:
        """The summary of a document in any layout; None if it is not a report at first sight."""
        value: object = json.loads(document)
        if not isinstance(value, dict):
            return None
        lists = [value.pop(name, None) for name in ("findings", "capabilities")]
        if not all(isinstance(some, list) for some in lists) or sum(map(len, lists)) > MOST_ANSWERS:
            return None
        created = value.get("created")
        labels = value.pop("labels", None)
        required = json.dumps(value.pop("required", None)).encode()
        head = json.dumps(value).encode()
        head, rest = head[:-1] + b", ", b'"required": ' + required + b"}"
        shell = self._shell(head, rest, _anonymous(head) + rest)
        if shell is None or not isinstance(labels, dict | None):
            return None
        blocks, works = ([marshal.dumps(item, 2) for item in some] for some in lists)
        self._learn(blocks, works)
        able, facts = [self._capabilities[item] for item in works], [self._facts[item] for item in blocks]
        answers = b"".join([answer for _, answer in (*able, *facts)])
        found = self._put_together(shell, [c for c, _ in able], [f for f, _ in facts], answers)
        own = tuple((k, v) for k, v in (labels or {}).items() if isinstance(v, str))
        found = found._replace(created=str(created), labels=own) if found else None
        return found if found and _is_short(found) else None

    def _put_together(
        self, shell: _Shell, able: list[Capability], facts: list[Fact], each: bytes
    ) -> MachineSummary | None:
        answers = self._together(each)
        if answers not in self._distinct:
            if len({fact.id for fact in facts}) != len(facts) or len({c.id for c in able}) != len(able):
                return None
            self._distinct.keep(answers, None, 16)
        return MachineSummary(
            shell.machine, shell.required, tuple(able), tuple(facts), answers, shell.verdict
        )

    def _shell(self, head: bytes, rest: bytes, key: bytes) -> _Shell | None:
        """What is around the two lists; None if the lists are somewhere else, and this is not what it seems. key: both,
        without what no two machines have alike.
        """
        known = self._shells.get(key)
        if known is None:
            report = load(b'%s"findings": [%s], "capabilities": [%s], %s' % (head, *_MARKS, rest))
            if [f.id for f in report.findings] != ["-"] or [c.id for c in report.capabilities] != ["-"]:
                return None
            shell = _Shell(report.machine, report.required, report.verdict.status)
            known = self._shells.keep(key, shell, 2 * len(key))
        return known

    def _learn(self, blocks: list[bytes], works: list[bytes]) -> None:
        """Read and check the values that were not seen before."""
        new = list(dict.fromkeys(b for b in blocks if b not in self._facts))
        able = list(dict.fromkeys(b for b in works if b not in self._capabilities))
        if not new and not able:
            return
        report = load(_FRAME % tuple(b", ".join(map(_written, some)) for some in (new, able)))
        for block, finding in zip(new, report.findings, strict=True):
            fact = fact_of(finding)
            self._facts.keep(block, (fact, self._answer(fact)), 2 * len(block))
        for block, capability in zip(able, report.capabilities, strict=True):
            self._capabilities.keep(block, (capability, self._answer(capability)), 2 * len(block))

    def _answer(self, item: Fact | Capability) -> bytes:
        """A digest of what a finding or a capability answers."""
        return self._digest(repr(_answer(item)).encode("utf-8", "surrogatepass"), 8)

    def _together(self, answers: bytes) -> bytes:
        """That of all answers of a machine, out of theirs."""
        return self._digest(answers, 16)

    def _digest(self, text: bytes, size: int) -> bytes:
        return blake2b(text, digest_size=size, key=self._secret).digest()


def _is_short(summary: MachineSummary) -> bool:
    """Whether what says which machine it is has no more characters than that needs: all of it is kept."""
    size = sum(map(len, summary.machine)) + len(summary.created)
    return size + sum([len(k) + len(v) for k, v in summary.labels]) <= _MOST_SAID


def _anonymous(head: bytes) -> bytes:
    """What is before the lists without what no two machines have alike."""
    head = _CREATED.sub(rb"\1", head, count=1)
    return _LABELS.sub(rb"\1{}", head, count=1) if b'"labels"' in head else head


def _labels(head: bytes, rest: bytes) -> tuple[tuple[str, str], ...]:
    """The labels around the two lists."""
    if b'"labels"' not in head and b'"labels"' not in rest:
        return ()
    found = _LABELS.search(head)
    labels: object = json.loads(found[2]) if found else None
    if b'"labels"' in rest or not isinstance(labels, dict):
        return tuple(load(b'%s"findings": [], "capabilities": [], %s' % (head, rest)).labels.items())
    return tuple((k, v) for k, v in labels.items() if isinstance(v, str))


def _evidence(text: bytes) -> None:
    if layouts.EVIDENCE.fullmatch(text) is None:
        EVIDENCE.read(json.loads(text))


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
