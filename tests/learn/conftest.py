from __future__ import annotations

from collections.abc import Iterator

import pytest

from kdiag.smoke.cause import Cause, start


@pytest.fixture(scope="session")
def cause() -> Iterator[Cause]:
    """A process that causes events."""
    started = start()
    yield started
    started.end()
