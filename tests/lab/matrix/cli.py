"""``python -m tests.lab matrix plan|run|table``."""

from __future__ import annotations

import argparse
from pathlib import Path

from .. import tools
from ..errors import LabError
from . import ci, cover, judge, run, store
from .axes import Cell, chosen


def add(parser: argparse.ArgumentParser) -> None:
    """The options of ``matrix``."""
    commands = parser.add_subparsers(required=True, metavar="what")
    plan = commands.add_parser("plan", help="list the cells, and which have a result")
    _cells(plan)
    plan.set_defaults(action=_plan)
    go = commands.add_parser(
        "run", help="run the cells that have no result yet; can be stopped and run again"
    )
    _cells(go)
    go.add_argument(
        "--guests", type=int, default=0, metavar="N", help="at a time (default: one per processor)"
    )
    go.add_argument("--again", action="store_true", help="run cells that have a result, too")
    go.add_argument("--predict", action="store_true", help="only `kdiag check` where there is an outcome")
    go.add_argument("--stale", action="store_true", help="renew what an older kdiag said or proved")
    go.set_defaults(action=_run)
    small = commands.add_parser("ci", help="the slice that CI runs, within $KDIAG_LAB_MINUTES (15)")
    small.set_defaults(action=_ci)
    table = commands.add_parser("table", help="the table, the number and the disagreements")
    _cells(table)
    table.add_argument("--markdown", type=Path, metavar="FILE", help="write it here, not to standard output")
    table.add_argument("--html", type=Path, metavar="FILE", help="write the page with coloured cells")
    table.set_defaults(action=_table)
    several = commands.add_parser(
        "report", help="several sets in one document: the numbers by tool, every cell"
    )
    several.add_argument(
        "which", nargs="+", choices=sorted(cover.SETS), metavar="SET", help=", ".join(sorted(cover.SETS))
    )
    several.add_argument(
        "--results", default="", metavar="DIR", help="where results are ($KDIAG_LAB_RESULTS)"
    )
    several.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write it here, not to standard output"
    )
    several.set_defaults(action=_report)
    keep = commands.add_parser(
        "record", help="record cells with `kdiag record`, to be played back as fixtures"
    )
    _cells(keep)
    keep.add_argument(
        "--into", type=Path, required=True, metavar="DIR", help="a directory per cell is made here"
    )
    keep.add_argument("--name", default="", help="of the directory, for a single cell (default: the cell's)")
    keep.set_defaults(action=_record)
    said = commands.add_parser("why", help="hold `kdiag why` against every message that a cell printed")
    _cells(said)
    said.set_defaults(action=_why)
    show = commands.add_parser("show", help="a cell's programs, one by one")
    _cells(show)
    show.set_defaults(action=_show)


def _cells(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--which", choices=sorted(cover.SETS), default="standard", help="(default: standard)")
    parser.add_argument("--results", default="", metavar="DIR", help="where results are ($KDIAG_LAB_RESULTS)")
    parser.add_argument("only", nargs="*", metavar="GLOB", help="of KERNEL/ROOT/HEADERS/WHO; all without one")


def _chosen(arguments: argparse.Namespace) -> list[Cell]:
    return chosen(cover.SETS[arguments.which](), arguments.only)


def _plan(arguments: argparse.Namespace) -> int:
    place = store.home(arguments.results)
    for cell in _chosen(arguments):
        old = store.load(place, cell)
        print(f"{cell.name:60} {judge.summary(old) if old is not None and old.whole else ''}".rstrip())
    return 0


def _run(arguments: argparse.Namespace) -> int:
    plan = run.Plan(
        _chosen(arguments),
        store.home(arguments.results),
        arguments.guests,
        arguments.again,
        arguments.predict,
        arguments.stale,
    )
    broken = run.run(plan)
    for complaint in broken:
        tools.say(complaint)
    found = [one for result in _results(arguments) for one in judge.judge(result)]
    number = judge.agreement(found)
    print(f"agreement: {number.text} ({number.right} of {number.counted})")
    return 1 if broken or number.right < number.counted else 0


def _ci(_arguments: argparse.Namespace) -> int:
    minutes = ci.limit()
    if not minutes:
        print("lab: skipped, as KDIAG_LAB_MINUTES=0 asks")
        return 0
    return ci.ci(minutes)


def _results(arguments: argparse.Namespace) -> list[store.Result]:
    place = store.home(arguments.results)
    return run.ready(store.load(place, cell) for cell in _chosen(arguments))


def _table(arguments: argparse.Namespace) -> int:
    from . import page, table

    results = _results(arguments)
    made = table.command(arguments.which, arguments.only)
    text = table.markdown(made, _chosen(arguments), results)
    if arguments.markdown:
        store.write(arguments.markdown, text)
    elif not arguments.html:
        print(text, end="")
    if arguments.html:
        store.write(arguments.html, page.html(made, _chosen(arguments), results))
    return 0


def _report(arguments: argparse.Namespace) -> int:
    from . import table
    from .view import view

    place, parts = store.home(arguments.results), []
    for which in arguments.which:
        cells = cover.SETS[which]()
        results = run.ready(store.load(place, cell) for cell in cells)
        if which == "any":  # nobody runs them all: those that were run
            cells = [result.cell for result in results]
        made = table.command(which) + (" GLOB..." if which == "any" else "")
        parts.append(view(made, cells, results))
    text = table.report(parts)
    if arguments.markdown:
        store.write(arguments.markdown, text)
    else:
        print(text, end="")
    return 0


def _record(arguments: argparse.Namespace) -> int:
    from . import record

    cells = _chosen(arguments)
    if arguments.name and len(cells) != 1:
        raise LabError(f"--name is for one cell, not for {len(cells)}", "choose one by its whole name")
    for cell in cells:
        print(record.record(cell, arguments.into / (arguments.name or cell.file)))
    return 0


def _why(arguments: argparse.Namespace) -> int:
    from . import messages

    print(messages.table([*messages.pairs(_results(arguments))]), end="")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    for result in _results(arguments):
        print(f"{result.cell.name}: {judge.summary(result)}")
        for one in judge.judge(result):
            predicted = one.predicted.value if one.predicted else "-"
            print(f"  {one.program:16} {predicted:8} {one.outcome.value:8} {one.kind.value}")
            if one.kind not in (judge.Kind.AGREES, judge.Kind.NOT_TRIED):
                print(f"    kdiag: {one.because}\n    bpftrace: {one.message}")
                print(f"    rule: {one.rule}" if one.rule else "", end="\n" if one.rule else "")
    return 0
