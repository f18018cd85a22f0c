"""`kdiag fix --tool`: the plan does what these tools need, in their own variables, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdiag.checking.analysis import analyse
from kdiag.checking.registry import discover
from kdiag.fix.options import Options
from kdiag.fix.plan.compose import make_plan
from kdiag.fix.plan.values import Plan
from kdiag.fix.usage import render_usage
from kdiag.machine import Machine
from tests.support.fixable_machine import case


def planned(directory: Path, *tools: str) -> Plan:
    registry = discover(plugins=False)
    one = case(directory)
    machine = Machine(one.look({}))
    report = analyse(machine, registry, registry.checks, tools=tools)
    return make_plan(machine, report, one.places, Options(tools=tools))


@pytest.mark.parametrize(
    ("tools", "variables", "repairs"),
    [
        ((), {"BPFTRACE_KERNEL_SOURCE", "BPFTRACE_KERNEL_BUILD", "BCC_KERNEL_SOURCE"}, "headers.tree"),
        (("bcc",), {"BCC_KERNEL_SOURCE"}, "headers.bcc"),
        (("bpftrace",), {"BPFTRACE_KERNEL_SOURCE", "BPFTRACE_KERNEL_BUILD"}, "headers.tree"),
    ],
)
def test_each_tool_has_its_own_variables(
    tmp_path: Path, tools: tuple[str, ...], variables: set[str], repairs: str
) -> None:
    plan = planned(tmp_path, *tools)
    assert [step.id for step in plan.steps] == ["kheaders.extract-module"]
    assert set(dict(plan.variables)) == variables
    assert repairs in plan.repairs


def test_tools_that_need_no_headers_get_none(tmp_path: Path) -> None:
    plan = planned(tmp_path, "bpftool", "libbpf")
    assert plan.steps == ()
    assert plan.variables == ()


def test_bcc_is_told_its_own_words(tmp_path: Path) -> None:
    text = render_usage(planned(tmp_path, "bcc"), 100)
    assert "BCC's tools behave as before" in text
    assert "execsnoop-bpfcc" in text
    assert "BPFTRACE" not in text
