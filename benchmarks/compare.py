"""How long comparing many machines takes, and how much memory:

    python -m benchmarks.compare [MACHINES] [DIRECTORY]

Makes reports (10,000 unless said otherwise; `benchmarks.reports`), then runs `kdiag compare` on them in processes of
their own and prints time, its ratio to a loop of json.load over the same files (a busy machine slows both), and peak
memory.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import Run, once

_MAKE = (
    "import sys; from pathlib import Path\n"
    "from benchmarks.compare import as_lines; from benchmarks.reports import make\n"
    "make(Path(sys.argv[1]), int(sys.argv[2])); as_lines(Path(sys.argv[1]), Path(sys.argv[3]))"
)
_LOOP = (
    "import json, os, sys\nfor name in os.scandir(sys.argv[1]):\n    with open(name) as file: json.load(file)"
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
        # What a user would write instead, which only reads: a loop of json.load, and jq.
        whole = once([sys.executable, "-c", _LOOP, str(files)], environment)
        print(_line("a loop of json.load", whole, whole))
        if jq := shutil.which("jq"):
            print(_line("jq .verdict.status", once([jq, ".verdict.status", str(lines)], environment), whole))
        for name, arguments in {
            "files": [str(files)],
            "files, counted": [str(files), "--fleet"],
            "one file, counted": [str(lines), "--fleet"],
            "files, as JSON": [str(files), "--format", "json"],
            "files, against a baseline": [str(files), "--baseline", base],
            "one file, a report per line": [str(lines)],
        }.items():
            run = once([sys.executable, "-c", _COMMAND, "compare", *arguments], environment)
            print(_line(name, run, whole))


def as_lines(files: Path, lines: Path) -> None:
    """All reports in one file, one on a line."""
    with lines.open("w", encoding="utf-8") as out:
        for path in sorted(files.iterdir()):
            out.write(json.dumps(json.loads(path.read_bytes())) + "\n")


def _line(name: str, run: Run, against: Run) -> str:
    times = f"{run.wall / 1000:6.2f} s wall  {run.cpu / 1000:6.2f} s CPU"
    return f"{name:<28} {times}  {run.cpu / against.cpu:5.2f} of the loop  {run.memory:6.0f} MiB"


if __name__ == "__main__":
    main()
