"""A comparison as one HTML file, in the frame of the report's page."""

from __future__ import annotations

from kdiag.compare.view import Comparison, matrix
from kdiag.report.faces.html import page
from kdiag.report.faces.plain import line


def render(comparison: Comparison) -> str:
    """Machines side by side, rows grouped by cause: a coloured matrix that scrolls, ending in a newline."""
    return page("comparison.html.j2", wide=True, title=line(comparison.title, 200), view=matrix(comparison))
