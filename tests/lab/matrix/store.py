"""Results of cells: one JSON file each, written whole or not at all, with the versions of everything that made it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

from .. import payload
from ..errors import LabError
from ..layers import fingerprint
from .axes import Cell

_SCHEMA = "kdiag.lab.cell/1"


@dataclass(frozen=True, slots=True)
class Result:
    """A cell's answers.

    ``check`` and ``smoke``: the JSON reports. ``versions``: of the kernel, bpftrace's package, QEMU, kdiag; "predicted"
    and "proved" are digests of kdiag's code when each report was made, which a change of conditions alters only in the
    first. ``seconds``, ``cpu_seconds``: of the guest, divided by the cells that it ran. ``problem``: why a report is
    missing.
    """

    cell: Cell
    taken: str
    versions: Mapping[str, str]
    seconds: float
    cpu_seconds: float
    check: Mapping[str, object] | None = None
    smoke: Mapping[str, object] | None = None
    problem: str = ""

    @property
    def whole(self) -> bool:
        """Are both reports there?"""
        return self.check is not None and self.smoke is not None


def home(given: str = "") -> Path:
    """Where results are kept: as given, else below the user's state directory; what took hours is no cache."""
    if given:
        return Path(given)
    base = os.environ.get("KDIAG_LAB_RESULTS")
    if base:
        return Path(base)
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(state) / "kdiag-lab/matrix"


def trees() -> tuple[str, str]:
    """Digests of what decides a prediction (all of kdiag) and of what decides an outcome (its smoke programs)."""
    parts = [fingerprint(payload.PROJECT / name) for name in ("kdiag", "checks")]
    proof = [fingerprint(payload.PROJECT / "kdiag/smoke"), fingerprint(payload.PROJECT / "kdiag/knowledge")]
    return _short(parts), _short(proof)


def _short(digests: list[str]) -> str:
    import hashlib

    return hashlib.sha256("".join(digests).encode()).hexdigest()[:12]


def load(place: Path, cell: Cell) -> Result | None:
    """A cell's result, None if there is none. LabError for a file that is none."""
    path = place / f"{cell.file}.json"
    try:
        data = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise LabError(f"{path}: {error}", "delete the file; the cell is then run again") from None
    if not isinstance(data, dict) or data.pop("schema", None) != _SCHEMA:
        raise LabError(f"{path} is no result of this lab", "delete the file; the cell is then run again")
    return Result(**{**data, "cell": Cell(**data["cell"])})


def save(place: Path, result: Result) -> None:
    """Write it."""
    place.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"schema": _SCHEMA, **asdict(result)}, ensure_ascii=False, separators=(",", ":"))
    write(place / f"{result.cell.file}.json", text + "\n")


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all: a new one beside it, flushed, then renamed."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def with_prediction(old: Result, new: Result) -> Result:
    """The old outcome beside a newer prediction."""
    versions = {**old.versions, "predicted": new.versions["predicted"], "kdiag": new.versions["kdiag"]}
    return replace(old, check=new.check, versions=versions, problem=new.problem)


def reports(result: Result) -> tuple[Mapping[str, object], Mapping[str, object]]:
    """Both reports of a whole result."""
    return cast("Mapping[str, object]", result.check), cast("Mapping[str, object]", result.smoke)
