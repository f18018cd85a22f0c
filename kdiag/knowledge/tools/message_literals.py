"""What a line must contain for a pattern to be worth trying: a literal for each alternative of a regular expression."""

from __future__ import annotations

import re

#: One thing of a pattern: an escaped character, a class, a count of repetitions, or any other character.
_TOKEN = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\{\d*,?\d*\}|.", re.DOTALL)
_QUANTIFIER = re.compile(r"[*?]|\{0?,?\d*\}")
#: Of a literal.
SHORTEST = 4


def literals(pattern: str) -> tuple[str, ...]:
    """For each alternative at the top of the pattern, its longest run of plain characters outside groups; empty where
    an alternative has none that is long enough, since then every line has to be tried.
    """
    found = tuple(max(runs, key=len, default="") for runs in _alternatives(pattern))
    return found if all(len(run) >= SHORTEST for run in found) else ()


def _alternatives(pattern: str) -> list[list[str]]:
    alternatives: list[list[str]] = [[""]]
    depth = 0
    pieces = [found[0] for found in _TOKEN.finditer(pattern)]
    for index, piece in enumerate(pieces):
        runs = alternatives[-1]
        if piece == "(":
            depth += 1
            runs.append("")
        elif piece == ")":
            depth -= 1
        elif depth:
            continue
        elif piece == "|":
            alternatives.append([""])
        elif (char := _plain(piece)) and not _QUANTIFIER.match("".join(pieces[index + 1 : index + 6])):
            runs[-1] += char
            if pieces[index + 1 : index + 2] and pieces[index + 1][0] in "+{":
                runs.append("")
        else:
            runs.append("")
    return alternatives


def _plain(piece: str) -> str:
    """The character that a piece stands for, empty for what may be several."""
    if len(piece) == 1:
        return "" if piece in ".^$*+?{}[]" else piece
    return piece[1] if piece[0] == "\\" and not piece[1].isalnum() else ""
