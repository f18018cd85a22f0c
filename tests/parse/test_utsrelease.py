"""utsrelease.h, as every reader of a header tree takes it."""

from __future__ import annotations

import pytest

from kdiag.parse.utsrelease import release


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'#define UTS_RELEASE "6.12.107-lab"\n', "6.12.107-lab"),
        (b'/* made by make */\n# define\tUTS_RELEASE "6.1"\n', "6.1"),
        (b'// #define UTS_RELEASE "6.1"\n', None),
        (b'#define UTS_RELEASE "6.1\n"', None),
        (b'#define UTS_RELEASE ""\n', None),
        (b"", None),
        (b'#define UTS_RELEASE "' + b"x" * 201 + b'"', None),
    ],
)
def test_the_release_of_a_tree(text: bytes, expected: str | None) -> None:
    assert release(text) == expected
