"""Messages by the text that stands in a tool's source: `kdiag/knowledge/texts/*.json`.

A file has `tool`, `before` (a word that stands in a line before the tool's own messages, empty where none does), `read`
(the releases that were read), `left_out` (how many texts are not here, by reason), and `templates`: for the id of a row
of the catalogue its texts, each with the first and the last release that has it (null: the newest still does), and the
file and function. In a text `%d` is a number, `%s` anything, `%%` a percent sign.

A text is looked for as it is: its parts in their order, from where a message can begin. That takes time in proportion
to the line, whatever the line says. `tests/support/message_sources` reads the texts out of the sources.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import NamedTuple, TypedDict, cast

from kdiag.knowledge.tables import table
from kdiag.knowledge.texts.releases import Version, version

#: The tools, in the order in which they count for one text: those first whose lines begin with a word of their own.
TOOLS = ("libbpf", "kmod", "bpftrace", "kernel", "bpftool", "bcc", "ebpf", "libbpf-rs", "aya")


class File(TypedDict):
    """A file of templates."""

    tool: str
    before: str
    read: list[str]
    left_out: dict[str, int]
    templates: dict[str, list[list[str | None]]]


class Template(NamedTuple):
    """row: the id of its row; pieces: the text between conversions; numbers: which conversion is a number; weak: other
    programs could say the same; since, until: as in `Message`; place: file and function.
    """

    row: str
    tool: str
    text: str
    before: str
    pieces: tuple[str, ...]
    numbers: tuple[bool, ...]
    weak: bool
    since: Version | None
    until: Version | None
    place: str


_CONVERSION = re.compile(r"%([sd%])")
_WORD = re.compile(r"[a-z]{3,}")
_NUMBER = re.compile(r"[-+]?(?:0x)?[0-9a-fA-F]+")
#: Tools that put `ERROR: `, `Error: ` or `Exception: ` before most of their messages. Of a text of theirs with fewer
#: letters something in front of it must say that it is a complaint.
_PREFIXED = ("bpftrace", "bpftool", "bcc")
_STRONG = 18
_SEVERE = re.compile(r"error|warning|fatal|hint|bug|exception|panic|fail", re.IGNORECASE)
#: How often the beginning of a text is looked for in a line.
_TRIES = 4
#: What stands between a message and what other programs put before it.
_BORDERS = ":])>|-=,;\"'`(#!"
#: The kernel's log of types has the text behind the type: `[3] STRUCT a size=4 vlen=1 Member exceeds struct_size`.
_ANYWHERE = ("kernel",)
_OF_A_TYPE = re.compile(r"\[\d+\] ")


class Index(TypedDict):
    """by_word: for a word the numbers of the texts that are known by it; telling: of the texts without any of the words
    with which lines complain, a word each. `tests.support.message_sources` makes it.
    """

    by_word: dict[str, list[int]]
    telling: list[str]


@cache
def files() -> Mapping[str, File]:
    """The files by the names of the tools."""
    return {name: cast("File", table(f"texts/{name}")) for name in TOOLS}


@cache
def index() -> Index:
    """The index of the texts."""
    return cast("Index", table("texts/index"))


@cache
def _places() -> Sequence[tuple[str, str, list[str | None]]]:
    """The texts by their numbers, with tool and row."""
    return [
        (tool, row, text)
        for tool, content in files().items()
        for row, texts in content["templates"].items()
        for text in texts
    ]


def templates() -> tuple[Template, ...]:
    """All texts."""
    return tuple(map(numbered, range(len(_places()))))


@cache
def numbered(number: int) -> Template:
    """The text with a number of the index."""
    tool, row, (text, since, until, place) = _places()[number]
    before = files()[tool]["before"]
    pieces, numbers = divided(text or "")
    return Template(
        row,
        tool,
        text or "",
        before,
        pieces,
        numbers,
        tool in _PREFIXED and letters(pieces) < _STRONG,
        version(since),
        version(until),
        place or "",
    )


def divided(text: str) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    """A text's literals, and for each conversion between them whether it is a number."""
    if "%" not in text:
        return (text,), ()
    parts = _CONVERSION.split(text.replace("%%", "\0"))
    pieces = tuple(part.replace("\0", "%") for part in parts[::2])
    kinds = parts[1::2]
    # A number right behind something else cannot be told from it.
    numbers = tuple(kind == "d" and pieces[at] != "" for at, kind in enumerate(kinds))
    return pieces, numbers


def letters(pieces: tuple[str, ...]) -> int:
    """How many letters a text has of its own."""
    return sum(character.isalpha() for piece in pieces for character in piece)


def words(pieces: tuple[str, ...]) -> set[str]:
    """The words, in small letters, that stand free in each line that has the text."""
    found: set[str] = set()
    last = len(pieces) - 1
    for number, piece in enumerate(pieces):
        small = piece.lower()
        for word in _WORD.finditer(small):
            if (word.start() > 0 or number == 0) and (word.end() < len(small) or number == last):
                found.add(word[0])
    return found


def fitting(line: str) -> list[Template]:
    """The texts that a line has, the one that says most first."""
    known = frozenset(index()["by_word"].keys() & set(_WORD.findall(line.lower())))
    found = [template for piece, template in _with_words(known) if piece in line and stands(line, template)]
    found.sort(key=lambda one: (-sum(map(len, one.pieces)), TOOLS.index(one.tool), one.text))
    return found


@lru_cache(maxsize=4096)
def _with_words(known: frozenset[str]) -> tuple[tuple[str, Template], ...]:
    """The texts that are known by these words, each with its longest piece: most lines that say something have the
    same few of them.
    """
    by_word = index()["by_word"]
    found = [numbered(number) for word in sorted(known) for number in by_word[word]]
    return tuple((max(template.pieces, key=len), template) for template in found)


def stands(line: str, template: Template) -> bool:
    """Whether a line has a text, from where a message can begin."""
    first, at = template.pieces[0], 0
    least = _behind(line, template.before)
    if least < 0:
        return False
    if not first:
        return not (template.weak and _SEVERE.search(line) is None) and _rest(line, least, template)
    for _ in range(_TRIES):
        at = line.find(first, max(at, least))
        if at < 0:
            return False
        if _begins(line, at, template) and _rest(line, at + len(first), template):
            return True
        at += 1
    return False


def _behind(line: str, before: str) -> int:
    """Where the tool's own word ends; -1 without it."""
    if not before:
        return 0
    for word in before.split("|"):
        at = line.find(word)
        if at >= 0:
            return at + len(word)
    return -1


def _begins(line: str, at: int, template: Template) -> bool:
    ahead = line[:at].rstrip()
    if template.weak and _SEVERE.search(ahead) is None:
        return False
    if not ahead:
        return True
    if template.tool in _ANYWHERE and _OF_A_TYPE.search(ahead):
        return not (line[at - 1].isalnum() or line[at - 1] == "_")
    return ahead[-1] in _BORDERS


def _rest(line: str, at: int, template: Template) -> bool:
    for number, piece in zip(template.numbers, template.pieces[1:], strict=True):
        if number:
            found = _NUMBER.match(line, at)
            if found is None or not line.startswith(piece, found.end()):
                return False
            at = found.end() + len(piece)
        elif piece:
            at = line.find(piece, at)
            if at < 0:
                return False
            at += len(piece)
    # A text that ends in a word ends where the word does: the words by which it is found are whole ones.
    return not (line[at - 1 : at].isalnum() and line[at : at + 1].isalnum() and template.pieces[-1])
