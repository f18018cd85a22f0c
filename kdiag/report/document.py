"""`kdiag.report/1`: the one definition of the JSON document, by which it is written, read and described.

A definition of its own, key by key: a change of the model is not a change of what other programs read. Additions keep
the number (and have a default, for reports of before); a key that goes away or changes its meaning raises it.
"""

from __future__ import annotations

import json
import re
from typing import Any

from kdiag.config.waivers import Waiver, applied, waivers_of
from kdiag.model import (
    Capability,
    Evidence,
    Finding,
    MachineInfo,
    Readiness,
    Remedy,
    Report,
    Status,
    Verdict,
    Works,
    WrongRemedy,
)
from kdiag.report.shapes import (
    BadReport,
    Choice,
    Day,
    Each,
    Key,
    Perhaps,
    Record,
    Schema,
    Text,
    Words,
    described,
    unexpected,
)
from kdiag.words import found_instead

__all__ = ["DOCUMENT_LIMIT", "EVIDENCE", "KINDS", "SCHEMA", "BadReport", "document", "load", "schema"]

SCHEMA = "kdiag.report/1"
KINDS = ("safe", "unsafe", "manual")

#: The largest document; a report has some 100 kB.
DOCUMENT_LIMIT = 32 * 1024 * 1024


class _Version(Text):
    """The name of this format, and of no other."""

    def read(self, value: object) -> str:
        found = super().read(value)
        if found == SCHEMA:
            return found
        version = re.fullmatch(r"kdiag\.report/([0-9]{1,6})", found)
        if version and int(version[1]) > int(SCHEMA.rpartition("/")[2]):
            raise BadReport(f"{found} is newer than this kdiag, which reads {SCHEMA}: update kdiag")
        raise BadReport(f"expected {SCHEMA}, found {found_instead(found)}")

    def schema(self, defined: dict[str, Schema]) -> Schema:
        del defined
        return {"const": SCHEMA}


class _Labels(Words):
    """Labels; of those that another program wrote into a report, the strings."""

    def read(self, value: object) -> dict[str, str]:
        if not isinstance(value, dict):
            raise unexpected(self, value)
        return {name: one for name, one in value.items() if isinstance(one, str)}


_TEXT = Text()
_ID = Text("an id", least=1, name="id", description="A stable name, such as btf.vmlinux.")
_IDS = Each(_ID, name="ids", uniqueItems=True)
_SIDE = Text(description="kernel, host, or here; only where a container can see its host.")
_LINES = Each(_TEXT, name="lines")
_WORKS = Choice(
    Works,
    name="works",
    about="works: it does. caveat: it does, with the limit that `because` names. fails: it does not. "
    "unknown: it could not be told.",
)

_MACHINE = Record(
    MachineInfo,
    {
        "release": Key(_TEXT, "Kernel release, as `uname -r` prints it.", ""),
        "version": Key(_TEXT, "Kernel version, as `uname -v` prints it.", ""),
        "arch": Key(_TEXT, "Machine, as `uname -m` prints it.", ""),
        "kernel": Key(_TEXT, "Whose kernel it is.", ""),
        "distribution": Key(_TEXT, "Distribution of the user space.", ""),
        "container": Key(_TEXT, "The container, or that there is none.", ""),
        "vm": Key(_TEXT, "The virtual machine, or that there is none.", ""),
        "bpftrace": Key(_TEXT, "Version of the installed bpftrace, or that there is none.", ""),
        "user": Key(_TEXT, "Who ran kdiag.", ""),
        "root": Key(_TEXT, "Directory that was examined; / is the running machine itself.", "/"),
        "host": Key(
            _TEXT, "The host whose files a container can see, and where; only with one.", "", seldom=True
        ),
    },
    name="machine",
    about="Where the report was made, in words for people; an empty string is something that is not known. "
    "Facts may be added.",
    others={"type": "string"},
)

_EVIDENCE = Record(
    Evidence,
    {
        "source": Key(_TEXT, "A path, a system call, a command."),
        "observed": Key(_TEXT, "What was seen there."),
        "side": Key(_SIDE, "Whose it is: the kernel's, the host's, or of this container.", "", seldom=True),
    },
)

