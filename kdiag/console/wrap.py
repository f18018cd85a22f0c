"""Untrusted strings made fit for a terminal: neutralised, measured in columns, wrapped.

textwrap is not used: it counts characters where a terminal counts columns, and it would break a path in two.
"""

from __future__ import annotations

from kdiag.console.printable import inert, instead

_ASCII = {
    "·": "-", "–": "-", "—": "-", "‑": "-", "−": "-", "…": "...", "‘": "'", "’": "'", "“": '"', "”": '"',
    "→": "->", "←": "<-", "×": "x", "≤": "<=", "≥": ">=", "µ": "u", "✓": "+", "✗": "x",
}  # fmt: skip


def clean(text: str, *, unicode: bool = True) -> str:
    """One line that cannot harm a terminal, nor give orders to the log of a CI job; with unicode=False only printable
    ASCII is left.
    """
    return inert(visible(text, unicode=unicode))


def visible(text: str, *, unicode: bool = True) -> str:
    """One line of printable characters.

    What Python calls not printable is what moves a cursor, paints, reorders or hides: controls, C1 too, line
    separators, bidirectional and zero-width characters, surrogates, and what is assigned to nothing.
    """
    text = text.strip().replace("\t", " ")
    if text.isprintable() and (unicode or text.isascii()):
        return text
    return "".join(c if c.isprintable() and (unicode or c.isascii()) else _instead(c, unicode) for c in text)


def _instead(char: str, unicode: bool) -> str:
    shown = instead(char)
    return shown if unicode or shown == " " else _ASCII.get(char) or shown


def columns(text: str) -> int:
    """Columns that a cleaned text takes: East Asian wide characters two, combining ones none."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def pad(text: str, width: int) -> str:
    """The text with spaces after it up to so many columns."""
    return text + " " * (width - columns(text))


def wrap(text: str, width: int) -> list[str]:
    """A cleaned text in lines of at most `width` columns.

    Breaks only at spaces. A word longer than a line is chopped, unless it has a slash: paths and URLs stay
    whole, on a line of their own, because people copy them.
    """
    width = max(width, 1)
    lines: list[str] = []
    line, used = "", 0
    for word in text.split():
        size = columns(word)
        if line and used + 1 + size <= width:
            line, used = f"{line} {word}", used + 1 + size
            continue
        if line:
            lines.append(line)
        if size > width and "/" not in word:
            *whole, line = _chop(word, width)
            lines.extend(whole)
            used = columns(line)
        else:
            line, used = word, size
    if line:
        lines.append(line)
    return lines


def _chop(word: str, width: int) -> list[str]:
    """Pieces of at most `width` columns, cut after punctuation where the second half of a line has some."""
    pieces: list[str] = []
    start, used = 0, 0
    for index, char in enumerate(word):
        size = columns(char)
        while used + size > width and index > start:
            cut = 1 + max(word.rfind(mark, start + (index - start) // 2, index) for mark in "-_,.=:")
            cut = cut or index
            if word.startswith("::", cut):  # no piece begins a line of a log with the mark of a command
                cut = cut - 1 if cut - 1 > start else cut + 2
            pieces.append(word[start:cut])
            start, used = cut, columns(word[cut:index])
        used += size
    return [*pieces, word[start:]]
