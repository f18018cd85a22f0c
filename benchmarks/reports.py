"""Thousands of plausible reports, derived from the machines that `fixtures/` recorded:

    python -m benchmarks.reports DIRECTORY [MACHINES] [--seed N] [--lines FILE]

Each recording is played back and judged by the checks of this kdiag; then again as it would be with some of its
faults repaired (`kdiag.checking.analysis.forecast`), so that what works follows from what was found. Of these some
hundred machines a report is made by another patch level of its kernel and by what no two machines have alike: the
time, addresses and sizes in the evidence. The same seed makes the same reports. --lines writes one file with a report
per line instead of a directory with a file per machine.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Iterator
from functools import cache
from itertools import combinations, islice
from pathlib import Path
from typing import NamedTuple

from kdiag.checking.analysis import analyse, forecast
from kdiag.checking.registry import discover
from kdiag.machine import Machine
from kdiag.model import Status
from kdiag.recording.pack import opened
from kdiag.report.faces.json import render

_FIXTURES = Path(__file__).parents[1] / "fixtures"
#: How many of 100 machines a recording stands for; the others share what is left. Most of a fleet is well.
_SHARES = {
    "debian-6.12-headers": 38,
    "lab-6.12-btf-kheaders": 18,
    "kind-node": 12,
    "debian-6.12-half-headers": 6,
    "debian-6.12-lockdown": 4,
}
#: Ways to repair each machine, and patch levels of each kernel.
_VARIANTS, _PATCHES = 8, 12
#: Findings whose evidence differs from machine to machine.
_OWN = (
    "tracing.kallsyms",
    "btf.vmlinux",
    "privileges.memlock",
    "kernel.running",
    "config.source",
    "environment.vm",
)


class Kind(NamedTuple):
    """A machine that others are derived from: the name of its recording, its kernel release, its report as JSON."""

    recording: str
    release: str
    text: str


def main() -> None:
    """Write the reports."""
    about = argparse.ArgumentParser(
        description="Thousands of reports, derived from the recordings in fixtures/."
    )
    about.add_argument("directory", type=Path)
    about.add_argument("machines", type=int, nargs="?", default=10_000)
    about.add_argument("--seed", type=int, default=1)
    about.add_argument("--lines", type=Path)
    asked = about.parse_args()
    if asked.lines is not None:
        with asked.lines.open("w", encoding="utf-8") as out:
            for _, text in reports(asked.machines, asked.seed):
                out.write(json.dumps(json.loads(text), separators=(",", ":")) + "\n")
    else:
        print(f"{make(asked.directory, asked.machines, asked.seed)} bytes")


def make(directory: Path, count: int, seed: int = 1) -> int:
    """Write `count` reports, a file each; the bytes they have."""
    size = 0
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in reports(count, seed):
        size += Path(directory, f"{name}.json").write_bytes(text.encode())
    return size


def reports(count: int, seed: int = 1) -> Iterator[tuple[str, str]]:
    """Names of machines and their reports."""
    chance = random.Random(seed)
    every = kinds()
    weights = [_weight(kind.recording) for kind in every]
    for number in range(count):
        kind = chance.choices(every, weights)[0]
        text = kind.text.replace(kind.release, _patched(kind.release, chance.randrange(_PATCHES)))
        yield f"machine-{number:06}", _own(text, chance)


@cache
def kinds() -> tuple[Kind, ...]:
    """The recorded machines, as they are and with some of their faults repaired."""
    registry = discover(plugins=False)
    found = []
    for path in sorted(p for p in _FIXTURES.iterdir() if p.is_dir()):
        machine = Machine(opened(str(path)))
        real = analyse(machine, registry, registry.checks)
        faults = [f.id for f in real.findings if f.status in (Status.FAIL, Status.WARN) and not f.causes]
        some = (choice for size in (1, 2, 3) for choice in combinations(faults, size))
        variants = [real, *(forecast(machine, real, choice) for choice in islice(some, _VARIANTS - 1))]
        found += [Kind(path.name, real.machine.release, render(one)) for one in variants]
    return tuple(found)


def _weight(recording: str) -> float:
    names = [kind.recording for kind in kinds()]
    rest = (100 - sum(_SHARES.values())) / (len(set(names)) - len(_SHARES))
    return _SHARES.get(recording, rest) / names.count(recording)


def _patched(release: str, patch: int) -> str:
    """Another patch level of this kernel: the last number of its version, lower by `patch` as far as it goes."""
    return re.sub(
        r"(?<=\d\.)(\d+)(?=\D|$)(?!\.)", lambda found: str(max(0, int(found[1]) - patch)), release, count=1
    )


def _own(text: str, chance: random.Random) -> str:
    text = text.replace('"created": "20', f'"created": "2{chance.randrange(10)}', 1)
    for name in _OWN:
        head, found, rest = text.partition(f'"id": "{name}"')
        if found:
            own = f'"observed": "{chance.getrandbits(48):x} '
            text = head + found + rest.replace('"observed": "', own, 1)
    return text


if __name__ == "__main__":
    main()
