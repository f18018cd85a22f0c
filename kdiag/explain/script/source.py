"""The text of a script: in a file, on standard input, or typed as bpftrace's `-e` takes it."""

from __future__ import annotations

import shlex
import sys
from itertools import pairwise

from kdiag.console.wrap import clean
from kdiag.explain.value import NotKnown
from kdiag.parse.bpftrace.lexer import LARGEST
from kdiag.trust import read

#: Bytes of a character of UTF-8, at most.
_WIDEST = 4
#: Columns of a typed script that name it.
LONGEST_NAME = 60
#: The first line of a script that starts itself.
_FIRST = 256
STDIN = "-"
#: Before what the option -e had: it is a script whatever it looks like.
_OPTION = "-e "


def as_script(program: str) -> str:
    """The word that stands for a script given by -e."""
    return f"{_OPTION}{program}"


def typed(word: str) -> str | None:
    """The script that a word is: one with a brace, or a whole command line `bpftrace -e '...'`; None for anything
    else.
    """
    if word.startswith(_OPTION):
        return word.removeprefix(_OPTION)
    if "{" not in word:
        return None
    script = _of_command(word) if "bpftrace" in word.partition("{")[0] else None
    if script is not None:
        return script
    before = word.partition("{")[0].strip()
    # A pattern of names has its braces, if any, within a word.
    return word if not before or any(sign in word for sign in " \t\n/;()@") else None


def _of_command(line: str) -> str | None:
    try:
        words = shlex.split(line)
    except ValueError:
        return None
    ours = next((at for at, word in enumerate(words) if word.rpartition("/")[2] == "bpftrace"), None)
    if ours is None:
        return None
    after = words[ours + 1 :]
    return next((script for flag, script in pairwise(after) if flag == "-e"), None)


def runs_itself(path: str) -> bool:
    """Whether a file says in its first line that bpftrace runs it, whatever its name."""
    try:
        first = read.head(path, _FIRST).partition(b"\n")[0]
    except (OSError, ValueError):
        return False
    return first.startswith(b"#!") and b"bpftrace" in first


def name_of(word: str) -> str:
    """How a script is named in an answer: a file by its path, a typed one by how it begins."""
    script = typed(word)
    if script is None:
        return "standard input" if word == STDIN else word
    lines = [line.strip() for line in script.splitlines()]
    told = (line for line in lines if line and not line.startswith(("#", "//", "/*", "*")))
    shown = clean(next(told, "the script"))
    return shown if len(shown) <= LONGEST_NAME else f"{shown[: LONGEST_NAME - 3]}..."


def text_of(word: str) -> str:
    """The text of a script. Raises NotKnown."""
    script = typed(word)
    if script is not None:
        return script
    try:
        limit = _WIDEST * LARGEST + 1
        data = sys.stdin.buffer.read(limit) if word == STDIN else read.head(word, limit)
    except OSError as error:
        raise NotKnown(f"{word}: {error.strerror or error}") from None
    except ValueError:
        raise NotKnown(f"{word!a}: not a path") from None
    if len(data) == limit:
        raise NotKnown(f"{name_of(word)}: more than the {LARGEST} characters that kdiag reads of a script")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        what = f"a byte {data[error.start]:#04x} that is no UTF-8"
        raise NotKnown(f"{name_of(word)}: line {line}, column {column}: {what}") from None
