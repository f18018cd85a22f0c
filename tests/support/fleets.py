"""Collections of reports to count: files by the names of machines, of machines that are well or broken."""

from __future__ import annotations

import json
from pathlib import Path

from kdiag.commands.compare import Reading
from kdiag.fleet.run import Asked, Found, fleet
from kdiag.model import Report
from kdiag.report.faces.json import render


def write(directory: Path, **reports: Report) -> str:
    """A directory with a report for each machine (`web_1` is called web-1); its path."""
    directory.mkdir(exist_ok=True)
    for name, report in reports.items():
        Path(directory, f"{name.replace('_', '-')}.json").write_text(render(report), encoding="utf-8")
    return str(directory)


def lines(path: Path, *reports: tuple[str, Report], **labels: str) -> str:
    """A file with a report on each line, of machines named by the label `host`; its path."""
    rows = [
        json.dumps({**json.loads(render(report)), "labels": {"host": name, **labels}})
        for name, report in reports
    ]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return str(path)


def found(*given: str, since: str = "", history: str = "", keys: tuple[str, ...] = ()) -> Found:
    """The fleet; its database is closed."""
    with fleet(Asked(given, since, history, keys), Reading()) as answer:
        return answer
