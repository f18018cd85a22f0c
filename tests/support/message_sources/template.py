"""A message as a source has it: its text with conversions, and where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

#: Of the text between conversions: fewer letters are no text by which a message can be told from others.
LETTERS = 8


#: What some put before the text themselves, and a printing function of others does.
_SEVERITY = re.compile(r"^(?:ERROR|WARNING|HINT|Error|Warning|warning|error): ?")


class Template(NamedTuple):
    """text: one line, `%d` for a number, `%s` for anything else, `%%` for a percent sign; place: file and function."""

    text: str
    path: str
    function: str

    @property
    def place(self) -> str:
        """Where it stands, as it is written in tables."""
        return f"{self.path} {self.function}()" if self.function else self.path


def lines(text: str, path: str, function: str) -> Iterator[Template]:
    """The lines of a message, since each is recognised alone. Those without a letter of their own are none."""
    for written in text.split("\n"):
        line = _SEVERITY.sub("", re.sub(r"\s+", " ", written).strip())
        if re.search("[A-Za-z]", line.replace("%s", "").replace("%d", "")):
            yield Template(line, path, function)
