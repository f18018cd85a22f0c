"""A tool by its name: `opensnoop` is a script of bpftrace, a program of BCC and one of libbpf-tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.explain.bare.function import STATES
from kdiag.explain.object import answer as objects
from kdiag.explain.probe.value import unseen
from kdiag.explain.script import explain as script
from kdiag.explain.value import Answer, NotKnown, Section
from kdiag.knowledge.names.tools import collections
from kdiag.report.terminal.page import works_words
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from kdiag.explain.here import Here

#: Where distributions put the scripts of bpftrace (Debian, Fedora and Arch, upstream's install).
_SCRIPTS = ("/usr/sbin/{}.bt", "/usr/share/bpftrace/tools/{}.bt", "/usr/local/share/bpftrace/tools/{}.bt")
_PROGRAMS = ("/usr/sbin/{}", "/usr/bin/{}")
_BCC = {"opensnoop": "bcc-opensnoop", "execsnoop": "bcc-execsnoop"}
_WHAT = {
    "bpftrace": "a script of bpftrace",
    "bcc": "a program of BCC",
    "libbpf-tools": "a program of libbpf-tools",
}


def explain(word: str, here: Here) -> Answer | None:
    """What is said of a tool, None if no collection has one of this name."""
    known = collections().get(word)
    if known is None:
        return None
    asked = {"bpftrace": _script, "bcc": _bcc, "libbpf-tools": _libbpf}
    found = [(one, asked[one](word, here)) for one in known]
    rows = tuple((_WHAT[one], *row) for one, row in found)
    head = ("what", "where", here.where, "why")
    paths = [row[0] for _, row in found if row[0].startswith("/")]
    commands = [f"kdiag explain {path}" for path in paths if not path.endswith(("-bpfcc", "bcc/tools"))]
    sections = (
        Section("", ("Several collections have a tool of this name.",) if len(rows) > 1 else ()),
        Section("Which of them work", (), head, rows),
        Section("Read on", commands=tuple(commands or ("kdiag explain bpftrace-vs-bcc-vs-libbpf",))),
    )
    return Answer(word, "tool", "a tool for tracing", "told", "", sections)


def _first(word: str, places: tuple[str, ...], here: Here) -> str | None:
    """The first of these paths that is there. Raises Unavailable."""
    paths = (place.format(word) for place in places)
    return next((path for path in paths if here.machine.system.stat(path) is not None), None)


def _script(word: str, here: Here) -> tuple[str, str, str]:
    return _judged(word, _SCRIPTS, here, script.explain)


def _libbpf(word: str, here: Here) -> tuple[str, str, str]:
    return _judged(word, _PROGRAMS, here, objects.explain)


def _judged(
    word: str, places: tuple[str, ...], here: Here, ask: Callable[[str, Here], Answer]
) -> tuple[str, str, str]:
    """Where it is, whether it works, and why not: the file is read on this machine only."""
    try:
        path = _first(word, places, here)
    except Unavailable as gap:
        return "-", "cannot tell", unseen(gap)
    if path is None:
        return "not installed", "-", "-"
    if here.place:
        return path, "cannot tell", "its file was not recorded"
    try:
        answer = ask(path, here)
    except NotKnown as error:
        return path, "-", str(error)
    return path, STATES[answer.outcome], answer.because or "-"


def _bcc(word: str, here: Here) -> tuple[str, str, str]:
    path = here.machine.tools.bcc.tool(word)
    wanted = _BCC.get(word, "bcc-tools")
    capability = next((one for one in here.report.capabilities if one.id == wanted), None)
    if path is None or capability is None:
        return "not installed", "-", "-"
    return path, works_words(capability.status), capability.because or "-"
