"""Reading the JSON tables beside this module: once per table, only when asked for."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path


@cache
def table(name: str) -> object:
    """The content of `<name>.json` of this package; the caller, who owns the table, casts it to its type."""
    content: object = json.loads(Path(__file__).with_name(f"{name}.json").read_bytes())
    return content
