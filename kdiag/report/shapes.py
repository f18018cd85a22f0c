"""What a JSON document is made of: each shape writes a value, reads it back, untrusted, and describes it (JSON Schema).

Places of what is wrong are put together only when something is wrong, so that thousands of reports load quickly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from enum import Enum
from typing import Any, NamedTuple, Protocol

from kdiag.words import found_instead

Schema = dict[str, Any]

_NEEDED: Any = object()


class BadReport(ValueError):
    """A report that cannot be read. place: where in it, such as `findings[3].status`; empty for all of it."""

    def __init__(self, message: str, place: str = "") -> None:
        super().__init__(f"{place}: {message}" if place else message)
        self.message = message
        self.place = place

    def within(self, outer: str) -> BadReport:
        """The same complaint, seen from the object around."""
        inner = f".{self.place}" if self.place and not self.place.startswith("[") else self.place
        return BadReport(self.message, outer + inner)


class Shape(Protocol):
    """A kind of value. expected: in the words of a complaint. name: the schema defines it once, under it; or empty."""

    expected: str
    name: str

    def write(self, value: Any) -> object:
        """As json.dumps takes it."""

    def read(self, value: object) -> Any:
        """What json.loads made of it. Raises BadReport."""

    def schema(self, defined: dict[str, Schema]) -> Schema:
        """What a value may be; shapes with a name go into `defined`."""


def unexpected(shape: Shape, value: object) -> BadReport:
    """That the value is of another shape."""
    return BadReport(f"expected {shape.expected}, found {found_instead(value)}")


class Text:
    """A string. least: its shortest length. more: what the schema says besides."""

    def __init__(self, expected: str = "a string", least: int = 0, name: str = "", **more: object) -> None:
        self.expected, self.name = expected, name
        self._least = least
        self._schema = {"type": "string", **({"minLength": least} if least else {}), **more}

    def write(self, value: str) -> object:
        return value

    def read(self, value: object) -> str:
        if not isinstance(value, str):
            raise BadReport(f"expected a string, found {found_instead(value)}")
        if len(value) < self._least:
            raise BadReport(f"expected {self.expected}, found an empty string")
        return value

    def schema(self, defined: dict[str, Schema]) -> Schema:
        del defined
        return dict(self._schema)


class Count:
    """A number of things."""

    expected, name = "a whole number, 0 or more", ""

    def write(self, value: int) -> object:
        return value

    def read(self, value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        raise unexpected(self, value)

    def schema(self, defined: dict[str, Schema]) -> Schema:
        del defined
        return {"type": "integer", "minimum": 0}


class YesNo:
    """true or false."""

    expected, name = "true or false", ""

    def write(self, value: bool) -> object:
        return value

    def read(self, value: object) -> bool:
        if isinstance(value, bool):
            return value
        raise unexpected(self, value)

    def schema(self, defined: dict[str, Schema]) -> Schema:
        del defined
        return {"type": "boolean"}


class Words:
    """An object of strings, whose keys are the user's own."""

    expected, name = "an object of strings", ""

    def write(self, value: Mapping[str, str]) -> object:
        return dict(value)

    def read(self, value: object) -> dict[str, str]:
        if isinstance(value, dict) and all(isinstance(one, str) for one in value.values()):
            return value
        raise unexpected(self, value)

    def schema(self, defined: dict[str, Schema]) -> Schema:
        del defined
        return {"type": "object", "additionalProperties": {"type": "string"}}


class Day:
    """A date, as 2027-01-31."""

    expected, name = "a day as 2027-01-31", ""
    _text = Text(format="date")

    def write(self, value: date) -> object:
        return value.isoformat()

    def read(self, value: object) -> date:
        text = self._text.read(value)
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise unexpected(self, text) from None

    def schema(self, defined: dict[str, Schema]) -> Schema:
        return self._text.schema(defined)


