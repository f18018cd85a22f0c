"""From the text of a configuration file to a `Config`: every value is checked, every mistake names its key.

Apart from `kdiag.config.file` so that a run without such a file does not pay for it.
"""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Mapping
from datetime import date, datetime, timezone
from pathlib import Path
from typing import NamedTuple

from kdiag.config.values import LONGEST, PYPROJECT, Config, ConfigError, Named, OwnProfile, Refused, TooLong
from kdiag.config.waivers import Waiver
from kdiag.trust.owner import Untrusted
from kdiag.trust.read import own_file
from kdiag.trust.walk import descriptor
from kdiag.words import did_you_mean, found_instead

LISTS = {"require": "capability", "tool": "tool", "only": "check", "skip": "check"}
FLAGS = ("verbose", "color", "plugins")
TEXTS = ("format", "baseline")

#: The lists of a profile; each with what its names are.
PROFILE = {
    "capabilities": "capability",
    "maps": "map",
    "programs": "program",
    "helpers": "helper",
    "options": "option",
}
_PROFILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_OPTION = re.compile(r"[A-Za-z0-9_]{1,128}")
_KEYS = ("finding", "capability", "reason", "until")
#: How names are written in full, too.
_PREFIXES = {"map": "BPF_MAP_TYPE_", "program": "BPF_PROG_TYPE_", "helper": "bpf_", "option": "CONFIG_"}
_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)$")


def read(path: Path, today: date | None) -> Config:
    """The whole file; `today` is in UTC if not given. Raises ConfigError."""
    values = inner(parsed(path), path)
    if values is None:
        raise ConfigError(str(path), None, "there is no [tool.kdiag] in it")
    return _Reader(str(path)).config(values, today or datetime.now(timezone.utc).date())


