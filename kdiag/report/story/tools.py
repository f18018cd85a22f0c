"""The part of a report that is about the tools that were asked for: what people are shown."""

from __future__ import annotations

from dataclasses import replace

from kdiag.model import Report


def of_tools(report: Report) -> Report:
    """The report without the capabilities of other tools, unless they are required, and without those parts of a
    capability that fare as it does.
    """
    status = {c.id: c.status for c in report.capabilities}
    told = {
        c.id
        for c in report.capabilities
        if c.id in report.required
        or ((not report.tools or c.tool.casefold() in report.tools) and status.get(c.part_of) is not c.status)
    }
    if len(told) == len(report.capabilities):
        return report
    blocks = {id_: tuple(name for name in names if name in told) for id_, names in report.blocks.items()}
    return replace(
        report,
        capabilities=tuple(c for c in report.capabilities if c.id in told),
        blocks={id_: names for id_, names in blocks.items() if names},
    )