#: What a finding has of it.
EVIDENCE = Each(_EVIDENCE)

_REMEDY = Record(
    Remedy,
    {
        "id": Key(_TEXT, "A stable name; may be empty."),
        "title": Key(_TEXT, "What it does."),
        "kind": Key(
            Choice(KINDS),
            "safe: only adds, and can be undone. unsafe: changes how the machine behaves. manual: a person must do "
            "it elsewhere.",
            "safe",
        ),
        "commands": Key(_LINES, "The exact commands, in order.", ()),
        "run_on": Key(_TEXT, "Where they are to be run: here, the host, the VM's settings, ...", "here"),
        "needs": Key(_LINES, "What it takes: root, network, reboot, ...", ()),
        "undo": Key(_LINES, "Commands that take it back.", ()),
    },
    name="remedy",
    about="One way to repair a finding.",
)

_WRONG_REMEDY = Record(
    WrongRemedy,
    {"advice": Key(_TEXT, "What is often advised."), "why": Key(_TEXT, "The reason against it.")},
)


def _row(blocks: tuple[str, ...], **of_finding: Any) -> tuple[Finding, tuple[str, ...]]:
    return Finding(**of_finding), blocks


def _of_row(row: tuple[Finding, tuple[str, ...]], key: str) -> object:
    return row[1] if key == "blocks" else getattr(row[0], key)


#: A finding, and the ids of the capabilities that it blocks.
_FINDING = Record(
    _row,
    {
        "id": Key(_ID),
        "title": Key(_TEXT, "What the check is about, the same on every machine.", ""),
        "status": Key(
            Choice(Status),
            "ok: as it should be. warn: works, but know this. fail: it is not there or says no. unknown: it could "
            "not be looked at. skip: the question does not arise here.",
        ),
        "summary": Key(_TEXT, "The answer in one line."),
        "reason": Key(_TEXT, "Why, or what follows from it; may be empty.", ""),
        "evidence": Key(
            EVIDENCE, "What was looked at and what was seen there, every path tried included.", ()
        ),
        "causes": Key(_IDS, "Ids of findings that explain this one.", ()),
        "remedies": Key(Each(_REMEDY), "Ways to repair it, the right one for this machine first.", ()),
        "wrong_remedies": Key(Each(_WRONG_REMEDY), "Advice that is often met and that cannot help here.", ()),
        "with_root": Key(_TEXT, "What root would add; empty where it would add nothing.", ""),
        "side": Key(_TEXT, "The sides of its evidence, where a container can see its host.", "", seldom=True),
        "blocks": Key(_IDS, "Ids of the capabilities that this finding keeps from working.", ()),
    },
    name="finding",
    about="One answer of one check.",
    get=_of_row,
)

_CAPABILITY = Record(
    Capability,
    {
        "id": Key(_ID),
        "title": Key(_TEXT, "What it is, for people."),
        "tool": Key(_TEXT, "The tool that does it."),
        "status": Key(_WORKS),
        "because": Key(_TEXT, "The deciding reason in a few words."),
        "findings": Key(_IDS, "Ids of the findings that decided, the most decisive first.", ()),
        "with_root": Key(
            Perhaps(_WORKS), "What the status would be for root; null where root makes no difference.", None
        ),
        "part_of": Key(_TEXT, "The capability that this one is a part of.", "", seldom=True),
    },
    name="capability",
    about="Something that a person may want to do.",
)

_VERDICT = Record(
    Verdict,
    {
        "status": Key(
            Choice(Readiness),
            "ready: all required ones work. not-ready: one does not. unknown: one could not be told, and none is "
            "known to fail.",
        ),
        "summary": Key(_TEXT, "Why, in one clause."),
        "next": Key(_TEXT, "The command to type next, or in words what to do; may be empty.", ""),
        "run_on": Key(
            _TEXT, "Where to do that: here, the host, ...; empty where nothing can be done.", "here"
        ),
    },
    name="verdict",
    about="The answer about the required capabilities.",
)

_WAIVER = Record(
    Waiver,
    {
        "id": Key(_ID, "The finding or the capability that does not count."),
        "reason": Key(_TEXT, "Why it does not count.", ""),
        "until": Key(Day(), "The last day on which it does not count."),
    },
)


