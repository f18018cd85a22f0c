"""A command line as a shell has it while it is typed: its words, and the beginning of the last one."""

from __future__ import annotations

from typing import NamedTuple


class Line(NamedTuple):
    """words: those that are complete, the program's name first; start: of the word that is typed, without its quotes;
    quoted: whether a quote in it is still open.
    """

    words: tuple[str, ...]
    start: str
    quoted: bool


def split(text: str) -> Line:
    """The words as sh(1) splits them, for a line that may end in the middle of one."""
    words: list[str] = []
    word, quote, begun = "", "", False
    signs = iter(text)
    for sign in signs:
        if sign == "\\" and quote != "'":
            word, begun = word + next(signs, ""), True
        elif quote:
            word, quote = (word, "") if sign == quote else (word + sign, quote)
        elif sign in "'\"":
            quote, begun = sign, True
        elif sign.isspace():
            if begun:
                words.append(word)
            word, begun = "", False
        else:
            word, begun = word + sign, True
    return Line(tuple(words), word, bool(quote))


def unquoted(word: str) -> str:
    """A word that is being typed without its quotes: fish passes it as it stands."""
    line = split(word)
    return " ".join((*line.words, line.start))
