"""A chain of errors over several lines: the number that decides stands behind the error that it belongs to."""

from __future__ import annotations

import pytest

from kdiag.why.chains import chained
from kdiag.why.joining import join

ANYHOW = """Error: failed to attach the program

Caused by:
    0: could not attach kprobe to vfs_open
    1: Permission denied (os error 13)
done"""
JOURNAL = """Jul 01 10:00:00 host agent[77]: Error: loading the eBPF object
Jul 01 10:00:01 host agent[77]: Caused by:
Jul 01 10:00:01 host agent[77]:     Operation not permitted
Jul 01 10:00:01 host systemd[1]: agent.service: Failed"""
EYRE = """Error:
   0: could not load eBPF program filter
   1: Operation not permitted (os error 1)

Location:
   src/main.rs:12"""
NO_NUMBER = "Error: cannot start\n\nCaused by:\n    the probe cannot be read\n"


def lines(text: str) -> list[str]:
    return [line for _, line in chained(enumerate(text.splitlines(), 1))]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ANYHOW, "    0: could not attach kprobe to vfs_open: Permission denied (os error 13)"),
        (ANYHOW, "Error: failed to attach the program: Permission denied (os error 13)"),
        (
            JOURNAL,
            "Jul 01 10:00:00 host agent[77]: Error: loading the eBPF object: Operation not permitted",
        ),
        (EYRE, "   0: could not load eBPF program filter: Operation not permitted (os error 1)"),
    ],
)
def test_the_number_stands_behind_its_error(text: str, said: str) -> None:
    assert said in lines(text)
    assert len(lines(text)) == len(text.splitlines())


@pytest.mark.parametrize("text", [NO_NUMBER, "a\n\n\nb\n\n", "", "Caused by:", "Error:\nx"])
def test_other_lines_stay_as_they_are(text: str) -> None:
    assert lines(text) == text.splitlines()


def test_a_line_keeps_its_number() -> None:
    (one,) = (told for told in join(EYRE.splitlines()).told)
    assert (one.line, one.message.id) == (2, "any.load")


def test_a_chain_that_never_ends_is_let_go() -> None:
    text = "Caused by:\n" + "  a\n" * 5_000
    assert lines(text) == text.splitlines()