def _report(
    schema: str,
    findings: tuple[tuple[Finding, tuple[str, ...]], ...],
    waivers: tuple[Waiver, ...],
    **rest: Any,
) -> Report:
    del schema
    _unique("findings", [finding.id for finding, _ in findings])
    _unique("capabilities", [capability.id for capability in rest["capabilities"]])
    blocks = {finding.id: blocks for finding, blocks in findings if blocks}
    report = Report(findings=tuple(finding for finding, _ in findings), blocks=blocks, **rest)
    return applied(report, waivers) if waivers else report


def _of_report(report: Report, key: str) -> object:
    if key == "findings":
        return [(finding, report.blocks.get(finding.id, ())) for finding in report.findings]
    if key == "waivers":
        return waivers_of(report)
    return SCHEMA if key == "schema" else getattr(report, key)


_REPORT = Record(
    _report,
    {
        "schema": Key(_Version(), "Name and version of this format."),
        "kdiag": Key(_TEXT, "Version of the kdiag that made the report."),
        "created": Key(Text(format="date-time"), "When, in UTC, as in RFC 3339."),
        "labels": Key(
            _Labels(),
            "What machines are told apart by, as --label gave it or a collector added it: host, site, role, ...",
            {},
            seldom=True,
        ),
        "machine": Key(_MACHINE),
        "findings": Key(
            Each(_FINDING), "Every answer of every check that ran, in the checks' order; ids are unique."
        ),
        "capabilities": Key(
            Each(_CAPABILITY),
            "What a person may want to do, and whether this machine lets them; ids are unique.",
        ),
        "tools": Key(
            Each(_TEXT),
            "The tools that the report is about: those that were asked for or are installed; empty for all.",
            (),
        ),
        "required": Key(_IDS, "Ids of the capabilities that the verdict is about."),
        "verdict": Key(_VERDICT),
        "waivers": Key(Each(_WAIVER), "The waivers that were applied: what the verdict does not count.", ()),
    },
    about="What one run of kdiag found out about tracing with eBPF on one Linux machine. Keys may be added within "
    "version 1; a key that goes away or changes its meaning raises the version. Readers ignore keys that they do "
    "not know.",
    get=_of_report,
)

#: Only `kdiag check --smoke` writes it, and nothing reads it back.
_SMOKE = {
    "type": "object",
    "description": "With `kdiag check --smoke`: the smoke run, a document of its own (kdiag.smoke/1).",
    "required": ["schema", "programs"],
    "properties": {"schema": {"const": "kdiag.smoke/1", "description": "The schema of that document."}},
}


def _unique(key: str, ids: list[str]) -> None:
    seen: dict[str, int] = {}
    for index, id_ in enumerate(ids):
        if id_ in seen:
            raise BadReport(
                f"{found_instead(id_)} is the id of {key}[{seen[id_]}] already", f"{key}[{index}].id"
            )
        seen[id_] = index


def document(report: Report) -> object:
    """The document as json.dumps takes it."""
    return _REPORT.write(report)


def load(text: str | bytes) -> Report:
    """The report in a document; keys that are not known are ignored.

    Raises BadReport, and nothing else, for whatever is wrong with it.
    """
    found = _REPORT.read(_parsed(text))
    assert isinstance(found, Report)  # noqa: S101
    return found


def _parsed(text: str | bytes) -> object:
    try:
        value: object = json.loads(text.decode("utf-8-sig") if isinstance(text, bytes) else text)
    except UnicodeDecodeError as error:
        raise BadReport(f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise BadReport(f"not JSON at line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise BadReport("not a report: nested too deeply") from None
    except ValueError:  # Python's limit on the conversion of digits
        raise BadReport("not a report: a number has too many digits") from None
    return value


def schema() -> Schema:
    """The JSON Schema (draft 2020-12) of the document."""
    defined: dict[str, Schema] = {}
    whole = described(_REPORT, defined)
    whole["properties"]["smoke"] = _SMOKE
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:kdiag:report:1",
        "title": SCHEMA,
        **whole,
        "$defs": defined,
    }
