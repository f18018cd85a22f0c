"""From a machine to a recording: examined, reduced, redacted, and played back to see that it still says the same."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kdiag import __version__
from kdiag.checking.analysis import analyse
from kdiag.machine import Machine
from kdiag.model import Finding, Report
from kdiag.recording import apt, pack
from kdiag.recording.clean import clean, report_without
from kdiag.recording.redact import Redactor
from kdiag.recording.reduce import reduced
from kdiag.recording.secrets import Secrets
from kdiag.report.faces.json import render
from kdiag.system import System, Unavailable
from kdiag.system.recorder import Recorder
from kdiag.system.recording import Recording
from kdiag.system.recording_files import Memory
from kdiag.system.recording_index import Json

if TYPE_CHECKING:
    from kdiag.checking.registry import Registered, Registry
    from kdiag.machine import Machine

#: Files that are larger even when reduced are left out; playing back they are unknown.
KEEP_LIMIT = 48 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Made:
    """A recording before it is written.

    index: recording.json; files: by name in the recording (`root/...`); report: as the recording says it; notes: how a
    file was treated, by name; counts: secrets replaced, by kind; differs: ids of findings that the recording does not
    give as the machine did; created: seconds since 1970.
    """

    index: dict[str, Json]
    files: dict[str, bytes]
    report: Report
    notes: dict[str, str]
    counts: dict[str, int]
    differs: tuple[str, ...]
    created: int

    def members(self, *, directory: bool) -> dict[str, bytes]:
        """All files as they are written; in a directory large ones are packed."""
        index, files = self.index, dict(self.files)
        if directory:
            packed = pack.packable(files)
            index = {**index, "packed": {n.removeprefix("root"): len(files[n]) for n in packed}}
            files = {n: d for n, d in files.items() if n not in packed} | {
                f"{n}.xz": d for n, d in packed.items()
            }
        files["recording.json"] = (json.dumps(index, indent=1) + "\n").encode()
        files["report.json"] = render(self.report).encode()
        return files


def make(
    system: System,
    registry: Registry,
    chosen: Sequence[Registered],
    required: Sequence[str],
    secrets: Secrets | None,
) -> Made:
    """Examine `system` by the chosen checks and make a recording of it; with `secrets` None nothing is redacted."""
    recorder = Recorder(system)
    machine = Machine(recorder)
    report = analyse(machine, registry, chosen, required)
    created = int(time.time())
    small = _reduced(recorder, machine)
    played = _played(_draft(recorder, report, secrets, created, small), registry, chosen, required)
    if played[0].differs and small:
        # A plug-in's check may read more of a file than was left of it.
        whole = _played(_draft(recorder, report, secrets, created, {}), registry, chosen, required)
        played = whole if len(whole[0].differs) < len(played[0].differs) else played
    draft, again = played
    if secrets is None or not _same_statuses(draft.report, again):
        return draft
    # What the machine said may quote a part of a secret that was cut off; what the playback says cannot.
    return replace(draft, report=replace(again, created=draft.report.created))


def _played(
    drafted: tuple[Made, Redactor | None],
    registry: Registry,
    chosen: Sequence[Registered],
    required: Sequence[str],
) -> tuple[Made, Report]:
    """The recording with what it does not give back, and the report that it gives."""
    draft, redactor = drafted
    playback = Recording(Memory(draft.members(directory=False), "the recording"))
    again = analyse(Machine(playback), registry, chosen, required)
    # kdiag's own words may look like a secret (a version like an address): both sides are read with the same eyes.
    seen = again if redactor is None else report_without(again, redactor)
    return replace(draft, differs=differing(draft.report.findings, seen.findings)), again


def differing(first: Sequence[Finding], second: Sequence[Finding]) -> tuple[str, ...]:
    """Ids of findings that are not the same in both."""
    one, other = ({f.id: f for f in findings} for findings in (first, second))
    return tuple(sorted(i for i in one.keys() | other.keys() if one.get(i) != other.get(i)))


def _same_statuses(first: Report, second: Report) -> bool:
    return [(f.id, f.status, f.causes) for f in first.findings] == [
        (f.id, f.status, f.causes) for f in second.findings
    ]


def _reduced(recorder: Recorder, machine: Machine) -> dict[str, tuple[bytes, str]]:
    named: frozenset[str] = frozenset()
    for side in (machine, machine.origin):
        with suppress(Unavailable):
            advice = side.packages.advice
            named |= {name for name in (advice.name, *advice.parts) if name}
        named |= side.tracing.asked
    small = {}
    for path, data in recorder.files.items():
        log = f"{path}-wal"
        beside = recorder.files.get(log, b"")
        form = None
        if path not in recorder.heads:
            form = apt.reduced(path, data) or reduced(path, data, named, beside)
        if form is not None:
            small[path] = form
            if beside:
                small[log] = (b"", f"nothing: its content is in {path.rpartition('/')[2]}")
    return small


def _draft(
    recorder: Recorder,
    report: Report,
    secrets: Secrets | None,
    created: int,
    small: Mapping[str, tuple[bytes, str]],
) -> tuple[Made, Redactor | None]:
    """A recording that was not yet tried out, and what redacted it."""
    files = recorder.stored() | {f"root{path}": data for path, (data, _) in small.items()}
    notes = {f"root{path}": f"reduced to {word}" for path, (_, word) in small.items()}
    notes |= {f"root{path}": f"its first {size} bytes" for path, size in recorder.heads.items()}
    notes |= {f"root{path}.pieces": "the parts of it that were read" for path in recorder.read_pieces}
    index = recorder.index()
    _leave_out(index, files)
    counts: dict[str, int] = {}
    redactor = None if secrets is None else Redactor(secrets, _kept(recorder))
    if redactor is not None:
        heads = {f"root{path}": size for path, size in recorder.heads.items()}
        moved = apt.renamed(index, files)
        new = {f"root{old}": f"root{name}" for old, name in moved.items()}
        files = {new.get(name, name): data for name, data in files.items()}
        notes = {new.get(name, name): note for name, note in notes.items()}
        small = {moved.get(path, path): form for path, form in small.items()}
        index = {key: apt.with_names(value, moved) for key, value in index.items()}
        cleaned = clean(index, files, report, redactor, heads)
        index, files, report = cleaned.index, cleaned.files, cleaned.report
        notes = {cleaned.names.get(name, name): note for name, note in notes.items()}
        for name, note in cleaned.notes.items():
            notes[name] = f"{notes[name]}; {note}" if name in notes else note
        counts = {kind: count for kind, count in sorted(redactor.counts.items()) if count}
    index["kdiag"] = __version__
    index["created"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(created))
    index["redacted"] = None if redactor is None else {**counts}
    index["reduced"] = {path: word for path, (_, word) in sorted(small.items())}
    return Made(index, files, report, notes, counts, (), created), redactor


def _kept(recorder: Recorder) -> tuple[str, ...]:
    """What must stay as it is although it may look like an address: the kernel's own names."""
    names = recorder.uname_table or {}
    values = (names.get(part) for part in ("release", "version", "machine"))
    return tuple(value for value in values if isinstance(value, str) and value)


def _leave_out(index: dict[str, Json], files: dict[str, bytes]) -> None:
    """Take out what is too large, and what has a name that no file may have; on playback it is unknown."""
    tables = {key: value for key, value in index.items() if isinstance(value, dict)}
    for name in [n for n in files if len(files[n]) > KEEP_LIMIT or not pack.safe(n)]:
        path, size = name.removeprefix("root"), len(files.pop(name))
        tables["pieces"].pop(path.removesuffix(".pieces"), None)
        tables["heads"].pop(path, None)
        tables["unavailable"][path] = {
            "reason": f"{path}: its {size} bytes were left out of the recording",
            "errno": None,
        }
