"""Reading the JSON tables beside this module: once per table, only when asked for."""

from __future__ import annotations

import json
import pkgutil
from functools import cache


@cache
def table(name: str) -> object:
    """The content of `<name>.json` of this package; the caller, who owns the table, casts it to its type."""
    # By the loader: kdiag may be in an archive (zipapp), where no path leads to the file.
    content: object = json.loads(pkgutil.get_data(__package__, f"{name}.json") or b"")
    return content
