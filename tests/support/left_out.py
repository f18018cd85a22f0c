"""The recordings that a source distribution leaves out (MANIFEST.in): a test that asks for one says so."""

from __future__ import annotations

import re
from functools import cache

from tests.support.paths import FIXTURES, REPOSITORY


@cache
def names() -> tuple[str, ...]:
    """Those that are not here; none of them in a clone."""
    pruned = re.findall(r"^prune fixtures/(\S+)$", (REPOSITORY / "MANIFEST.in").read_text(), re.MULTILINE)
    return tuple(name for name in pruned if not (FIXTURES / name).exists())


def asked_for(failure: str) -> str:
    """The recording for lack of which a test failed, by what pytest says of the failure; "" for any other."""
    return next((name for name in names() if name in failure), "")


def reason(name: str) -> str:
    """Why a test is skipped, as pytest prints it."""
    return f"Skipped: needs fixtures/{name}, which only a clone has"
