"""The first question of everyone who starts with bpftrace, answered from a report: do I need kernel headers?

A capability's findings are what decided about it: all that it rests on where it works, all that keeps it from
working where it does not. So headers that are missing and yet are not among what stops a capability are not
what it waits for. Only where the kernel's BTF could not be looked at does this tell nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from kdiag.model import Capability, Finding, Report, Status, Works
from kdiag.words import listed

#: Findings about a source of headers; about what bpftrace stumbles over; about BTF, the first that counts.
_SOURCES = ("headers.tree", "headers.bcc", "kheaders.available", "kheaders.archive", "kheaders.module")
_BROKEN = ("headers.intact", "headers.configured")
_BTF = ("btf.bpftrace", "btf.vmlinux")
_TOOL = "tools.bpftrace"

#: Headers are what they are about; and those that no header helps where there is no BTF.
_ABOUT_HEADERS = frozenset({"include", "bcc-tools"})
#: A part of them that comes before any header.
_BEFORE_HEADERS = frozenset({"bcc-compiler"})
_ABOUT_BTF = frozenset({"struct", "fentry", "iter", "module-types", "rawtracepoint"})
#: Many programs: what only some of them need is not named where none of them works.
_MANY = frozenset({"stock-tools"})

_THERE = (Status.OK, Status.WARN)


class Need(Enum):
    """What kernel headers are to a capability on this machine."""

    NO = "not needed"
    YES = "needed"
    PARTLY = "needed for a part of it"
    EITHER = "these or BTF are needed, and neither is there"
    BROKEN = "a broken tree is worse than none"
    THERE = "whether they are used or not: they are there"
    UNKNOWN = "cannot be told"


def need(capability: Capability, report: Report) -> Need:
    """Whether this capability needs kernel headers here, by what the report says."""
    by_id = {finding.id: finding for finding in report.findings}
    named = set(capability.findings)
    sources = [by_id[id_].status for id_ in _SOURCES if id_ in named and id_ in by_id]
    if capability.id in _BEFORE_HEADERS:
        return Need.NO
    if not _ABOUT_HEADERS.isdisjoint((capability.id, capability.part_of)):
        return Need.YES
    if capability.status is Works.WORKS:
        return Need.YES if sources else Need.NO
    if any(id_ in named and _status(by_id, id_) is Status.FAIL for id_ in _BROKEN):
        return Need.BROKEN
    if sources:
        return _missing(capability, sources, by_id)
    tree = _status(by_id, "headers.tree")
    if tree in _THERE:
        return Need.THERE
    if capability.tool != "bpftrace":
        return Need.NO
    if capability.status is Works.CAVEAT:
        return Need.NO
    known = tree is Status.FAIL and _btf_status(by_id) in (*_THERE, Status.FAIL)  # else it may not be named
    return Need.NO if known and capability.id not in _MANY else Need.UNKNOWN


def _missing(capability: Capability, sources: list[Status], by_id: dict[str, Finding]) -> Need:
    """The need of something that does not fully work where sources of headers are part of the reason."""
    if all(status in _THERE for status in sources):
        return Need.YES
    works = _but_for_the_tool(capability, by_id)
    if Status.FAIL not in sources or works is Works.UNKNOWN:
        return Need.UNKNOWN
    if works is Works.CAVEAT:
        return Need.PARTLY
    if not set(_BTF).isdisjoint(capability.findings) and _btf_status(by_id) is not Status.OK:
        return Need.NO if capability.id in _ABOUT_BTF else Need.EITHER
    return Need.YES


def _but_for_the_tool(capability: Capability, by_id: dict[str, Finding]) -> Works:
    """How a capability would fare if bpftrace were installed. That it is not comes first among the findings only
    where the machine alone would not stop it; what else is named is then a caveat, or not known.
    """
    first, *rest = capability.findings
    if capability.status is not Works.FAILS or first != _TOOL or _status(by_id, _TOOL) is not Status.FAIL:
        return capability.status
    unknown = any(_status(by_id, id_) in (Status.UNKNOWN, None) for id_ in rest)
    return Works.UNKNOWN if unknown else Works.CAVEAT


def _broken(by_id: dict[str, Finding]) -> str:
    return next((id_ for id_ in _BROKEN if _status(by_id, id_) is Status.FAIL), _BROKEN[0])


def answer(report: Report) -> str:
    """The sentences that follow "Do I need kernel headers?"; empty if nothing was asked about them."""
    by_id = {finding.id: finding for finding in report.findings}
    return " ".join(filter(None, (_answer(report, by_id), _warning(by_id))))


def _warning(by_id: dict[str, Finding]) -> str:
    """What bpftrace itself will say of them although nothing is wrong."""
    printed = by_id.get("headers.warning")
    if printed is None or printed.status is not Status.OK or _btf_status(by_id) not in _THERE:
        return ""
    return f"{printed.summary}: harmless here, BTF has the types."


def _answer(report: Report, by_id: dict[str, Finding]) -> str:
    needs = {c.id: need(c, report) for c in report.capabilities}
    required = [c for c in report.capabilities if c.id in report.required]
    if not required:
        return ""
    for kind, words in (
        (Need.EITHER, _either(by_id)),
        (Need.YES, _yes(required, by_id)),
        (Need.BROKEN, f"No, but a broken header tree is in the way of {{}}: see {_broken(by_id)}."),
        (Need.PARTLY, "For a part of {}: see headers.tree."),
    ):
        of_kind = [c for c in required if needs[c.id] is kind]
        if of_kind:
            return words.format(_titles(of_kind))
    if any(needs[c.id] is Need.UNKNOWN for c in required):
        return _cannot_tell(by_id)
    if any(needs[c.id] is Need.THERE for c in required):
        return "They are there, should you need them."
    return _no(report, needs, by_id)


def _either(by_id: dict[str, Finding]) -> str:
    """BTF is the better repair where there is one: it needs no package and more works with it."""
    btf = _btf(by_id)
    if btf is not None and btf.remedies:
        return f"Not once bpftrace gets BTF: see {btf.id}. Without BTF yes, for {{}}: see headers.tree."
    return "Yes, since bpftrace gets no BTF here, for {}: see headers.tree."


def _yes(required: list[Capability], by_id: dict[str, Finding]) -> str:
    using = [c for c in required if c.id in _ABOUT_HEADERS or not set(_SOURCES).isdisjoint(c.findings)]
    lacking = [c for c in using if not _is_there(c, by_id)]
    return f"Yes, for {{}}: see {_where(lacking)}." if lacking else "Yes, for {}; and they are there."


def _where(lacking: list[Capability]) -> str:
    """The finding to read about the headers that these lack."""
    return "headers.bcc" if all(c.tool == "BCC" for c in lacking) else "headers.tree"


def _cannot_tell(by_id: dict[str, Finding]) -> str:
    looked_at = (by_id.get("headers.tree"), _btf(by_id))
    unknown = [f for f in looked_at if f is not None and f.status is Status.UNKNOWN]
    if not unknown:
        return "That cannot be told from what was looked at."
    return f"That cannot be told here: {unknown[0].summary}."


def _no(report: Report, needs: dict[str, Need], by_id: dict[str, Finding]) -> str:
    why = ": BTF is enough" if _btf_status(by_id) in _THERE else ""
    first = f"Not for the required capabilities (*){why}."
    rest = [c for c in report.capabilities if c.id not in report.required and not c.part_of]
    lacking = [c for c in rest if needs[c.id] in (Need.YES, Need.PARTLY) and not _is_there(c, by_id)]
    served = [c for c in rest if needs[c.id] is Need.YES and _is_there(c, by_id)]
    if served:
        first += f" They are there for {_titles(served)}."
    if lacking:
        parts = [_title(c) if needs[c.id] is Need.YES else f"some of {_lowered(c.title)}" for c in lacking]
        first += f" Yes, for {listed(parts)}: see {_where(lacking)}."
    return first


def _is_there(capability: Capability, by_id: dict[str, Finding]) -> bool:
    """Whether a source of headers that this capability can use is there."""
    own = "headers.bcc" if capability.tool == "BCC" else "headers.tree"
    named = [by_id[id_] for id_ in _SOURCES if id_ in capability.findings and id_ in by_id]
    return _status(by_id, own) in _THERE or any(finding.status in _THERE for finding in named)


def _btf(by_id: dict[str, Finding]) -> Finding | None:
    """The finding about the BTF that bpftrace gets; without a bpftrace, about the kernel's."""
    known = [by_id[id_] for id_ in _BTF if id_ in by_id and by_id[id_].status is not Status.SKIP]
    return known[0] if known else None


def _btf_status(by_id: dict[str, Finding]) -> Status | None:
    btf = _btf(by_id)
    return None if btf is None else btf.status


def _status(by_id: dict[str, Finding], id_: str) -> Status | None:
    return by_id[id_].status if id_ in by_id else None


def _titles(capabilities: Iterable[Capability]) -> str:
    return listed([_title(c) for c in capabilities])


def _title(capability: Capability) -> str:
    """A title inside a sentence; a name in capitals or with a dot keeps them."""
    first = capability.title.partition(" ")[0]
    return _lowered(capability.title) if first.istitle() else capability.title


def _lowered(title: str) -> str:
    return title[:1].lower() + title[1:]
