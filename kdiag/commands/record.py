"""`kdiag record`: a recording of this machine to send, to keep, to compare; and `--from`: one played back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from kdiag.machine import Machine
from kdiag.model import Status
from kdiag.recording import pack, secrets
from kdiag.recording.clean import replaced
from kdiag.recording.make import make
from kdiag.recording.pack import CannotWrite, opened
from kdiag.system import Unavailable
from kdiag.system.below import Below
from kdiag.system.recording import Recording
from kdiag.system.recording_index import BadRecording

if TYPE_CHECKING:
    from kdiag.checking.registry import Registered, Registry
    from kdiag.model import Report
    from kdiag.recording.make import Made
    from kdiag.recording.secrets import Secrets
    from kdiag.system import System
    from kdiag.system.live import Live

__all__ = ["Answer", "BadRecording", "CannotWrite", "by_collector", "collector", "record", "system_from"]


class Answer(NamedTuple):
    """For standard output, as text or (`-o -`) as bytes, and for standard error ("" for nothing)."""

    text: str
    note: str
    binary: bytes = b""


def system_from(path: str) -> Recording:
    """The recorded machine at a path: a directory, an archive, or `-` for an archive on standard input.

    Raises BadRecording, whose message names the file and the place.
    """
    return opened(path)


def collector(registry: Registry, chosen: Sequence[Registered]) -> str:
    """The text of the shell program that records a machine, with the questions of these checks."""
    from kdiag.recording.collector.asking import asked
    from kdiag.recording.collector.render import collector as rendered

    return rendered(asked(registry, chosen))


def by_collector(system: System, report: Report) -> str:
    """What a recording of the collector leaves unknown and why, in one line; "" for any other system."""
    if not isinstance(system, Recording) or not system.collector:
        return ""
    unknown = [finding.id for finding in report.findings if finding.status is Status.UNKNOWN]
    some = ", ".join(unknown[:3]) + (", ..." if len(unknown) > 3 else "")
    return (
        f"recorded by the collector of kdiag {system.collector}, which makes no bpf(2) and perf_event_open(2), runs no "
        f"programs and does not read the kernel's log: {len(unknown)} of {len(report.findings)} findings are unknown"
        + (f" ({some})" if some else "")
    )


def record(  # noqa: PLR0913  an option each
    registry: Registry,
    chosen: Sequence[Registered],
    required: Sequence[str],
    *,
    output: str | None,
    root: str = "/",
    host: str = "",
    redact: bool = True,
    only_list: bool = False,
    unicode: bool = True,
) -> Answer:
    """Examine the machine and write the recording, or only list what would be in it. Raises CannotWrite."""
    if output is None and not only_list:
        raise CannotWrite(
            f"where to? -o FILE{'|FILE'.join(pack.SUFFIXES)}|DIRECTORY, or --list to see what would go in"
        )
    if output is not None:
        pack.check_output(output)
    made = _made(registry, chosen, required, root, host, redact=redact)
    if only_list:
        from kdiag.recording.listing import listing

        return Answer(listing(made, unicode=unicode), _differs(made))
    if output == "-":
        return Answer("", _differs(made), pack.packed(made.members(directory=False), "-", made.created))
    path = output or ""
    members = made.members(directory=not path.endswith(pack.SUFFIXES))
    size = pack.write(path, members, made.created)
    return Answer(f"{_told(made, path, size, len(members))}\n", _differs(made))


def _made(  # noqa: PLR0913
    registry: Registry,
    chosen: Sequence[Registered],
    required: Sequence[str],
    root: str,
    host: str,
    *,
    redact: bool,
) -> Made:
    from kdiag.system.live import Live

    system = Live(root, host)
    return make(system, registry, chosen, required, _known(system) if redact else None)


def _known(system: Live) -> Secrets:
    """The secrets of the machine, and of the host whose files are in the recording as well."""
    node = os.uname().nodename if system.live else ""
    known = secrets.of(system, os.environ, node)
    try:
        found = Machine(system).host.found
    except Unavailable:
        found = None
    return known if found is None else secrets.joined(known, secrets.of(Below(system, found.directory), {}))


def _told(made: Made, path: str, size: int, files: int) -> str:
    what = (
        "nothing was replaced (--no-redact)"
        if made.index.get("redacted") is None
        else "no secrets were found"
    )
    if made.counts:
        what = f"replaced {replaced(made.counts)}"
    return f"{path}: {files} files, {size} bytes; {what}\nplay it back with: kdiag check --from {path}"


def _differs(made: Made) -> str:
    """What does not play back as it was, if anything: a plug-in's check may read the clock."""
    if not made.differs:
        return ""
    names = ", ".join(made.differs[:10]) + (
        f" and {len(made.differs) - 10} more" if len(made.differs) > 10 else ""
    )
    return f"played back, the recording does not say quite the same about: {names}"
