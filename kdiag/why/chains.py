"""A chain of errors over several lines, as Rust programs print it: the error, and below it what caused it.

    Error: Failed to load BPF program
    Caused by:
        Operation not permitted (os error 1)

The error number that decides stands in a line of its own, and which call failed in another. Such a line is put behind
the error that it belongs to, as Go and libbpf write it in one line: `Failed to load BPF program: Operation not
permitted (os error 1)`. The other lines of a chain are messages of their own, and stay. Printed so by anyhow and eyre;
eyre's colourful form has `Error:` alone, and numbers before all lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from kdiag.knowledge.tools.errnos import says_only

#: What systemd's journal and syslog put before each line of a service.
_BEFORE = re.compile(r"(\w{3} [ \d]\d [\d:]{8} |\d{4}-\d\d-\d\dT\S+ )\S+ \S+?(\[\d+\])?: ")
_CAUSED = "Caused by:"
_BARE = re.compile(r"\s*Error:\s*$")
_PART = re.compile(r"\s+(?:\d{1,2}: )?(?P<text>\S.*)")
#: Lines of a chain that are kept at once: a verifier's log can stand in it.
_LONGEST = 200
_OS_ERROR = re.compile(r"(?P<said>[A-Z][^:()]{2,60}?) \(os error (?P<number>\d{1,3})\)")


def chained(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The numbered lines, with error numbers behind the errors that they belong to."""
    held: list[tuple[int, str]] = []  # the last line that says something, and empty ones
    chain: list[tuple[int, str]] | None = None
    for number, line in lines:
        if chain is not None:
            if _continues(line) and len(chain) < _LONGEST:
                chain.append((number, line))
                continue
            yield from _joined(held, chain)
            held, chain = [], None
        if (_CAUSED in line and _plain(line).strip() == _CAUSED) or (
            line[-1:] == ":" and _BARE.match(_plain(line))
        ):
            chain = [(number, line)]
            continue
        if not held or (line and not line.isspace()):
            yield from held
            held = [(number, line)]
        else:
            held.append((number, line))
    yield from held if chain is None else _joined(held, chain)


def _plain(line: str) -> str:
    before = _BEFORE.match(line)
    return line[before.end() :] if before else line


def _continues(line: str) -> bool:
    plain = _plain(line)
    return not plain.strip() or plain[0].isspace() or plain.strip() == _CAUSED


def _joined(held: list[tuple[int, str]], chain: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The error before a chain and those in it, each with the number that stands in a line of its own, which is left
    out.
    """
    reason = next((said for _, line in reversed(chain) if (said := bare(line))), "")
    for number, line in (*held, *chain):
        if reason and bare(line):
            yield number, ""
        elif reason and _is_error(line):
            yield number, f"{line.rstrip().rstrip(':')}: {reason}"
        else:
            yield number, line


def _is_error(line: str) -> bool:
    """Whether it is an error, and more than a number. Of one that has several lines it is the first."""
    plain = _plain(line)
    if not plain.strip() or plain.strip() == _CAUSED or bare(line) or _BARE.match(plain):
        return False
    part = _PART.match(plain)
    return part is None or bool(re.match(r"\s+\d{1,2}: ", plain))


def bare(line: str) -> str:
    """The words of an error number, where a line has nothing else."""
    part = _PART.match(_plain(line))
    text = part["text"].strip() if part else ""
    found = _OS_ERROR.fullmatch(text)
    if found is not None:
        return text
    return text if says_only(text) else ""
