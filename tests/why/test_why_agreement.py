"""`kdiag why` against messages that were printed on machines whose cause is known: how many it gets right.

The pairs are those of tests/cases (public reports), of observed.toml (booted machines), and of the containers that were
seen in real engines. Each must be right, or stand in an exception below with its reason.
"""

from __future__ import annotations

from typing import Any

import pytest

from kdiag.knowledge.tools.messages import recognised
from kdiag.model import Report
from kdiag.why.joining import join
from kdiag.why.judging import explained
from kdiag.why.value import Answer
from tests.support import machine_data, machines, toml
from tests.support.cases import cases, messages
from tests.support.engine_cells import EngineCell, cells
from tests.support.paths import REPOSITORY
from tests.support.reports import Examine
from tests.support.why_agreement import SEEN as SEEN_FILE
from tests.support.why_agreement import situations

HERE = REPOSITORY / "tests" / "why"
SEEN: list[dict[str, Any]] = toml.read(SEEN_FILE)["seen"]
REPORTED: list[dict[str, str]] = toml.read(HERE / "reported.toml")["message"]

#: The cause could not be looked at on the machine: it must be the first candidate.
CANDIDATES = {"K026"}


def answer(text: str, report: Report) -> Answer:
    """What is said first."""
    return explained(join(text.splitlines()), report).answers[0]


@pytest.mark.parametrize("name", messages())
def test_a_reported_message_gets_the_cause_of_its_report(name: str, examine: Examine) -> None:
    text, cause = messages()[name]
    found = answer(text, examine(cases()[name].build()))
    if name in CANDIDATES:
        assert found.outcome == "candidates"
        assert found.candidates[0].id == cause
    elif name == "K080":
        assert found.outcome == "harmless"
    else:
        assert found.cause is not None, (found.outcome, found.told.message.id)
        assert found.cause.id == cause


@pytest.mark.parametrize("one", SEEN, ids=[f"{one['situation']}-{number}" for number, one in enumerate(SEEN)])
def test_a_message_of_a_booted_machine_gets_the_cause_that_the_machine_was_made_of(
    one: dict[str, Any], examine: Examine
) -> None:
    table, _, situation = one["situation"].partition(": ")
    if table == "containers":
        described = cells()[situation].build()
    else:
        described = machines.bpftrace(machine_data.machine(situations(table)[situation]), one["bpftrace"])
    found = answer(one["message"].strip(), examine(described))
    if one.get("harmless"):
        assert found.outcome == "harmless"
    else:
        assert found.cause is not None, (found.outcome, found.told.message.id)
        assert found.cause.id == one["cause"]


@pytest.mark.parametrize(
    "cell",
    [c for c in cells().values() if c.because and not c.works.get("hello", True)],
    ids=lambda cell: cell.name,
)
def test_a_refused_map_in_a_container_gets_a_true_cause(cell: EngineCell, examine: Examine) -> None:
    """With the errno that bpf(2) gave there, in the words of the release that was run."""
    number, _ = cell.seen.answers.get("bpf:map", ("", ""))
    if number not in ("EPERM", "EACCES"):
        pytest.skip(f"bpf(2) makes maps there ({number})")
    words = "Operation not permitted" if number == "EPERM" else "Permission denied"
    found = answer(f"ERROR: failed to create map: '@': {words}", examine(cell.build()))
    assert found.cause is not None
    assert found.cause.id in cell.because


@pytest.mark.parametrize(
    "cell", [c for c in cells().values() if c.seen.tracefs != "readable"], ids=lambda cell: cell.name
)
def test_an_event_that_is_not_found_in_a_container_gets_a_true_cause(
    cell: EngineCell, examine: Examine
) -> None:
    if cell.seen.tracefs != "absent":
        pytest.skip("tracefs is there")
    found = answer("ERROR: tracepoint not found: syscalls:sys_enter_openat", examine(cell.build()))
    assert found.cause is not None
    assert found.cause.id in {"tracing.tracefs", *cell.because}


@pytest.mark.parametrize("one", REPORTED, ids=[f"{one['reported']}-{n}" for n, one in enumerate(REPORTED)])
def test_what_a_reported_message_is_known_as(one: dict[str, str]) -> None:
    found = recognised(one["text"])
    assert (found[0].id if found else "") == one["known_as"]
