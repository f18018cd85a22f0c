"""The texts of messages: each has a row, each is found, what is found takes time in proportion to the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdiag.knowledge.texts import templates
from kdiag.knowledge.texts.releases import contains, shown, version, which
from kdiag.knowledge.texts.templates import TOOLS, Template, divided, fitting, letters, stands
from kdiag.knowledge.tools.catalogue import FILES, catalogue
from kdiag.knowledge.tools.messages import recognised
from kdiag.why.joining import join
from tests.support.message_sources import document, indexing
from tests.support.message_sources.coverage import by_pattern, sample
from tests.support.message_sources.tables import PLACE, load, written
from tests.support.paths import REPOSITORY
from tests.support.steps import calls, linear

ROWS = {row.id: row for row in catalogue()}
TEXTS = templates.templates()


def line_of(text: Template) -> str:
    """A line that has the text, as its tool prints it."""
    before = sample(text.text, text.before)
    return f"ERROR: {before}" if text.weak else before


def test_every_text_has_a_row() -> None:
    assert {text.row for text in TEXTS} <= set(ROWS)


def test_every_row_for_a_class_has_texts() -> None:
    assert {row.id for row in catalogue() if not row.pattern} <= {text.row for text in TEXTS}


@pytest.mark.parametrize("tool", TOOLS)
def test_every_text_is_found(tool: str) -> None:
    for text in TEXTS:
        if text.tool == load(tool)["tool"]:
            assert text in fitting(line_of(text)), text.text


@pytest.mark.parametrize("tool", TOOLS)
def test_the_row_of_a_text_is_the_one_that_its_line_gets(tool: str) -> None:
    """A pattern that fits comes first: the text must stand below the same row."""
    for text in TEXTS:
        if text.tool == load(tool)["tool"] and (row := by_pattern(text.text, text.before)) is not None:
            assert text.row == row, text.text


def test_a_line_of_every_text_is_read_and_told() -> None:
    """The sieve keeps it, and something is said about it."""
    unread = [text.text for text in TEXTS if not join([line_of(text)]).told]
    assert unread == []


def test_texts_are_sound() -> None:
    for text in TEXTS:
        assert text.since is not None, text.text
        assert text.until is None or text.since <= text.until, text.text
        assert letters(text.pieces) > 0, text.text
        assert text.place, text.text


@pytest.mark.parametrize("tool", TOOLS)
def test_a_file_is_written_as_the_program_writes_it(tool: str) -> None:
    path = PLACE / f"{tool}.json"
    assert path.read_text() == written(load(tool))
    texts = [text[0] for several in load(tool)["templates"].values() for text in several]
    assert len(texts) == len(set(texts))


def test_the_index_and_the_page_are_those_of_the_files() -> None:
    assert (PLACE / "index.json").read_text() == indexing.written(indexing.made())
    assert (REPOSITORY / "docs" / "messages-sources.md").read_text() == document.document()


def test_every_file_is_read() -> None:
    assert {path.stem for path in PLACE.glob("*.json")} == {*TOOLS, "index"}
    assert set(TOOLS) <= set(FILES)


def _text(words: str, before: str = "", *, weak: bool = False, tool: str = "tool") -> Template:
    pieces, numbers = divided(words)
    return Template("row", tool, words, before, pieces, numbers, weak, None, None, "a.c f()")


@pytest.mark.parametrize(
    ("words", "line", "found"),
    [
        ("cannot open %s: %s", "cannot open /a: No such file", True),
        ("cannot open %s: %s", "ERROR: cannot open /a: No such file", True),
        ("cannot open %s: %s", "we cannot open /a: No such file", False),
        ("cannot open %s: %s", "cannot open /a", False),
        ("type [%d] is bad", "type [12] is bad, and more", True),
        ("type [%d] is bad", "type [a b] is bad", False),
        ("at 0x%d", "at 0xffff", True),
        ("%s is not there", "anything is not there", True),
        ("100%% of %s", "100% of it", True),
        ("%s%d left", "some 7 left", True),
    ],
)
def test_what_stands_in_a_line(words: str, line: str, found: bool) -> None:
    assert stands(line, _text(words)) is found


def test_the_word_of_a_tool_comes_first() -> None:
    text = _text("cannot open %s", "libbpf")
    assert stands("libbpf: cannot open it", text)
    assert not stands("cannot open it", text)
    assert not stands("cannot open libbpf", text)


def test_a_weak_text_needs_a_complaint_in_front_of_it() -> None:
    text = _text("invalid offset", weak=True)
    assert stands("ERROR: invalid offset", text)
    assert not stands("invalid offset", text)


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece", ["cannot open ", "libbpf: prog '", "'", ": ", "failed to create map: ", "7]"]
)
def test_a_hostile_line_takes_time_in_proportion(piece: str) -> None:
    """Each search goes forward only; how often the beginning is looked for has a limit."""
    texts = [_text("cannot open %s: %s of %d in '%s': %s"), _text("%s: %s: %s: %s: %s gone"), *TEXTS[::7]]
    for text in texts:
        assert len(text.pieces) < 40
    linear(lambda size: sum(calls(lambda t=t: stands(piece * size, t)) for t in texts), 100)  # type: ignore[misc]
    assert calls(lambda: stands("cannot open " * 10_000, texts[0])) < 60


@pytest.mark.parametrize(
    ("since", "until", "words"),
    [
        ("0.21", None, "0.21 and newer"),
        (None, "0.24.2", "0.24.2 and older"),
        ("0.21", "0.23.5", "0.21 to 0.23.5"),
        ("1", "1.0", "1.0"),
        (None, None, ""),
    ],
)
def test_releases_in_words(since: str | None, until: str | None, words: str) -> None:
    assert which(version(since), version(until)) == words


def test_releases() -> None:
    assert contains((0, 21, 0), None, (0, 21, 0))
    assert not contains((0, 21, 0), (0, 22, 0), (0, 22, 1))
    assert shown((34, 2, 0)) == "34.2"
    with pytest.raises(ValueError, match="not a release: v1"):
        version("v1")


def test_a_row_of_a_class_explains_a_line_of_a_source() -> None:
    found = recognised("stdin:1:1-5: ERROR: Invalid probe type: nothing")
    assert found is not None
    assert (found.message.id, found.text) == ("bpftrace.probe-definition", "Invalid probe type: %s")


def test_files_are_in_the_package() -> None:
    assert Path(templates.__file__).parent == PLACE