class Choice:
    """One of some words: of an Enum, or as they are. about: what they mean, for a shape with a name."""

    def __init__(self, words: Iterable[Enum] | Iterable[str], name: str = "", about: str = "") -> None:
        self._values = {word.value if isinstance(word, Enum) else word: word for word in words}
        self.expected, self.name = f"one of {'|'.join(self._values)}", name
        self._about = about

    def write(self, value: Enum | str) -> object:
        return value.value if isinstance(value, Enum) else value

    def read(self, value: object) -> Enum | str:
        if isinstance(value, str) and value in self._values:
            return self._values[value]
        raise unexpected(self, value)

    def schema(self, defined: dict[str, Schema]) -> Schema:
        del defined
        return {**({"description": self._about} if self._about else {}), "enum": list(self._values)}


class Perhaps:
    """A shape, or null for None."""

    name = ""

    def __init__(self, shape: Shape) -> None:
        self.expected, self._shape = shape.expected, shape

    def write(self, value: Any) -> object:
        return None if value is None else self._shape.write(value)

    def read(self, value: object) -> Any:
        return None if value is None else self._shape.read(value)

    def schema(self, defined: dict[str, Schema]) -> Schema:
        return {"anyOf": [described(self._shape, defined), {"type": "null"}]}


class Each:
    """A list, a tuple here. more: what the schema says besides."""

    expected = "a list"

    def __init__(self, shape: Shape, name: str = "", **more: object) -> None:
        self.name = name
        self._shape, self._more = shape, more

    def write(self, value: Iterable[Any]) -> object:
        return [self._shape.write(item) for item in value]

    def read(self, value: object) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise unexpected(self, value)
        done: list[Any] = []
        read = self._shape.read
        try:
            for item in value:
                done.append(read(item))
        except BadReport as bad:
            raise bad.within(f"[{len(done)}]") from None
        return tuple(done)

    def schema(self, defined: dict[str, Schema]) -> Schema:
        return {"type": "array", "items": described(self._shape, defined), **self._more}


class Key(NamedTuple):
    """A key of an object, always written, or (`seldom`) only where it is not its default. about: for the schema.
    default: what is read where the key is missing.
    """

    shape: Shape
    about: str = ""
    default: Any = _NEEDED
    seldom: bool = False


class Record:
    """An object. make: the value out of the keys' values. get: a key's value of one. others: the schema of further
    keys; they are not read.
    """

    expected = "an object"

    def __init__(  # noqa: PLR0913
        self,
        make: Callable[..., Any],
        keys: Mapping[str, Key],
        *,
        name: str = "",
        about: str = "",
        get: Callable[[Any, str], Any] = getattr,
        others: object = False,
    ) -> None:
        self.name = name
        self._make, self._keys, self._about, self._get, self._others = make, keys, about, get, others

    def write(self, value: Any) -> object:
        get, done = self._get, {}
        for name, key in self._keys.items():
            one = get(value, name)
            if not key.seldom or one != key.default:
                done[name] = key.shape.write(one)
        return done

    def read(self, value: object) -> Any:
        if not isinstance(value, dict):
            raise unexpected(self, value)
        done: dict[str, Any] = {}
        name = ""
        try:
            for name, (shape, _, default, _) in self._keys.items():
                if name in value:
                    done[name] = shape.read(value[name])
                elif default is _NEEDED:
                    raise BadReport(f"expected {shape.expected}, found nothing")
                else:
                    done[name] = default
        except BadReport as bad:
            raise bad.within(name) from None
        return self._make(**done)

    def schema(self, defined: dict[str, Schema]) -> Schema:
        return {
            **({"description": self._about} if self._about else {}),
            "type": "object",
            "additionalProperties": self._others,
            "required": [name for name, key in self._keys.items() if not key.seldom],
            "properties": {
                name: {**({"description": about} if about else {}), **described(shape, defined)}
                for name, (shape, about, _, _) in self._keys.items()
            },
        }


def described(shape: Shape, defined: dict[str, Schema]) -> Schema:
    """The schema of a shape where it is used: itself, or a reference to its definition."""
    if not shape.name:
        return shape.schema(defined)
    if shape.name not in defined:
        defined[shape.name] = shape.schema(defined)
    return {"$ref": f"#/$defs/{shape.name}"}
