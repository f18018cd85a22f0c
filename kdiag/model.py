"""The values that every room speaks: statuses, evidence, findings, remedies, capabilities, the report.

Frozen, no I/O, imports nothing of kdiag.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, TypedDict

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Status(str, Enum):
    """What a check found. `unknown` means that it could not be looked at, never that it is missing."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"
    SKIP = "skip"


class Works(str, Enum):
    """Whether a person can do a thing on this machine."""

    WORKS = "works"
    CAVEAT = "caveat"
    FAILS = "fails"
    UNKNOWN = "unknown"


class Readiness(str, Enum):
    """The verdict over the required capabilities."""

    READY = "ready"
    NOT_READY = "not-ready"
    UNKNOWN = "unknown"


class Evidence(NamedTuple):
    """One thing that was looked at (`source`: a path, a call, a command) and what was seen there.

    side: where a container can see its host, whose it is: `kernel`, `host` or `here`; else empty.
    """

    source: str
    observed: str
    side: str = ""

    @property
    def place(self) -> str:
        """What was looked at, and on which side."""
        return f"{self.source} [{self.side}]" if self.side else self.source

    @property
    def is_expected(self) -> bool:
        """Whether this is what a table or a configuration lets expect, and not something seen (see `expect`)."""
        return self.observed.startswith(("expected: ", "expected of "))


def expect(source: str, said: str, of: str = "") -> Evidence:
    """Evidence that is an expectation, and says so in every face: no finding may be `ok` by it."""
    return Evidence(source, f"expected of {of}: {said}" if of else f"expected: {said}")


class WrongRemedy(NamedTuple):
    """Advice that people meet on the web and that cannot help here, with the reason against it."""

    advice: str
    why: str


class Remedy(NamedTuple):
    """One way to repair a finding.

    kind: `safe` (adds only, can be undone), `unsafe` (changes how the machine behaves) or `manual` (a
    person must do it elsewhere). run_on: who runs the commands (`here`, `the host`, `the VM's settings`,
    ...). needs: what it takes (`root`, `network`, `reboot`). undo: commands that take it back.
    """

    id: str
    title: str
    kind: str = "safe"
    commands: tuple[str, ...] = ()
    run_on: str = "here"
    needs: tuple[str, ...] = ()
    undo: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One answer of one check.

    `id` and `title` may be left empty by a check that has only one answer: the runner fills in the check's own.
    causes: ids of findings that explain this one. with_root: what root would add where it was not looked at.
    side: the sides of its evidence, where there are any. likely: what an `unknown` one is expected to be for root; only
    the forecast for root uses it, so it is no part of a report.
    """

    status: Status
    summary: str
    reason: str = ""
    id: str = ""
    title: str = ""
    evidence: tuple[Evidence, ...] = ()
    causes: tuple[str, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    wrong_remedies: tuple[WrongRemedy, ...] = ()
    with_root: str = ""
    side: str = ""
    likely: Status | None = field(default=None, compare=False)


class _Rest(TypedDict, total=False):
    """Finding's own fields beyond status and summary, as keywords of `ok`, `warn`, `fail`, `unknown` and
    `skip`.
    """

    reason: str
    id: str
    title: str
    evidence: tuple[Evidence, ...]
    causes: tuple[str, ...]
    remedies: tuple[Remedy, ...]
    wrong_remedies: tuple[WrongRemedy, ...]
    with_root: str


def ok(summary: str, **rest: Unpack[_Rest]) -> Finding:
    """A finding that says: as it should be."""
    return Finding(Status.OK, summary, **rest)


def warn(summary: str, **rest: Unpack[_Rest]) -> Finding:
    """A finding that says: works, but know this."""
    return Finding(Status.WARN, summary, **rest)


def fail(summary: str, **rest: Unpack[_Rest]) -> Finding:
    """A finding that says: this does not work, or is not there."""
    return Finding(Status.FAIL, summary, **rest)


def unknown(summary: str, **rest: Unpack[_Rest]) -> Finding:
    """A finding that says: could not look; the reason says why."""
    return Finding(Status.UNKNOWN, summary, **rest)


def expected(summary: str, **rest: Unpack[_Rest]) -> Finding:
    """A finding that says: could not look, and by the evidence (`expect`) it should be fine for root."""
    return Finding(Status.UNKNOWN, summary, likely=Status.OK, **rest)


def skip(summary: str, **rest: Unpack[_Rest]) -> Finding:
    """A finding that says: the question does not arise on this machine."""
    return Finding(Status.SKIP, summary, **rest)


class Capability(NamedTuple):
    """Something a user may do with a tracer, and whether it works on this machine.

    because: the deciding reason in a few words; findings: ids of the findings that decided, most decisive
    first. with_root: the status that the same program would have for root, None where that makes no
    difference. part_of: the capability that it is a part of, "" for none.
    """

    id: str
    title: str
    tool: str
    status: Works
    because: str
    findings: tuple[str, ...] = ()
    with_root: Works | None = None
    part_of: str = ""


class Verdict(NamedTuple):
    """The answer: `summary` says why in one clause, `next` is the next command to type, or what to do in words.

    run_on: where that is done: `here`, the host, ...; empty where `next` says that nothing is to be done.
    """

    status: Readiness
    summary: str
    next: str = ""
    run_on: str = ""


class MachineInfo(NamedTuple):
    """Where we are, in words for people; empty strings and None for what is not known."""

    release: str = ""
    version: str = ""
    arch: str = ""
    kernel: str = ""
    distribution: str = ""
    container: str = ""
    vm: str = ""
    bpftrace: str = ""
    user: str = ""
    root: str = "/"
    host: str = ""


@dataclass(frozen=True)
class Report:
    """Everything one run found: the value that renderers turn into text, JSON and the rest.

    tools: the tools that it is about, empty for all. repairs: by id of a required capability that does not work, the
    findings to repair before it does; the verdict's next step comes from it, so it is no part of what is written.
    labels: what a fleet's owner tells machines apart by, such as the name of the host, a site, a role.
    """

    kdiag: str
    created: str
    machine: MachineInfo
    findings: tuple[Finding, ...]
    capabilities: tuple[Capability, ...]
    required: tuple[str, ...]
    verdict: Verdict
    blocks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    tools: tuple[str, ...] = ()
    repairs: dict[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    labels: dict[str, str] = field(default_factory=dict)

    def finding(self, finding_id: str) -> Finding | None:
        """The finding with this id, or None."""
        return next((f for f in self.findings if f.id == finding_id), None)
