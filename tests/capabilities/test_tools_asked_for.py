"""`--tool`: what was asked for is judged and shown; a tool that nobody asked for is in nobody's way."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from kdiag.capabilities.definitions import DEFAULT_REQUIRED, DEFINITIONS
from kdiag.capabilities.tools import REQUIRED
from kdiag.checking.analysis import analyse
from kdiag.machine import Machine
from kdiag.model import Readiness, Report, Works
from kdiag.report.faces.json import render as render_json
from kdiag.report.formats import NAMES, render_as
from kdiag.report.story.tools import of_tools
from tests.support import machines
from tests.support.description import Description
from tests.support.reports import builtin


def judged(described: Description, *tools: str, required: tuple[str, ...] = ()) -> Report:
    registry = builtin()
    return analyse(Machine(described.recording()), registry, registry.checks, required, tools)


def with_bcc(described: Description) -> Description:
    return described.file("/usr/sbin/execsnoop-bpfcc", "#!/usr/bin/python3\n", mode=0o755)


def test_every_tool_has_capabilities_and_every_capability_a_tool() -> None:
    tools = {definition.tool.casefold() for definition in DEFINITIONS}
    assert tools == REQUIRED.keys()
    by_id = {definition.id: definition for definition in DEFINITIONS}
    assert all(by_id[id_].tool.casefold() == name for name, ids in REQUIRED.items() for id_ in ids)


@pytest.mark.parametrize(
    ("installed", "tools", "required"),
    [
        ((), ("bpftrace", "libbpf"), DEFAULT_REQUIRED),
        (("bpftrace",), ("bpftrace", "libbpf"), DEFAULT_REQUIRED),
        (("bcc",), ("bcc", "libbpf"), ("bcc-tools",)),
        (("bpftrace", "bcc"), ("bpftrace", "bcc", "libbpf"), DEFAULT_REQUIRED),
    ],
)
def test_what_is_installed_is_what_is_meant(
    installed: tuple[str, ...], tools: tuple[str, ...], required: tuple[str, ...]
) -> None:
    described = machines.linux()
    if "bpftrace" in installed:
        machines.bpftrace(described, "0.23.2")
    if "bcc" in installed:
        with_bcc(described)
    report = judged(described)
    assert (report.tools, report.required) == (tools, required)


def test_a_tool_that_nobody_asked_for_is_no_row_and_no_limit() -> None:
    """In the document it is judged all the same: two documents of one machine can be compared."""
    report = judged(machines.bpftrace(machines.linux(), "0.23.2"))
    assert "bcc-tools" in {c.id for c in report.capabilities}
    for name in NAMES:
        text = render_as(name, report)
        if name != "json":
            assert "BCC tools" not in text and "bcc-tools" not in text, name
    assert "BCC is not installed" not in render_as("text", report)
    assert len(json.loads(render_json(report))["capabilities"]) == len(DEFINITIONS)


@pytest.mark.parametrize("tool", REQUIRED)
def test_what_is_asked_for_is_required(tool: str) -> None:
    report = judged(machines.bpftrace(machines.linux(), "0.23.2"), tool)
    assert report.required == REQUIRED[tool] and report.tools == (tool,)
    assert {c.tool.casefold() for c in of_tools(report).capabilities} == {tool}
    if tool in ("bcc", "bpftool"):
        assert report.verdict.status is Readiness.NOT_READY
        assert "is not installed" in report.verdict.summary and "install" in report.verdict.next


def test_what_is_required_by_name_is_shown_whatever_its_tool() -> None:
    report = of_tools(judged(machines.bpftrace(machines.linux(), "0.23.2"), required=("bcc-tools",)))
    assert "bcc-tools" in {c.id for c in report.capabilities}
    assert report.verdict.status is Readiness.NOT_READY


def test_a_report_from_before_shows_all() -> None:
    report = judged(machines.linux())
    old = replace(report, tools=())
    assert of_tools(old).capabilities == tuple(c for c in old.capabilities if not c.part_of)


@pytest.mark.parametrize(
    ("required", "alike", "shown"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_a_part_is_shown_where_its_whole_is_required_and_fares_otherwise(
    required: bool, alike: bool, shown: bool
) -> None:
    report = judged(machines.linux())
    part = next(c for c in report.capabilities if c.part_of)
    whole = next(c for c in report.capabilities if c.id == part.part_of)
    other = Works.WORKS if whole.status is Works.FAILS else Works.FAILS
    one = part._replace(status=whole.status if alike else other)
    rows = tuple(one if c.id == part.id else c for c in report.capabilities)
    told = of_tools(
        replace(report, tools=(), capabilities=rows, required=(whole.id,) if required else ("hello",))
    )
    assert (one in told.capabilities) is shown
