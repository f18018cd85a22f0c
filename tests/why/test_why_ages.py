"""Which releases print a message, and the one that is installed."""

from __future__ import annotations

import pytest

from kdiag.knowledge.tools.message import Message
from kdiag.knowledge.tools.messages import Recognised
from kdiag.model import MachineInfo
from kdiag.why.ages import age, suited
from kdiag.why.joining import join
from kdiag.why.value import Told

HERE = MachineInfo(bpftrace="bpftrace v0.19.1")


def _row(name: str, tool: str = "bpftrace") -> Message:
    return Message(name, "", "cause", (), "It is so.", tool=tool)


NEW = Recognised(_row("new"), (), (0, 21, 0), None)
OLD = Recognised(_row("old"), (), None, (0, 20, 4))
ALWAYS = Recognised(_row("always"))
OTHER = Recognised(_row("other", "libbpf"), (), (1, 0, 0), None)


def _told(*fits: Recognised) -> Told:
    return Told(fits[0].message, 1, "words", fits=fits)


@pytest.mark.parametrize(
    ("fits", "chosen"),
    [
        ((NEW, OLD), "old"),
        ((OLD, NEW), "old"),
        ((NEW, ALWAYS), "new"),
        ((NEW, OTHER), "new"),
        ((OTHER, OLD), "other"),
        ((ALWAYS, OLD), "always"),
    ],
)
def test_the_installed_release_decides_between_two_messages(
    fits: tuple[Recognised, ...], chosen: str
) -> None:
    """Only where it does not print the one that comes first, and is known to print the other."""
    assert suited(_told(*fits), HERE).message.id == chosen


def test_without_a_release_the_first_is_meant() -> None:
    assert suited(_told(NEW, OLD), MachineInfo()).message.id == "new"
    assert age(_told(NEW), MachineInfo()) == ""


def test_a_message_of_another_release_is_said_to_be_one() -> None:
    assert age(_told(NEW), HERE) == "bpftrace 0.21 and newer print this; the installed one is 0.19.1"
    assert age(_told(OLD), HERE) == ""
    assert age(_told(OTHER), HERE) == ""


def test_the_text_of_a_source_says_which_releases_print_it() -> None:
    (told,) = join(["ERROR: Failed to open kernel function info: words"]).told
    assert age(told, HERE) == "bpftrace 0.25 and newer print this; the installed one is 0.19.1"
    (told,) = join(["ERROR: could not read traceable functions from /a (is debugfs mounted?)"]).told
    assert age(told, HERE) == "bpftrace 0.12 to 0.16 print this; the installed one is 0.19.1"
