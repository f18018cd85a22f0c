"""How long comparing many machines takes, and how much memory:

    python -m benchmarks.compare [MACHINES] [DIRECTORY]

Makes reports (10,000 unless said otherwise) that are variants of this machine's: 40 kernel releases, 200 combinations
of faults, and in each report what differs on every machine: its time, addresses, sizes. Then runs `kdiag compare` on
them in processes of their own and prints time and peak memory.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.measure import Run, once
from kdiag.capabilities.definitions import DEFAULT_REQUIRED
from kdiag.checking.analysis import analyse
from kdiag.checking.registry import discover
from kdiag.machine import Machine
from kdiag.model import Capability, Evidence, Finding, Report, Status, Works
from kdiag.report.faces.json import render
from kdiag.system.live import Live

_RELEASES = [
    f"6.{minor}.{patch}-{build}-generic"
    for minor in (1, 6, 8, 12)
    for patch, build in zip(range(10), range(30, 50, 2), strict=True)
]
_SYSTEMS = ("Debian GNU/Linux 13 (trixie)", "Ubuntu 24.04.1 LTS", "Fedora Linux 42", "Amazon Linux 2023")
_FAULTS = 200
_MAKE = (
    "import sys; from pathlib import Path; from benchmarks.compare import as_lines, make\n"
    "make(Path(sys.argv[1]), int(sys.argv[2])); as_lines(Path(sys.argv[1]), Path(sys.argv[3]))"
)
#: What is measured: the command line that the console script runs.
_COMMAND = "from kdiag.__main__ import main; main()"


def main() -> None:
    """Make the reports and print the measurements."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as directory:
        files, lines = Path(directory, "files"), Path(directory, "reports.jsonl")
        files.mkdir()
        started = time.perf_counter()
        # In a process of its own: what this one has grown to would be counted as the memory of those it starts.
        subprocess.run([sys.executable, "-c", _MAKE, str(files), str(count), str(lines)], check=True)
        size = sum(entry.stat().st_size for entry in os.scandir(files))
        print(f"{count} reports, {size / 2**20:.0f} MiB, made in {time.perf_counter() - started:.0f} s")
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        base = str(next(files.iterdir()))
        for name, arguments in {
            "files": [str(files)],
            "files, as JSON": [str(files), "--format", "json"],
            "files, against a baseline": [str(files), "--baseline", base],
            "one file, a report per line": [str(lines)],
        }.items():
            print(_line(name, once([sys.executable, "-c", _COMMAND, "compare", *arguments], environment)))


def as_lines(files: Path, lines: Path) -> None:
    """All reports in one file, one on a line."""
    with lines.open("w", encoding="utf-8") as out:
        for path in sorted(files.iterdir()):
            out.write(json.dumps(json.loads(path.read_bytes())) + "\n")


def _line(name: str, run: Run) -> str:
    return f"{name:<28} {run.wall / 1000:6.2f} s wall  {run.cpu / 1000:6.2f} s CPU  {run.memory:6.0f} MiB"


def make(directory: Path, count: int, seed: int = 1) -> int:
    """Write `count` reports; the bytes they have. The same seed makes the same reports on the same machine."""
    chance = random.Random(seed)
    registry = discover(plugins=False)
    real = analyse(Machine(Live()), registry, registry.checks, DEFAULT_REQUIRED)
    variants: dict[tuple[int, int], str] = {}
    size = 0
    for number in range(count):
        key = (chance.randrange(len(_RELEASES)), min(int(chance.expovariate(0.05)), _FAULTS - 1))
        if key not in variants:
            variants[key] = render(variant(real, *key))
        text = own(variants[key], chance)
        size += len(text)
        (directory / f"machine-{number:05}.json").write_text(text, encoding="utf-8")
    return size


def variant(real: Report, release: int, fault: int) -> Report:
    """The report of a machine with another kernel, on which some other things do not work."""
    chance = random.Random(fault)
    roots = [f.id for f in real.findings if f.id in _ROOTS]
    broken = {root: _ROOTS[root] for root in chance.sample(roots, chance.randrange(0, len(roots)))}
    findings = tuple(_finding(f, release, broken) for f in real.findings)
    capabilities = tuple(_capability(c, broken) for c in real.capabilities)
    machine = real.machine._replace(
        release=_RELEASES[release], distribution=_SYSTEMS[release % len(_SYSTEMS)]
    )
    return replace(real, machine=machine, findings=findings, capabilities=capabilities)


#: Findings at the root of trouble, and the capabilities that wait for them.
_ROOTS = {
    "tracing.tracefs": ("tracepoint-args", "tracepoint-net", "tracepoint-sched", "stock-tools"),
    "btf.vmlinux": ("struct", "fentry", "iter", "core-tools"),
    "config.KPROBES": ("kprobe", "kprobe-multi"),
    "headers.tree": ("include",),
    "perf.hardware": ("hardware",),
    "tools.bpftrace": ("hello",),
    "environment.container": (),
    "privileges.memlock": ("profile",),
}


def _finding(finding: Finding, release: int, broken: dict[str, tuple[str, ...]]) -> Finding:
    if finding.id in broken:
        return replace(finding, status=Status.FAIL, summary=f"{finding.title}: not here", causes=())
    if finding.id in _ROOTS:
        return replace(finding, status=Status.OK, causes=())
    evidence = (*finding.evidence, Evidence(f"/lib/modules/{_RELEASES[release]}", "looked at"))
    return (
        replace(finding, evidence=evidence)
        if finding.id.startswith(("headers", "config", "btf"))
        else finding
    )


def _capability(capability: Capability, broken: dict[str, tuple[str, ...]]) -> Capability:
    for root, waiting in broken.items():
        if capability.id in waiting:
            return capability._replace(status=Works.FAILS, because=f"{root} is not fine", findings=(root,))
    if any(capability.id in waiting for waiting in _ROOTS.values()):
        return capability._replace(status=Works.WORKS, because="", findings=())
    return capability


def own(text: str, chance: random.Random) -> str:
    """What no two machines have alike: the time, and numbers in the evidence of half a dozen findings."""
    text = text.replace('"created": "20', f'"created": "2{chance.randrange(10)}', 1)
    for name in (
        "tracing.kallsyms",
        "btf.vmlinux",
        "privileges.memlock",
        "kernel.running",
        "config.source",
        "environment.vm",
    ):
        head, found, rest = text.partition(f'"id": "{name}"')
        if found:
            text = (
                head + found + rest.replace('"observed": "', f'"observed": "{chance.getrandbits(48):x} ', 1)
            )
    return text


if __name__ == "__main__":
    main()
