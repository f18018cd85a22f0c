"""The matrix as Markdown: the number, the coloured table in words, every mistake, every unknown with its rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from . import rules
from .axes import HEADERS, WHO, Cell
from .judge import MISTAKES, Judgement, Kind
from .store import Result
from .view import Entry, View, view

_WORDS = {
    Kind.WRONG_WORKS: "said to work, failed",
    Kind.WRONG_FAILS: "said to fail, worked",
    Kind.UNKNOWN: "unknown, and no rule allows it",
}


def markdown(made: str, cells: Sequence[Cell], results: Sequence[Result]) -> str:
    """The whole document, ending in a newline. ``made``: the command that makes these results."""
    seen = view(made, cells, results)
    parts = [_head(seen), _table(seen), _mistakes(seen), _unknowns(seen), _legend()]
    return "\n\n".join(part for part in parts if part) + "\n"


def report(parts: Sequence[View]) -> str:
    """Several sets in one document, ending in a newline: the numbers of each, by tool, then each set's cells."""
    lines = [
        "# What kdiag predicts, and what the tools do",
        "",
        "In every cell a kernel was booted, `kdiag check` said what will work, and `kdiag smoke` tried it with the",
        "real tools. Days and the code of kdiag are in each set's section.",
        "",
        "| made by | cells | not run | tool | agreement | right | of | "
        + " | ".join(_WORDS[kind] for kind in MISTAKES),
        "|---|---:|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    lines[-2] += " |"
    for seen in parts:
        where = f"`{seen.command}` | {seen.cells} | {seen.missing}"
        for tool, one in seen.tools.items():
            wrong = " | ".join(str(one.kinds.get(kind, 0)) for kind in MISTAKES)
            lines.append(f"| {where} | {tool} | {one.text} | {one.right} | {one.counted} | {wrong} |")
            where = " | | "
    sections = [
        "\n\n".join(part for part in (_made(seen), _table(seen), _mistakes(seen), _unknowns(seen)) if part)
        for seen in parts
    ]
    text = "\n\n".join(_deeper(section) for section in sections)
    return "\n".join(lines) + f"\n\n{text}\n\n{_legend()}\n"


def _made(seen: View) -> str:
    days = " to ".join(dict.fromkeys((seen.days[0], seen.days[-1]))) if seen.days else "never"
    return "\n".join(
        [
            f"# {seen.command}",
            "",
            f"Made {days}: {seen.cells} cells, {seen.cpu / 60:.0f} minutes of CPU time, kdiag {', '.join(seen.kdiag)},",
            f"QEMU {', '.join(seen.qemu)} without KVM. {seen.missing} cells of this set were not run.",
        ]
    )


def _deeper(section: str) -> str:
    """The same with every heading one level lower."""
    return "\n".join(f"#{line}" if line.startswith("#") else line for line in section.split("\n"))


def command(which: str, only: Sequence[str] = ()) -> str:
    """What makes these results."""
    words = ["python -m tests.lab matrix run", *([] if which == "standard" else ["--which", which])]
    return " ".join([*words, *(f"'{glob}'" for glob in only)])


def _head(seen: View) -> str:
    number = seen.agreement
    days = " to ".join(dict.fromkeys((seen.days[0], seen.days[-1]))) if seen.days else "never"
    lines = [
        "# What kdiag predicts, and what bpftrace does",
        "",
        "In every cell a kernel was booted, `kdiag check` said what will work, and `kdiag smoke` tried it with the",
        f"real bpftrace. Made {days} by `{seen.command}`: {seen.cells} cells,",
        f"{seen.cpu / 60:.0f} minutes of CPU time, kdiag {', '.join(seen.kdiag)},",
        f"QEMU {', '.join(seen.qemu)} without KVM.",
        "",
        f"**Agreement: {number.text}** ({number.right} of {number.counted} predictions).",
        "",
        "| | predictions |",
        "|---|---:|",
        f"| right | {number.kinds[Kind.AGREES]} |" if Kind.AGREES in number.kinds else "| right | 0 |",
    ]
    lines += [f"| {_WORDS[kind]} | {number.kinds.get(kind, 0)} |" for kind in MISTAKES]
    lines.append(f"| unknown where it cannot be known (rules below) | {number.kinds.get(Kind.ALLOWED, 0)} |")
    lines.append(
        f"| not tried: hello fails, or this bpftrace has no such probe | {number.kinds.get(Kind.NOT_TRIED, 0)} |"
    )
    if len(seen.tools) > 1:
        lines += [
            "",
            "| tool | agreement | right | of | " + " | ".join(_WORDS[kind] for kind in MISTAKES) + " |",
        ]
        lines.append("|---|---:|---:|---:|---:|---:|---:|")
        for tool, one in seen.tools.items():
            wrong = " | ".join(str(one.kinds.get(kind, 0)) for kind in MISTAKES)
            lines.append(f"| {tool} | {one.text} | {one.right} | {one.counted} | {wrong} |")
    if seen.missing:
        lines += ["", f"{seen.missing} cells of this matrix have no result yet."]
    return "\n".join(lines)


def _table(seen: View) -> str:
    lines = [
        "## The table",
        "",
        "Programs that worked, of those tried. ✗ and a number: predictions that were wrong; ? and a number: unknown.",
        "Who asked is root where nothing else is said; · is a state that this kernel cannot have.",
    ]
    kernel = ""
    for row in seen.rows:
        if row.kernel != kernel:
            kernel = row.kernel
            lines += ["", f"### {kernel}{f' ({row.release})' if row.release else ''}", ""]
            lines += [f"| user space | {' | '.join(HEADERS)} |", f"|---|{'---|' * len(HEADERS)}"]
        cells = [
            "·" if entries is None else "<br>".join(_entry(one) for one in entries) or "–"
            for entries in row.entries.values()
        ]
        lines.append(f"| {row.bpftrace} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _entry(one: Entry) -> str:
    text = one.text if one.cell.who == "root" else f"{one.cell.who}: {one.text}"
    if one.mistakes:
        text += f" **✗{one.mistakes}**"
    return text + (f" ?{one.open}" if one.open else "")


def _mistakes(seen: View) -> str:
    if not seen.mistakes:
        return "## Disagreements\n\nNone."
    lines = [
        "## Disagreements",
        "",
        "| cell | program | | kdiag's reason | what the tool said |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.cell.name} | {one.program} | {_WORDS[one.kind]} | {_plain(one.because)} | {_plain(one.message)} |"
        for one in seen.mistakes
    ]
    return "\n".join(lines)


def _unknowns(seen: View) -> str:
    if not seen.allowed:
        return (
            ""
            if rules.RULES
            else "## Unknown\n\nThe lab's rule book allows `unknown` nowhere: all that is tried can be foretold."
        )
    lines = [
        "## Unknown, as it must be",
        "",
        "The lab's rule book (`tests/lab/matrix/rules.py`) allows `unknown` here:",
        "",
    ]
    for rule, found in seen.allowed:
        lines.append(f"- **{rule.name}**: {rule.why} {len(found)} predictions: {_programs(found)}.")
    return "\n".join(lines)


def _programs(found: Iterable[Judgement]) -> str:
    counts = Counter(
        (one.program, "works" if one.outcome.value in ("works", "warns") else "fails") for one in found
    )
    return ", ".join(f"{name} ({number} times it {what})" for (name, what), number in sorted(counts.items()))


def _legend() -> str:
    lines = ["## The axes", ""]
    lines += [f"- **{name}**: {what}" for name, what in HEADERS.items()]
    lines.append("")
    lines += [f"- **{name}**: {what}" for name, what in WHO.items()]
    lines += ["", "The kernels are described in `tests/lab/README.md`."]
    return "\n".join(lines)


def _plain(text: str) -> str:
    text = " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
    return text if len(text) <= 160 else f"{text[:157]}..."
