"""The part of a report that is about the tools that were asked for: what people are shown."""

from __future__ import annotations

from dataclasses import replace

from kdiag.model import Capability, Report


def of_tools(report: Report) -> Report:
    """The report without the capabilities of other tools, unless they are required, and without the parts of others."""
    told = {c.id for c in report.capabilities if c.id in report.required or _belongs(c, report)}
    if len(told) == len(report.capabilities):
        return report
    blocks = {id_: tuple(name for name in names if name in told) for id_, names in report.blocks.items()}
    return replace(
        report,
        capabilities=tuple(c for c in report.capabilities if c.id in told),
        blocks={id_: names for id_, names in blocks.items() if names},
    )


def _belongs(one: Capability, report: Report) -> bool:
    """Whether it is of a tool that the report is about; a part of another only where that is required and it fares
    otherwise.
    """
    whole = next((c for c in report.capabilities if c.id == one.part_of), None)
    if whole is not None and (whole.id not in report.required or whole.status is one.status):
        return False
    return not report.tools or one.tool.casefold() in report.tools
