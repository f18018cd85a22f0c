"""Where the kernel's verifier refuses a program: the line of its log that says so, and how Linux 7.3 explains it.

The log is made by kernel/bpf/verifier.c and log.c: instructions, states and lines of the source, then the refusal, then
numbers (print_verification_stats). Since 7.3 an explanation stands between the two (kernel/bpf/diagnostics.c): a line
"Verification failed: category: problem", and sections with indented text: Reason, At, Causal path, Suggestion.
"""

from __future__ import annotations

import re
from collections import deque

from kdiag.why.value import Refusal

#: print_verification_stats.
_END = re.compile(r"processed \d+ insns \(limit \d+\)")
#: bpf_diag_header.
_EXPLAINED = "Verification failed: "
#: diag_section. What is kept of them, and the others.
_KEPT = {"Reason:": "reason", "At:": "at", "Suggestion:": "suggestion"}
_OTHERS = ("Causal path:", "Active lock:")
#: Characters of a section that are kept.
_LONGEST = 600
#: Lines after which nothing was refused: an instruction, a line of the source, a state seen before, where a log begins.
_ACCEPTED = re.compile(r"\s*(\d+: |; |from \d+ to \d+|safe$|processed \d+ insns|.{0,80}-- (BEGIN|END)\b)")
#: Lines that come after the refusal: numbers, the states of a loop.
_AFTER = re.compile(
    r"\s*(R\d+(_\w+)?=|frame\d|last_idx|regs=|parent |mark_precise|verification time|stack depth|peak_states|"
    r"max_states|total_states|(cur|old) state:|$)"
)
#: How many lines before the end are looked at.
_REMEMBERED = 16
#: Lines in which complaining words are the program's: an instruction, and the source beside it.
SOURCE = re.compile(r"\s*(\d+: \([0-9a-f]{2}\) |; )")


class Verifier:
    """Reads a text line by line. refusal: the first in it; refused: how many there are."""

    def __init__(self) -> None:
        self.refusal: Refusal | None = None
        self.refused = 0
        self._last: deque[tuple[int, str]] = deque(maxlen=_REMEMBERED)
        self._indent: str | None = None  # of an explanation that is being read
        self._section = ""

    def read(self, number: int, line: str) -> bool:
        """Whether the line belongs to an explanation, which repeats the words of the refusal."""
        if self._indent is not None and self._explains(line.removeprefix(self._indent)):
            return True
        if _EXPLAINED in line:
            before, _, problem = line.partition(_EXPLAINED)
            self._refuse(problem.strip())
            self._indent, self._section = before, ""
            return True
        if "processed " in line and _END.search(line):
            self._refuse()
        else:
            self._last.append((number, line))
        return False

    def _refuse(self, problem: str = "") -> None:
        said = self._said()
        self._last.clear()
        if said is None:
            return
        self.refused += 1
        if self.refusal is None:
            self.refusal = Refusal(*said, problem=problem)

    def _said(self) -> tuple[int, str] | None:
        for number, line in reversed(self._last):
            if _ACCEPTED.match(line):
                return None
            if not _AFTER.match(line):
                return number, line.strip()
        return None

    def _explains(self, line: str) -> bool:
        text = line.strip()
        if text in _KEPT or text in _OTHERS:
            self._section = _KEPT.get(text, "")
        elif text and not line.startswith("  "):
            self._indent = None
            return False
        elif text and self.refusal is not None and self.refused == 1:
            self.refusal = _with(self.refusal, self._section, text)
        return True


def _with(refusal: Refusal, section: str, text: str) -> Refusal:
    """Of the place only the first line: the others show the source."""
    if section == "reason":
        return refusal._replace(reason=f"{refusal.reason} {text}".strip()[:_LONGEST])
    if section == "suggestion":
        return refusal._replace(suggestion=f"{refusal.suggestion} {text}".strip()[:_LONGEST])
    if section == "at" and not refusal.at:
        return refusal._replace(at=text[:_LONGEST])
    return refusal
