"""Reports on machines, by the built-in checks."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from kdiag.capabilities.definitions import DEFAULT_REQUIRED
from kdiag.checking.analysis import analyse
from kdiag.checking.registry import Registry, discover
from kdiag.machine import Machine
from kdiag.model import Finding, Report
from kdiag.system import System
from tests.support.description import Description

Examine = Callable[[Description], Report]


@cache
def builtin() -> Registry:
    """The built-in checks, found as kdiag finds them."""
    registry = discover(plugins=False)
    assert registry.checks, "kdiag is not installed here: pip install -e ."
    return registry


def report_on(system: System, required: tuple[str, ...] = DEFAULT_REQUIRED) -> Report:
    """The whole report on a system, by the built-in checks."""
    registry = builtin()
    return analyse(Machine(system), registry, registry.checks, required)


def finding_of(report: Report, finding_id: str) -> Finding:
    """The finding with this id, which has to be there."""
    found = report.finding(finding_id)
    assert found is not None, finding_id
    return found
