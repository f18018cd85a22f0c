"""The oldest releases that pyproject.toml takes, for pip: `python3 tests/support/oldest.py > constraints.txt`.

`sh tests/run.sh --oldest` installs them. Only of the standard library: it runs before anything is installed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"
#: What typer before 0.28 stands on, and takes from 7.1: that of Debian 12, the oldest which is packaged with kdiag.
_BELOW = "click==8.1.3"
_REQUIRED = re.compile(r"(?P<name>[\w.-]+)(?:\[\w+\])?>=(?P<oldest>[\d.]+)")


def requirements() -> tuple[str, ...]:
    """Those of kdiag, and of its tests, as they are written."""
    text = _PROJECT.read_text(encoding="utf-8")
    lists = [
        re.search(rf"^{name} = \[(.*?)\](?: #.*)?$", text, re.MULTILINE | re.DOTALL)
        for name in ("dependencies", "mcp", "test")
    ]
    bare = [re.sub(r"#.*", "", found[1]) for found in lists if found]
    return tuple(one for text in bare for one in re.findall(r'"([^"]+)"', text))


def constraints() -> Iterator[str]:
    """A line for each; ValueError for one that has no oldest release."""
    for one in requirements():
        found = _REQUIRED.match(one)
        if found is None:
            raise ValueError(f"pyproject.toml: {one!r} names no oldest release (NAME>=1.2)")
        yield f"{found['name']}=={found['oldest']}"
    yield _BELOW


if __name__ == "__main__":
    print(*dict.fromkeys(constraints()), sep="\n")
