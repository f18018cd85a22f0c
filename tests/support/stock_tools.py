"""The stock scripts of a bpftrace: what `kdiag explain` predicts of each, held against what bpftrace does with it.

    python -m tests.support.stock_tools guest > /tmp/stock.sh      # the part that runs where bpftrace is, as root
    sh /tmp/stock.sh > /tmp/stock.out                              # here, or in a guest of the lab
    python -m tests.support.stock_tools compare /tmp/stock.out [...] [--markdown]
    python -m tests.support.stock_tools lab -k debian-6.12 -r debian12 [--markdown] [-l headers]

A script runs if bpftrace says that it attaches, and lives some seconds longer or ends without an error. Nothing is left
behind: each bpftrace is ended by its own number.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, cast

from kdiag.parse.bpftrace.script import parse

#: Where packages put them: Debian and Fedora, Ubuntu's snap not.
PLACES = ("/usr/sbin/*.bt", "/usr/share/bpftrace/tools/*.bt")
_TOOL = re.compile(r"^@@TOOL (\S+) (\w+) (\d+)\n(.*?)^@@SCRIPT\n(.*?)^@@END$", re.MULTILINE | re.DOTALL)
#: Kinds whose patterns are looked up in the list of functions.
_LISTED = ("kprobe", "kretprobe", "fentry", "fexit")
#: Under emulation bpftrace takes up to a minute before it attaches.
PATIENCE, GRACE = 120, 8

GUEST = r"""
set -u
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
# nothing of a first mount is asked of the scripts
mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
echo "@@MACHINE $(uname -r) $(bpftrace --version)"
set --
for f in @PLACES@; do [ -f "$f" ] && set -- "$@" "$f"; done
echo "@@PREDICTED"
kdiag explain --format json "$@"
for f in "$@"; do
    bpftrace "$f" >"$work/out" 2>"$work/err" </dev/null &
    pid=$!; waited=0; state=silent
    while [ "$waited" -lt @PATIENCE@ ]; do
        kill -0 "$pid" 2>/dev/null || { state=ended; break; }
        grep -q '^Attach' "$work/out" "$work/err" && { state=attaching; break; }
        sleep 1; waited=$((waited + 1))
    done
    if [ "$state" = attaching ]; then
        waited=0
        while [ "$waited" -lt @GRACE@ ]; do
            kill -0 "$pid" 2>/dev/null || { state=ended; break; }
            sleep 1; waited=$((waited + 1))
        done
        [ "$state" = ended ] || state=running
    fi
    [ "$state" = ended ] || kill -INT "$pid" 2>/dev/null
    waited=0
    while kill -0 "$pid" 2>/dev/null && [ "$waited" -lt 20 ]; do sleep 1; waited=$((waited + 1)); done
    kill -KILL "$pid" 2>/dev/null
    wait "$pid"; status=$?
    echo "@@TOOL $f $state $status"
    head -c 20000 "$work/err"; echo
    grep -h '^Attach' "$work/out" "$work/err" | head -n 3
    echo "@@SCRIPT"
    cat "$f"
    echo "@@END"
done
"""


PREFACE = """# The stock scripts of bpftrace: predicted and tried

Of each stock script `kdiag explain FILE.bt` predicts whether it runs, and bpftrace then tries it: it runs if bpftrace
says that it attaches, lives 8 seconds longer, and attached something of every clause. A script that bpftrace keeps
running although it attached nothing of a clause (older releases warn and go on) counts as one that does not run. The
table is made by `python -m tests.support.stock_tools compare FILE... --write docs/stock-tools.md` from what
`python -m tests.support.stock_tools guest` printed in each place.
"""


class Tried(NamedTuple):
    """What became of a script. ran: whether it attached and stayed; said: bpftrace's words."""

    path: str
    ran: bool
    said: str


class Outcome(NamedTuple):
    """A script, predicted and tried. predicted: works, fails, unknown."""

    path: str
    predicted: str
    because: str
    tried: Tried

    @property
    def agrees(self) -> bool:
        """Whether it came as predicted; an unknown did not."""
        return self.predicted == ("works" if self.tried.ran else "fails")


class Run(NamedTuple):
    """All scripts of one machine."""

    machine: str
    outcomes: tuple[Outcome, ...]


def guest(places: Iterable[str] = PLACES) -> str:
    """The shell script for the place where bpftrace is."""
    script = GUEST.replace("@PLACES@", " ".join(places))
    return script.replace("@PATIENCE@", str(PATIENCE)).replace("@GRACE@", str(GRACE))


