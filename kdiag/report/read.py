"""Reads `kdiag.report/1` documents, untrusted: a wrong value is named with its place.

Places are put together only when something is wrong, so that thousands of reports load quickly.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from enum import Enum
from typing import TypeVar

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
from kdiag.words import found_instead

SCHEMA = "kdiag.report/1"
KINDS = ("safe", "unsafe", "manual")

_E = TypeVar("_E", bound=Enum)
_T = TypeVar("_T")

#: The largest document; a report has some 100 kB.
DOCUMENT_LIMIT = 32 * 1024 * 1024


class BadReport(ValueError):
    """A report that cannot be read. place: where in it, such as `findings[3].status`; empty for all of it."""

    def __init__(self, message: str, place: str = "") -> None:
        super().__init__(f"{place}: {message}" if place else message)
        self.message = message
        self.place = place

    def within(self, outer: str) -> BadReport:
        """The same complaint, seen from the object around."""
        inner = f".{self.place}" if self.place and not self.place.startswith("[") else self.place
        return BadReport(self.message, outer + inner)


def load(text: str | bytes) -> Report:
    """The report in a document; keys that are not known are ignored.

    Raises BadReport, and nothing else, for whatever is wrong with it.
    """
    document = _Object.of(_parsed(text))
    _right_schema(document)
    findings = document.each("findings", _finding)
    capabilities = document.each("capabilities", _capability)
    _unique("findings", [finding.id for finding, _ in findings])
    _unique("capabilities", [capability.id for capability in capabilities])
    return Report(
        kdiag=document.text("kdiag"),
        created=document.text("created"),
        machine=document.one("machine", _machine),
        findings=tuple(finding for finding, _ in findings),
        capabilities=capabilities,
        tools=document.each("tools", _string, needed=False),
        required=document.each("required", _string),
        verdict=document.one("verdict", _verdict),
        blocks={finding.id: blocks for finding, blocks in findings if blocks},
    )


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


def _right_schema(document: _Object) -> None:
    schema = document.text("schema")
    if schema == SCHEMA:
        return
    version = re.fullmatch(r"kdiag\.report/([0-9]{1,6})", schema)
    if version and int(version[1]) > int(SCHEMA.rpartition("/")[2]):
        raise BadReport(f"{schema} is newer than this kdiag, which reads {SCHEMA}: update kdiag", "schema")
    raise BadReport(f"expected {SCHEMA}, found {found_instead(schema)}", "schema")


def _unique(key: str, ids: list[str]) -> None:
    seen: dict[str, int] = {}
    for index, id_ in enumerate(ids):
        if id_ in seen:
            raise BadReport(
                f"{found_instead(id_)} is the id of {key}[{seen[id_]}] already", f"{key}[{index}].id"
            )
        seen[id_] = index


def _machine(value: object) -> MachineInfo:
    machine = _Object.of(value)
    return MachineInfo(
        release=machine.text("release", ""),
        version=machine.text("version", ""),
        arch=machine.text("arch", ""),
        kernel=machine.text("kernel", ""),
        distribution=machine.text("distribution", ""),
        container=machine.text("container", ""),
        vm=machine.text("vm", ""),
        bpftrace=machine.text("bpftrace", ""),
        user=machine.text("user", ""),
        root=machine.text("root", "/"),
    )


def _finding(value: object) -> tuple[Finding, tuple[str, ...]]:
    """A finding, and the ids of the capabilities that it blocks."""
    item = _Object.of(value)
    finding = Finding(
        status=item.choice("status", Status),
        summary=item.text("summary"),
        reason=item.text("reason", ""),
        id=item.name("id"),
        title=item.text("title", ""),
        evidence=item.each("evidence", _evidence, needed=False),
        causes=item.each("causes", _string, needed=False),
        remedies=item.each("remedies", _remedy, needed=False),
        wrong_remedies=item.each("wrong_remedies", _wrong_remedy, needed=False),
        with_root=item.text("with_root", ""),
    )
    return finding, item.each("blocks", _string, needed=False)


def _evidence(value: object) -> Evidence:
    item = _Object.of(value)
    return Evidence(item.text("source"), item.text("observed"))


def _wrong_remedy(value: object) -> WrongRemedy:
    item = _Object.of(value)
    return WrongRemedy(item.text("advice"), item.text("why"))


def _remedy(value: object) -> Remedy:
    item = _Object.of(value)
    kind = item.text("kind", "safe")
    if kind not in KINDS:
        raise BadReport(f"expected one of {'|'.join(KINDS)}, found {found_instead(kind)}", "kind")
    return Remedy(
        id=item.text("id"),
        title=item.text("title"),
        kind=kind,
        commands=item.each("commands", _string, needed=False),
        run_on=item.text("run_on", "here"),
        needs=item.each("needs", _string, needed=False),
        undo=item.each("undo", _string, needed=False),
    )


def _capability(value: object) -> Capability:
    item = _Object.of(value)
    return Capability(
        id=item.name("id"),
        title=item.text("title"),
        tool=item.text("tool"),
        status=item.choice("status", Works),
        because=item.text("because"),
        findings=item.each("findings", _string, needed=False),
        with_root=item.choice("with_root", Works) if item.has("with_root") else None,
    )


def _verdict(value: object) -> Verdict:
    item = _Object.of(value)
    return Verdict(
        item.choice("status", Readiness),
        item.text("summary"),
        item.text("next", ""),
        item.text("run_on", "here"),
    )


def _string(value: object) -> str:
    if isinstance(value, str):
        return value
    raise BadReport(f"expected a string, found {found_instead(value)}")


class _Object:
    """A JSON object, asked for typed values by key; BadReport has the key as its place."""

    __slots__ = ("_values",)

    def __init__(self, values: dict[object, object]) -> None:
        self._values = values

    @classmethod
    def of(cls, value: object) -> _Object:
        if isinstance(value, dict):
            return cls(value)
        raise BadReport(f"expected an object, found {found_instead(value)}")

    def has(self, key: str) -> bool:
        """Whether the key has a value other than null."""
        return self._values.get(key) is not None

    def text(self, key: str, default: str | None = None) -> str:
        value = self._values.get(key, default)
        if isinstance(value, str):
            return value
        raise BadReport(f"expected a string, found {self._seen(key)}", key)

    def name(self, key: str) -> str:
        return self.text(key) or _refuse("expected an id, found an empty string", key)

    def choice(self, key: str, kind: type[_E]) -> _E:
        value = self._values.get(key)
        try:
            return kind(value)
        except ValueError:
            expected = "|".join(str(member.value) for member in kind)
            raise BadReport(f"expected one of {expected}, found {self._seen(key)}", key) from None

    def one(self, key: str, read: Callable[[object], _T]) -> _T:
        if key not in self._values:
            raise BadReport("expected an object, found nothing", key)
        try:
            return read(self._values[key])
        except BadReport as bad:
            raise bad.within(key) from None

    def each(self, key: str, read: Callable[[object], _T], *, needed: bool = True) -> tuple[_T, ...]:
        values = self._values.get(key, None if needed else [])
        if not isinstance(values, list):
            raise BadReport(f"expected a list, found {self._seen(key)}", key)
        done: list[_T] = []
        try:
            for value in values:
                done.append(read(value))
        except BadReport as bad:
            raise bad.within(f"{key}[{len(done)}]") from None
        return tuple(done)

    def _seen(self, key: str) -> str:
        return found_instead(self._values[key]) if key in self._values else "nothing"


def _refuse(message: str, place: str) -> str:
    raise BadReport(message, place)
