"""Kernel configurations made up by hypothesis: what was written is read back, and junk only ever gives
ParseError.
"""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.parse.errors import ParseError
from kdiag.parse.kconfig import Value, parse

NAMES = st.text("ABCXYZ019_abc", min_size=1, max_size=12)
STRINGS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp", "Cs")), max_size=30)
NUMBERS = st.integers(-(10**18), 10**18)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


OPTIONS: st.SearchStrategy[tuple[str, Value]] = st.one_of(
    st.sampled_from(["y", "m"]).map(lambda state: (f"CONFIG_@={state}", state)),
    st.just(("# CONFIG_@ is not set", "n")),
    STRINGS.map(lambda text: (f"CONFIG_@={_quoted(text)}", text)),
    NUMBERS.map(lambda number: (f"CONFIG_@={number}", number)),
    st.integers(0, 2**64 - 1).map(lambda number: (f"CONFIG_@={number:#x}", number)),
)
NOISE = st.sampled_from(["", "#", "# General setup", "# end of General setup", "# CONFIG_NOISE=y"])


@settings(deadline=None, max_examples=150)
@given(
    st.dictionaries(NAMES, OPTIONS, min_size=1, max_size=30),
    st.lists(NOISE, max_size=5),
    st.sampled_from(["\n", "\r\n"]),
)
def test_what_was_written_is_read_back(
    options: dict[str, tuple[str, Value]], noise: list[str], end: str
) -> None:
    lines = noise + [line.replace("@", name, 1) for name, (line, _) in options.items()]
    config = parse(end.join([*lines, ""]).encode())
    assert {name: config.get(name) for name in config.values} == {
        name: value for name, (_, value) in options.items()
    }


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=30),
            st.sampled_from(
                [b"CONFIG_", b"CONFIG_A=", b"# ", b" is not set", b"\n", b"\r\n", b'"', b"\\", b"=0x", b"y"]
            ),
        ),
        max_size=20,
    ).map(b"".join)
)
def test_junk_gives_a_config_or_a_parse_error(data: bytes) -> None:
    with contextlib.suppress(ParseError):
        config = parse(data)
        assert config.values, "a configuration without options must be refused"
        for name in config.values:
            assert isinstance(config.get(name), (str, int))


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 400), st.integers(0, 2000))
def test_a_cut_file_is_never_called_complete_wrongly(options: int, cut: int) -> None:
    head = b"# Linux/x86 6.1.0 Kernel Configuration\n"
    whole = head + b"".join(b"CONFIG_OPTION_%d=y\n" % number for number in range(options))
    part = whole[: max(len(whole) - cut, 0)]
    with contextlib.suppress(ParseError):
        config = parse(part)
        if config.complete:
            assert part.endswith(b"\n")
            assert len(config.values) == part.count(b"CONFIG_")