def read(output: str) -> Run:
    """What the shell script printed, taken apart."""
    machine = re.search(r"^@@MACHINE (.*)$", output, re.MULTILINE)
    document = re.search(r"^@@PREDICTED\n(.*?)^(?=@@TOOL)", output, re.MULTILINE | re.DOTALL)
    if machine is None or document is None:
        raise SystemExit("this is not what the guest's script prints")
    answers = cast("list[dict[str, str]]", json.loads(document[1])["answers"])
    predicted = {answer["subject"]: answer for answer in answers}
    outcomes = []
    for found in _TOOL.finditer(output):
        path, state, status, said = found[1], found[2], int(found[3]), found[4]
        lived = state == "running" or (state == "ended" and status == 0)
        dead = _dead(said, found[5]) if lived else ""
        tried = Tried(path, lived and not dead, dead or _error(said))
        answer = predicted[path]
        outcomes.append(Outcome(path, answer["outcome"], answer["verdict"], tried))
    return Run(machine[1], tuple(outcomes))


def _dead(said: str, script: str) -> str:
    """A clause of a script that runs of which nothing was attached: bpftrace warns, and goes on. Empty without one."""
    skipped = set(re.findall(r"could not attach probe ([^\s,]+)", said, re.IGNORECASE))
    unlisted = re.search(r"Could not read symbols from \S*available_filter_functions", said) is not None
    probes = parse(script).probes
    for probe in probes:
        points = [placed.point for placed in probe.points]
        if all(p.text in skipped or (unlisted and p.wild and p.kind in _LISTED) for p in points):
            return f"runs without {', '.join(p.text for p in points)}: not attached"
    number = re.search(r"Attach(?:ing|ed) (\d+) probe", said)
    if number is not None and int(number[1]) < len(probes):
        return f"runs with {number[1]} of {len(probes)} probes"
    return ""


def _error(said: str) -> str:
    """The line that says why, else the first."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and "RLIMIT_MEMLOCK" not in line]
    return next((line for line in lines if re.search(r"ERROR|error:", line)), lines[0] if lines else "")[:160]


def table(run: Run, *, markdown: bool) -> str:
    """A line for each script that came otherwise than predicted, and the numbers."""
    counts = Counter((one.predicted, one.tried.ran) for one in run.outcomes)
    agreed = sum(one.agrees for one in run.outcomes)
    numbers = (
        f"{agreed} of {len(run.outcomes)} as predicted: {counts['works', True]} run, {counts['fails', False]} do not; "
        f"wrong: {counts['works', False]} predicted to run, {counts['fails', True]} not to; "
        f"unknown: {counts['unknown', True] + counts['unknown', False]}"
    )
    rows = [_row(one) for one in run.outcomes if markdown or not one.agrees]
    if markdown:
        head = "| script | predicted | outcome | kdiag says | bpftrace says |\n|---|---|---|---|---|"
        body = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)
        return f"## {run.machine}\n\n{numbers}\n\n{head}\n{body}\n"
    return "\n".join((f"{run.machine}: {numbers}", *(f"  {'; '.join(row)}" for row in rows)))


def _row(one: Outcome) -> tuple[str, ...]:
    name = one.path.rpartition("/")[2]
    return name, one.predicted, "runs" if one.tried.ran else "does not run", one.because, one.tried.said


def _lab(options: Namespace) -> str:
    """Run the guest's part in the lab, and give back its output."""
    command = (
        sys.executable,
        "-m",
        "tests.lab",
        "run",
        "-k",
        options.kernel,
        "-r",
        options.root,
        "--limit",
        f"{options.limit}",
        *(word for layer in options.layer for word in ("-l", layer)),
    )
    done = subprocess.run((*command, "--", guest()), capture_output=True, text=True, check=False)
    Path(options.keep).write_text(done.stdout, encoding="utf-8")
    if "@@PREDICTED" not in done.stdout:
        raise SystemExit(f"the guest ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


def main(arguments: Sequence[str]) -> int:
    """0 if all came as predicted."""
    parser = ArgumentParser(prog="python -m tests.support.stock_tools")
    parser.add_argument("what", choices=("guest", "compare", "lab"))
    parser.add_argument("files", nargs="*")
    parser.add_argument("-k", "--kernel", default="debian-6.12")
    parser.add_argument("-r", "--root", default="debian12")
    parser.add_argument("--keep", default="stock-tools.out", help="where the output of the guest goes")
    parser.add_argument("-l", "--layer", action="append", default=[], help="as `tests.lab run` has it")
    parser.add_argument("--limit", type=int, default=3600, help="seconds for the guest")
    parser.add_argument("--write", default="", help="a page with the tables")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_intermixed_args(arguments)
    if options.what == "guest":
        print(guest())
        return 0
    outputs = (
        [_lab(options)]
        if options.what == "lab"
        else [Path(name).read_text(encoding="utf-8", errors="replace") for name in options.files]
    )
    runs = [read(output) for output in outputs]
    text = "\n".join(table(run, markdown=options.markdown or bool(options.write)) for run in runs)
    if options.write:
        Path(options.write).write_text(f"{PREFACE}\n{text}", encoding="utf-8")
    print(text)
    return 0 if all(one.agrees for run in runs for one in run.outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
