"""kdiag's types as C held against bpftool's and pahole's, for every struct, union and enum of a kernel:

    python -m tests.support.btf_oracles [--show N] FILE[+BASE]...

FILE is bare BTF or an ELF file with a .BTF section (default: /sys/kernel/btf/vmlinux); split BTF has its BASE after +.
White space does not count, nor what the other program is known to add, to leave out or to get wrong: each such kind of
difference has a name in `EXPLAINED_PAHOLE` or `EXPLAINED_BPFTOOL`, and its number is told.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from kdiag.btf.body import Bodies
from kdiag.btf.files import of_file
from kdiag.btf.listing import listing
from kdiag.parse.btf.graph import Graph
from kdiag.parse.btf.kinds import BtfError, Kind
from tests.support.waiting import HANG

Replaced = Callable[[str], str]

_SPACE = re.compile(r"\s+")
_AROUND = re.compile(r" ?([*(),;:\[\]{}=/]) ?")
_START = re.compile(r"^(struct|union|enum) ([^\s{]+) \{", re.MULTILINE)


class Difference(NamedTuple):
    """A type that is shown otherwise. ours, theirs: normalised."""

    name: str
    ours: str
    theirs: str


class Agreement(NamedTuple):
    """How often two agree; explained: how many of them only but for a known difference, by its name; missing: what the
    other one does not show.
    """

    same: int
    explained: Counter[str]
    others: list[Difference]
    missing: list[str]

    @property
    def total(self) -> int:
        """The types that were held against one another."""
        return self.same + self.explained.total() + len(self.others)


def normalised(text: str) -> str:
    """The text without white space that means nothing."""
    return _AROUND.sub(r"\1", _SPACE.sub(" ", text)).strip()


def _without(pattern: str) -> Replaced:
    compiled = re.compile(pattern)
    return lambda text: compiled.sub("", text)


#: What is taken off both sides, one after the other, until they are equal; the name of the last one explains.
EXPLAINED_PAHOLE: dict[str, Replaced] = {
    "kdiag says a union's size, pahole does not": _without(
        r"(?<=/)/\*size:\d+,cachelines:\d+,members:\d+\*/(?=\};$)"
    ),
    "pahole guesses an alignment from an offset, BTF has none": _without(
        r" ?__attribute__\(\(__aligned__\(\d+\)\)\)|/\*forced alignments:[^*]*\*/"
    ),
    "pahole writes unnamed bit-fields into the holes of bits": _without(
        r"/\*Force alignment to the next boundary:\*/|(?<=[;/])[\w ]+:\d+;(?!/\*\d)"
    ),
    "an array of no length at the end: [] or [0]": lambda text: text.replace("[]", "[0]"),
    "pahole calls packed what lies the same unpacked, or the other way round": _without(
        r" ?__attribute__\(\(__packed__\)\)"
    ),
    "pahole writes the const or volatile of a pointer before what it points to": _without(
        r"\b(const|volatile) ?"
    ),
    "pahole leaves out the array that a pointer points to": lambda text: re.sub(
        r"\(\*(\w+)\)(\[\d+\])+", r"*\1", text
    ),
    "pahole garbles a pointer to a function that does not return": lambda text: re.sub(
        r"(\w+)\(\)\(([^()]*)\)\*(\w+);", r"\1(*\3)(\2);", text
    ),
    "pahole takes an enum for unsigned that is not": lambda text: re.sub(
        r"(?<==)-(\d+)", lambda found: str((1 << 32) - int(found[1])), text
    ),
    "pahole repeats the sums of a const struct inside another": _without(
        r"/\*(size|sum members|sum bitfield members|padding|paddings|bit_padding|last cacheline):[^*]*\*/"
    ),
}
EXPLAINED_BPFTOOL: dict[str, Replaced] = {
    "libbpf before 1.1 leaves out that an enum has one byte, or eight": _without(
        r"__attribute__\(\(mode\((?:byte|word)\)\)\)"
    ),
}


def compared(
    ours: Iterator[tuple[str, str]], theirs: dict[str, list[str]], explained: dict[str, Replaced]
) -> Agreement:
    """Each of our definitions held against theirs of the same name."""
    same, missing, reasons, others = 0, list[str](), Counter[str](), []
    for name, text in ours:
        if name not in theirs:
            missing.append(name)
            continue
        mine, candidates = normalised(text), theirs[name]
        if mine in candidates:
            same += 1
            continue
        reason = _reason(mine, candidates, explained)
        if reason:
            reasons[reason] += 1
        else:
            others.append(Difference(name, mine, candidates[0]))
    return Agreement(same, reasons, others, missing)


def _reason(mine: str, candidates: list[str], explained: dict[str, Replaced]) -> str:
    for reason, replaced in explained.items():
        mine, candidates = replaced(mine), [replaced(one) for one in candidates]
        if mine in candidates:
            return reason
    return ""


def _named(graph: Graph, kinds: tuple[Kind, ...]) -> Iterator[tuple[int, str]]:
    btf = graph.btf
    for type_id in range(btf.first_id, btf.first_id + btf.n_types):
        if graph.kind(type_id) in kinds and (name := graph.name(type_id)):
            yield type_id, name


def against_bpftool(path: str, base: str = "") -> Agreement:
    """The definitions of structs, unions and enums, as C to compile."""
    split = ("-B", base) if base else ()
    dump = _run("bpftool", *split, "btf", "dump", "file", path, "format", "c")
    theirs = _definitions(re.sub(r"___\d+\b", "", dump))
    graph = of_file(path, base).main.graph

    def ours() -> Iterator[tuple[str, str]]:
        kinds = (Kind.STRUCT, Kind.UNION, Kind.ENUM, Kind.ENUM64)
        for type_id, name in _named(graph, kinds):
            text = Bodies(graph, graph.name, str).define(type_id)
            if "{" in text:  # not only declared
                yield f"{text.partition(' ')[0]} {name}", f"{text};"
        for type_id, name in _named(graph, (Kind.TYPEDEF,)):
            if name == "__builtin_va_list":  # compilers define it
                continue
            yield "typedef", f"typedef {Bodies(graph, graph.name, str).declare(graph.target(type_id), name)};"

    return compared(ours(), theirs, EXPLAINED_BPFTOOL)


def against_pahole(path: str, base: str = "") -> Agreement:
    """The structs and unions with their offsets, as pahole prints them."""
    split = ("--btf_base", base) if base else ()
    theirs = _definitions(_run("pahole", "-F", "btf", *split, path))
    graph = of_file(path, base).main.graph
    seen: set[str] = set()

    def ours() -> Iterator[tuple[str, str]]:
        for type_id, name in _named(graph, (Kind.STRUCT, Kind.UNION)):
            if name not in seen:  # pahole prints the first of a name
                seen.add(name)
                text = listing(graph, type_id)
                yield f"{text.partition(' ')[0]} {name}", text

    return compared(ours(), theirs, EXPLAINED_PAHOLE)


def _definitions(text: str) -> dict[str, list[str]]:
    """The definitions at the margin of a text, by `struct name`."""
    found: dict[str, list[str]] = {}
    starts = list(_START.finditer(text))
    for start in starts:
        end = re.compile(r"^\}[^\n]*;", re.MULTILINE).search(text, start.end())
        one_line = re.compile(r"[^\n]*\};").match(text, start.start())
        stop = one_line.end() if one_line else end.end() if end else len(text)
        found.setdefault(f"{start[1]} {start[2]}", []).append(normalised(text[start.start() : stop]))
    typedefs = re.finditer(
        r"^typedef (?:[^{};]*|[^{};]*\{\}[^;]*|[^{};]*\{\n.*?^\}[^;]*);", text, re.MULTILINE | re.DOTALL
    )
    found["typedef"] = [normalised(one[0]) for one in typedefs]
    return found


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, timeout=10 * HANG, check=False)
    return done.stdout.decode("utf-8", "replace")


def report(path: str, show: int) -> None:
    """Print the numbers for one file, and a few of the types that are shown otherwise."""
    for name, ask in (("bpftool", against_bpftool), ("pahole", against_pahole)):
        try:
            found = ask(*path.split("+"))
        except (OSError, BtfError) as error:
            print(f"{path}: {name}: {error}")
            continue
        print(
            f"{path}: {found.same} of {found.total} types as {name} has them, {len(found.missing)} it has not"
        )
        for one in found.missing[:show]:
            print(f"    {name} does not show {one}")
        for reason, count in found.explained.most_common():
            print(f"    {count}: {reason}")
        print(f"    {len(found.others)}: otherwise")
        for one in found.others[:show]:
            print(
                f"        {one.name}\n          kdiag: {_around(one.ours, one.theirs)}\n          {name}: ",
                end="",
            )
            print(_around(one.theirs, one.ours))


def _around(text: str, other: str) -> str:
    """The text from a little before the first difference on."""
    at = next(
        (i for i, (a, b) in enumerate(zip(text, other, strict=False)) if a != b), min(len(text), len(other))
    )
    return text[max(0, at - 80) : at + 120]


def main() -> None:
    """Hold every file against both."""
    arguments, show = sys.argv[1:], 5
    if arguments[:1] == ["--show"]:
        show, arguments = int(arguments[1]), arguments[2:]
    for path in arguments or ["/sys/kernel/btf/vmlinux"]:
        report(path, show)


if __name__ == "__main__":
    main()
