"""The releases that print a message, and the one that is installed here."""

from __future__ import annotations

from kdiag.knowledge.texts.releases import Version, contains, which
from kdiag.knowledge.texts.releases import shown as release
from kdiag.knowledge.tools.bpftrace import parse_version
from kdiag.knowledge.tools.messages import Recognised
from kdiag.model import MachineInfo
from kdiag.why.value import Told

#: The one tool whose release a report names.
_TOOL = "bpftrace"


def suited(told: Told, machine: MachineInfo) -> Told:
    """The message as the installed release means it: where that does not print what comes first in the catalogue, and
    does print another message with these words, it is the other.
    """
    installed = _installed(machine)
    if installed is None or not told.fits or _prints(told.fits[0], installed):
        return told
    for one in told.fits[1:]:
        if one.message.tool == _TOOL and (one.since or one.until) and _prints(one, installed):
            return told._replace(message=one.message, details=one.details, fits=(one,))
    return told


def age(told: Told, machine: MachineInfo) -> str:
    """Which releases print a message, where the installed one does not."""
    installed = _installed(machine)
    if installed is None or not told.fits or _prints(told.fits[0], installed):
        return ""
    first = told.fits[0]
    return (
        f"{_TOOL} {which(first.since, first.until)} {_verb(first)} this; "
        f"the installed one is {release(installed)}"
    )


def _verb(one: Recognised) -> str:
    return "prints" if one.since is not None and one.since == one.until else "print"


def _prints(one: Recognised, installed: Version) -> bool:
    return one.message.tool != _TOOL or contains(one.since, one.until, installed)


def _installed(machine: MachineInfo) -> Version | None:
    return parse_version(machine.bpftrace) if machine.bpftrace else None
