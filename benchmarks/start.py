"""How long the forms of kdiag take to start and to judge a machine, each beside the first:

    python -m benchmarks.start [--rounds N] KDIAG [KDIAG ...]

KDIAG is a program: `.venv/bin/kdiag`, `dist/kdiag.pyz`, `kdiag-0.1.0-linux-x86_64/kdiag`. Processor time drifts less
than wall time on a busy machine; the table has the ratio of both.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from benchmarks.measure import Result, compare

#: What is asked of each form: the start alone, and a verdict.
_ASKED = (("--version",), ("check", "--quiet"))


def _rows(results: list[Result]) -> list[tuple[str, str, str, str, str]]:
    base = results[0]
    return [
        (
            one.name,
            f"{one.cpu:.0f}",
            f"{one.cpu / base.cpu:.2f}",
            f"{one.wall:.0f}",
            f"{one.wall / base.wall:.2f}",
        )
        for one in results
    ]


def main() -> None:
    """Print one table for each question."""
    from tabulate import tabulate

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("kdiag", nargs="+")
    given = parser.parse_args()
    for name in given.kdiag:
        if shutil.which(name) is None:
            parser.error(f"no program: {name}")
    for words in _ASKED:
        commands = {name: (str(Path(shutil.which(name) or name).absolute()), *words) for name in given.kdiag}
        print(f"kdiag {' '.join(words)}, the median of {given.rounds} runs of each in turn")
        headers = ("", "CPU ms", "x the first", "wall ms", "x the first")
        print(
            tabulate(
                _rows(compare(commands, given.rounds)), headers=headers, colalign=("left", *["right"] * 4)
            )
        )
        print()


if __name__ == "__main__":
    main()