def parsed(path: Path) -> dict[str, object]:
    """What TOML makes of the file."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        data = own_file(str(path), LONGEST)
    except Untrusted as why:
        raise Refused(str(path), str(why)) from None
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.EFBIG:
            raise TooLong(str(path)) from None
        why_not = (error.strerror or error) if isinstance(error, OSError) else "not a path"
        raise ConfigError(str(path), None, f"cannot be read: {why_not}") from None
    try:
        text = data.decode("utf-8")
        return dict(tomllib.loads(text))
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), 1 + data.count(b"\n", 0, error.start), "not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        match = _AT_LINE.search(message)
        line = int(match[1]) if match else text.count("\n") + 1
        raise ConfigError(str(path), line, f"not TOML: {_AT_LINE.sub('', message)}") from None
    except RecursionError:
        raise ConfigError(str(path), None, "nested too deeply") from None
    except ValueError:  # Python's limit on the conversion of digits
        raise ConfigError(str(path), None, "a number has too many digits") from None


def inner(document: dict[str, object], path: Path) -> Mapping[str, object] | None:
    """kdiag's own part: all of kdiag.toml, [tool.kdiag] of pyproject.toml (None if there is none).

    What the caller hands over as an open file may be either: in kdiag.toml `tool` is a list of names.
    """
    tool = document.get("tool")
    handed_over = descriptor(str(path)) is not None and isinstance(tool, dict)
    if path.name != PYPROJECT and not handed_over:
        return document
    inner = tool.get("kdiag") if isinstance(tool, dict) else None
    return inner if isinstance(inner, dict) else None


def _where(*place: str | int) -> str:
    """`waiver 2, until`: as people count."""
    words = (f" {part + 1}" if isinstance(part, int) else f", {part}" for part in place)
    return "".join(words).removeprefix(", ")


class _Reader(NamedTuple):
    """A file's values on their way into a Config."""

    path: str

    def config(self, values: Mapping[str, object], today: date) -> Config:
        known = (*LISTS, *FLAGS, *TEXTS, "waiver", "profile")
        self.only_known(values, known, (), "option")
        listed = {key: self.names(values.get(key, []), key) for key in LISTS}
        flags = {key: self.flag(values[key], key) for key in FLAGS if key in values}
        waivers = self.waivers(values.get("waiver", []), today)
        named = [
            Named(kind, name, _where(key, index))
            for key, kind in LISTS.items()
            for index, name in enumerate(listed[key])
        ]
        named += [n for _, n in waivers]
        profiles = self.profiles(values.get("profile", {}))
        named += [n for _, names in profiles for n in names]
        return Config(
            path=self.path,
            require=listed["require"],
            tool=listed["tool"],
            only=listed["only"],
            skip=listed["skip"],
            verbose=flags.get("verbose"),
            color=flags.get("color"),
            plugins=flags.get("plugins"),
            format=self.text(values["format"], "format") if "format" in values else None,
            baseline=self.beside(values["baseline"]) if "baseline" in values else None,
            waivers=tuple(waiver for waiver, _ in waivers),
            names=tuple(named),
            profiles=tuple(one for one, _ in profiles),
        )

    def wrong(self, message: str, *place: str | int) -> ConfigError:
        return ConfigError(self.path, None, f"{_where(*place)}: {message}" if place else message)

    def only_known(
        self, values: Mapping[str, object], known: tuple[str, ...], place: tuple[str | int, ...], what: str
    ) -> None:
        for key in values:
            if key not in known:
                hint = did_you_mean(key, known) or f" (there are {', '.join(known)})"
                raise self.wrong(f"no {what} is called {key!r}{hint}", *place)

    def names(self, value: object, key: str) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise self.wrong(f"expected a list of names, found {found_instead(value)}", key)
        for index, name in enumerate(value):
            if not isinstance(name, str) or not name.strip():
                raise self.wrong(f"expected a name, found {found_instead(name)}", key, index)
        return tuple(value)

    def flag(self, value: object, key: str) -> bool:
        if isinstance(value, bool):
            return value
        raise self.wrong(f"expected true or false, found {found_instead(value)}", key)

    def text(self, value: object, *place: str | int) -> str:
        if isinstance(value, str) and value.strip():
            return value
        raise self.wrong(f"expected a text, found {found_instead(value)}", *place)

    def beside(self, value: object) -> str:
        return str(Path(self.path).parent / self.text(value, "baseline"))

    def waivers(self, value: object, today: date) -> list[tuple[Waiver, Named]]:
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.wrong("waivers are written as [[waiver]], with finding, reason and until")
        done: list[tuple[Waiver, Named]] = []
        for index, item in enumerate(value):
            waiver, named = self.waiver(item, index, today)
            ids = [earlier.id for earlier, _ in done]
            if waiver.id in ids:
                raise self.wrong(
                    f"waiver {ids.index(waiver.id) + 1} is for {waiver.id} already", "waiver", index
                )
            done.append((waiver, named))
        return done

    def profiles(self, value: object) -> list[tuple[OwnProfile, list[Named]]]:
        if not isinstance(value, dict) or not all(isinstance(item, dict) for item in value.values()):
            raise self.wrong("profiles are written as [profile.NAME], with lists of names", "profile")
        return [self.profile(name, item) for name, item in value.items()]

    def profile(self, name: str, item: Mapping[str, object]) -> tuple[OwnProfile, list[Named]]:
        place = f"profile.{name}"
        if not _PROFILE_NAME.fullmatch(name):
            raise self.wrong(f"{name!r} is no name for a profile: letters, digits, - _ and .", "profile")
        self.only_known(item, ("title", *PROFILE), (place,), "key of a profile")
        requires: list[tuple[str, str]] = []
        named: list[Named] = []
        for key, usual in PROFILE.items():
            for index, one in enumerate(self.listed(item.get(key, []), place, key)):
                kind = "privilege" if key == "capabilities" and one.startswith("CAP_") else usual
                text = one.removeprefix(_PREFIXES.get(kind, ""))
                if kind == "option" and not _OPTION.fullmatch(text):
                    raise self.wrong(f"{one!r} is no name of a kernel option", place, key, index)
                requires.append((kind, text))
                if kind != "option":
                    named.append(Named(kind, text, _where(place, key, index)))
        if not requires:
            raise self.wrong(f"a profile requires something: {', '.join(PROFILE)}", place)
        title = self.text(item["title"], place, "title") if "title" in item else ""
        return OwnProfile(name, title, tuple(requires)), named

    def listed(self, value: object, place: str, key: str) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise self.wrong(f"expected a list of names, found {found_instead(value)}", place, key)
        for index, one in enumerate(value):
            if not isinstance(one, str) or not one.strip():
                raise self.wrong(f"expected a name, found {found_instead(one)}", place, key, index)
        return tuple(value)

    def waiver(self, item: Mapping[str, object], index: int, today: date) -> tuple[Waiver, Named]:
        place = ("waiver", index)
        self.only_known(item, _KEYS, place, "key of a waiver")
        kinds = [kind for kind in ("finding", "capability") if kind in item]
        if len(kinds) != 1:
            raise self.wrong("a waiver names either a finding or a capability", *place)
        for key in ("reason", "until"):
            if key not in item:
                raise self.wrong(f"a waiver needs {key!r}", *place)
        name = self.text(item[kinds[0]], *place, kinds[0])
        if re.search(r"[*?\[]", name):
            raise self.wrong(f"a waiver names one {kinds[0]}, not a pattern", *place, kinds[0])
        reason = self.text(item["reason"], *place, "reason")
        until = self.day(item["until"], *place, "until")
        if until < today:
            message = f"the waiver for {name} ended on {until.isoformat()}: repair it, or give it a new date"
            raise self.wrong(message, *place, "until")
        return Waiver(name, reason, until), Named(kinds[0], name, _where(*place, kinds[0]))

    def day(self, value: object, *place: str | int) -> date:
        """A date of TOML's, or a string that looks like one."""
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
            try:
                return date.fromisoformat(value)
            except ValueError:
                raise self.wrong(f"there is no day {value}", *place) from None
        raise self.wrong(f"expected a day as YYYY-MM-DD, found {found_instead(value)}", *place)
