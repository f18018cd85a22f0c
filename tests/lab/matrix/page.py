"""The matrix as one HTML page, in the style of kdiag's own reports: coloured cells that unfold into their programs."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import kdiag.report.faces

from .axes import HEADERS, WHO, Cell
from .judge import Kind
from .store import Result
from .view import view

_HERE = Path(__file__).parent
_TEMPLATES = Path(kdiag.report.faces.__file__).with_name("templates")
_TONES = {
    Kind.AGREES: "good",
    Kind.WRONG_WORKS: "bad",
    Kind.WRONG_FAILS: "care",
    Kind.UNKNOWN: "care",
    Kind.ALLOWED: "open",
    Kind.NOT_TRIED: "none",
}
_LEGEND = {
    "good": "every prediction was right",
    "open": "right, and unknown where it must be",
    "care": "something worked that was to fail, or was unknown without need",
    "bad": "something failed that was to work",
    "none": "nothing to compare, or not run yet",
}


def html(made: str, cells: Sequence[Cell], results: Sequence[Result]) -> str:
    """The page, ending in a newline. ``made``: as for `table.markdown`. No scripts; nothing is loaded from anywhere."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    css = (_TEMPLATES / "style.css").read_text(encoding="utf-8") + (_HERE / "page.css").read_text(
        encoding="utf-8"
    )
    digest = b64encode(sha256(css.encode()).digest()).decode()
    environment = Environment(
        loader=FileSystemLoader([_HERE, _TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text: str = environment.get_template("page.html.j2").render(
        title="kdiag: predictions and outcomes",
        css=css,
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'",
        wide=True,
        view=view(made, cells, results),
        headers=HEADERS,
        who=WHO,
        kinds=list(Kind),
        tones=_TONES,
        legend=_LEGEND,
    )
    return text.rstrip("\n") + "\n"
