"""Text from anywhere is shown, not obeyed: by a terminal, by a reader, by the log of a CI job."""

from __future__ import annotations

import json
import unicodedata

import pytest

from kdiag.console import printable
from kdiag.console.wrap import clean, columns, wrap

NASTY = [
    "\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "\x7f", "\x85", "\x00", "\r", "\u202e", "\u2066", "\u200b", "\ufeff",
    "\u2028", "\u2029", "\udcff", "\u00ad", "\U000e0041",
]  # fmt: skip


@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_what_is_not_printable_is_shown(text: str) -> None:
    for shown in (
        printable.line(f"a{text}b"),
        printable.lines(f"a{text}b"),
        printable.lines(f"a{text}b", color=True),
        clean(f"a{text}b"),
    ):
        assert shown.isprintable(), ascii(shown)
        assert "\\" in shown
        assert shown.startswith("a") and shown.endswith("b")
    assert json.loads(printable.in_json(json.dumps(text, ensure_ascii=False))) in (text, "\\xff")


def test_every_control_and_format_character() -> None:
    odd = [chr(c) for c in range(0x110000) if unicodedata.category(chr(c)) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert len(odd) > 2_000
    shown = printable.line("".join(odd))
    assert shown.isprintable()


def test_lines_and_colours_stay_where_they_belong() -> None:
    painted = "\x1b[1;31mred\x1b[0m\n\tnext"
    assert printable.lines(painted, color=True) == painted
    assert "\x1b" not in printable.lines(painted)
    assert printable.line("a\nb") == r"a\nb"
    assert printable.lines("\x1b[31mred\x1b[2J", color=True) == "\x1b[31mred\\x1b[2J"


@pytest.mark.parametrize(
    "text",
    [
        "::error::x",
        "  ::set-output name=a::b",
        "word ::Error file=a::b",
        "one\n::add-mask::x",
        "\u00a0::error::x",
        "##[add-path]/tmp",
        "in a line ##[group]x",
        "##vso[task.setvariable variable=a]b",
        "##teamcity[buildStatus text='x']",
        "###[warning]x",
    ],
)
def test_commands_to_a_log(text: str) -> None:
    for shown in (printable.lines(text), printable.line(text), clean(text)):
        assert not any(line.lstrip().startswith("::") for line in shown.split("\n"))
        assert "##[" not in shown and "##vso[" not in shown and "##teamcity[" not in shown
    assert json.loads(printable.in_json(json.dumps(text, ensure_ascii=False))) == text
    assert "##" not in printable.in_json(json.dumps(text)).replace("###", "#\\u0023#")


@pytest.mark.parametrize(
    "text", ["std::vector", "::1", "listen on [::]:80", "# heading ##", "kprobe:vfs_read", "a #1"]
)
def test_what_is_no_command_stays(text: str) -> None:
    assert printable.line(text) == clean(text) == text


@pytest.mark.parametrize("width", range(10, 60, 7))
def test_no_width_makes_a_line_begin_with_a_command(width: int) -> None:
    """A long word is cut, and its second half may begin with what its middle had."""
    for before in range(70):
        for text in (
            "x" * before + "::error::owned",
            "x " * before + "::error::owned",
            "-" * before + "::a::b",
        ):
            lines = wrap(clean(text), width)
            assert not [one for one in lines if one.startswith("::")], (text, lines)
            assert all(columns(one) <= width for one in lines)
            assert "".join(lines).replace(" ", "") == clean(text).replace(" ", "")


def test_an_encoding_that_lacks_a_character_or_is_not_there() -> None:
    assert printable.fitting("é", "ascii") == r"\xe9"
    assert printable.fitting("é", "latin-1") == "é"
    assert printable.fitting("é", "nonsense") == r"\xe9"
    assert printable.fitting("é", None) == r"\xe9"
