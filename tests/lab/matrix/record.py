"""A cell's machine as a recording: made by `kdiag record` in the guest, played back by the ordinary tests."""

from __future__ import annotations

import io
import shutil
import tarfile
import tempfile
from pathlib import Path

from .. import assemble, qemu
from ..errors import LabError
from . import inside
from .axes import Cell

# the end of the output is the archive; who records may be an ordinary user, so the place is theirs
_TAIL = """
	rm -rf /tmp/recording; as "$who" kdiag record -o /tmp/recording/ >&2 && echo "@@tar" && tar -C /tmp/recording -c .
"""


def record(cell: Cell, place: Path) -> Path:
    """Boot the cell, record it into the new directory ``place``. LabError if there is one, or the guest cannot."""
    if place.exists():
        raise LabError(f"{place} exists", "delete it, or choose another --into or --name")
    request, job = inside.job(inside.Guest((cell,)), smoke=False, tail=_TAIL)
    outcome = qemu.run(assemble.boot(request, job), limit=job.limit + 30)
    trouble = qemu.explain(outcome)
    if trouble is not None:
        raise trouble
    _, found, archive = outcome.out.partition(b"@@tar\n")
    if not found:
        raise LabError(
            f"{cell.name}: kdiag record gave nothing\n{outcome.err.decode(errors='replace')[-500:]}"
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=".recording-") as new:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(f"{new}/it", filter="data")
        shutil.move(f"{new}/it", place)
    return place
