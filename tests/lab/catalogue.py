"""What the lab is made of, read from ``lab.toml``: kernels, roots, states of the headers, who asks and in what.

Everything is checked when it is read: an unknown key, a key of another kind and a name that nothing has are a LabError
that says where.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TypeVar, cast

from . import tools
from .errors import LabError

FILE = Path(__file__).with_name("lab.toml")
FRAGMENTS = Path(__file__).with_name("fragments")
#: which kernels can be in a state of the headers
CONDITIONS = ("", "debian", "kheaders", "kheaders-module")
_SECTIONS = ("kernels", "roots", "extras", "headers", "who")


@dataclass(frozen=True, slots=True)
class Source:
    """A kernel of Debian's archive. ``version``: how its release begins; ``flavour``: how it ends."""

    name: str
    suite: str
    version: str
    flavour: str
    arch: str = "amd64"
    matrix: bool = False


@dataclass(frozen=True, slots=True)
class Variant:
    """A kernel to build. ``family``: those that share a build tree; ``kheaders``: "module", "built-in" or ""."""

    name: str
    fragments: tuple[str, ...]
    family: str
    kheaders: str = ""
    matrix: bool = False


@dataclass(frozen=True, slots=True)
class Suite:
    """A root: whose user space it is, and packages beside those that every root has."""

    name: str
    suite: str
    means: str = ""
    packages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Extra:
    """What a root may have more: ``ROOT+NAME``. ``packages``: by root; ``smoke``: the tools that are tried there.

    ``seconds``: what they may take together, 0 for the usual.
    """

    name: str
    means: str
    packages: Mapping[str, tuple[str, ...]]
    smoke: tuple[str, ...] = ()
    seconds: int = 0


@dataclass(frozen=True, slots=True)
class Headers:
    """A state of the headers. ``of``: architecture -> kernels; the first but the cell's own gives the layers."""

    name: str
    means: str
    kernels: str = ""
    layers: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    matrix: bool = True


@dataclass(frozen=True, slots=True)
class Who:
    """Who asks, and in what. ``enter``: a shell line that ends in ``"$@"``; ``memory``: MiB, 0 for the usual.

    ``layers``: over the root; ``kernels``: "debian" for Debian's alone; ``roots``: the only ones, all without it.
    """

    name: str
    means: str
    enter: str
    before: str = ""
    after: str = ""
    append: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    kernels: str = ""
    roots: tuple[str, ...] = ()
    memory: int = 0
    alone: bool = False
    power: int = 0
    conditions: bool = False


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All of ``lab.toml``, each in the order of the file."""

    sources: Mapping[str, Source]
    variants: Mapping[str, Variant]
    roots: Mapping[str, Suite]
    extras: Mapping[str, Extra]
    headers: Mapping[str, Headers]
    who: Mapping[str, Who]


@lru_cache(maxsize=1)
def catalogue() -> Catalogue:
    """That of the repository."""
    return read(FILE.read_text(encoding="utf-8"))


def read(text: str) -> Catalogue:
    """A catalogue from TOML. Raises LabError with the section and the key of what is wrong."""
    try:
        whole = tools.toml(text)
    except ValueError as error:
        raise LabError(f"{FILE.name}: {error}") from None
    for name in whole:
        if name not in _SECTIONS:
            raise LabError(f"{FILE.name}: no section is called [{name}]", ", ".join(_SECTIONS))
    kernels = cast("Mapping[str, Mapping[str, object]]", whole.get("kernels", {}))
    built = {name for name, values in kernels.items() if isinstance(values, dict) and "fragments" in values}
    found = Catalogue(
        {name: _one(Source, "kernels", name, kernels[name]) for name in kernels if name not in built},
        {name: _one(Variant, "kernels", name, kernels[name]) for name in kernels if name in built},
        {name: _one(Suite, "roots", name, values) for name, values in whole.get("roots", {}).items()},
        {name: _one(Extra, "extras", name, values) for name, values in whole.get("extras", {}).items()},
        {name: _one(Headers, "headers", name, values) for name, values in whole.get("headers", {}).items()},
        {name: _one(Who, "who", name, values) for name, values in whole.get("who", {}).items()},
    )
    _check(found)
    return found


_T = TypeVar("_T")


def _one(kind: type[_T], section: str, name: str, values: object) -> _T:
    """A section as a value: keys are the fields, their kinds those of the annotations."""
    where = f'{FILE.name}: [{section}."{name}"]'
    if not isinstance(values, dict):
        raise LabError(f"{where}: expected keys below it, not {values!r}")
    if set(name) & set("/ +"):
        raise LabError(f"{where}: a name has no slash, blank or plus: cells and files are called by it")
    kinds = {key: str(text) for key, text in kind.__annotations__.items() if key != "name"}
    for key, value in values.items():
        if key not in kinds:
            raise LabError(f"{where}: no key is called {key}", f"keys: {', '.join(kinds)}")
        if not _KINDS[kinds[key]](value):
            raise LabError(f"{where}: {key} = {value!r}: expected {_WORDS[kinds[key]]}")
    make = cast("Callable[..., _T]", kind)
    try:
        return make(name=name, **{key: _frozen(value) for key, value in values.items()})
    except TypeError:
        missing = [key for key in kinds if key not in values and not hasattr(kind, key)]
        raise LabError(f"{where}: a key is missing", f"keys: {', '.join(missing or kinds)}") from None


def _frozen(value: object) -> object:
    if isinstance(value, list):
        return tuple(value)
    return {key: _frozen(one) for key, one in value.items()} if isinstance(value, dict) else value


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


_KINDS: Mapping[str, Callable[[object], bool]] = {
    "str": lambda value: isinstance(value, str),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "bool": lambda value: isinstance(value, bool),
    "tuple[str, ...]": _texts,
    "Mapping[str, str]": lambda value: (
        isinstance(value, dict) and all(isinstance(one, str) for one in value.values())
    ),
    "Mapping[str, tuple[str, ...]]": lambda value: (
        isinstance(value, dict) and all(_texts(one) for one in value.values())
    ),
}
_WORDS: Mapping[str, str] = {
    "str": "a text",
    "int": "a number",
    "bool": "true or false",
    "tuple[str, ...]": "a list of texts",
    "Mapping[str, str]": "a table of texts",
    "Mapping[str, tuple[str, ...]]": "a table of lists of texts",
}


def _check(found: Catalogue) -> None:
    """Names that sections give each other are there."""
    kernels = {*found.sources, *found.variants}
    for headers in found.headers.values():
        where = f'{FILE.name}: [headers."{headers.name}"]'
        if headers.kernels not in CONDITIONS:
            raise LabError(f"{where}: kernels = {headers.kernels!r}", f"{', '.join(CONDITIONS[1:])}")
        for name in (one for names in headers.of.values() for one in names):
            if name not in kernels:
                raise LabError(f"{where}: no kernel is called {name}")
    for variant in found.variants.values():
        for name in variant.fragments:
            if not (FRAGMENTS / f"{name}.config").is_file():
                raise LabError(f'{FILE.name}: [kernels."{variant.name}"]: no fragments/{name}.config')
        if variant.kheaders not in ("", "module", "built-in"):
            raise LabError(
                f'{FILE.name}: [kernels."{variant.name}"]: kheaders = {variant.kheaders!r}',
                "module, built-in",
            )
    for extra in found.extras.values():
        _roots_are_there(found, f'{FILE.name}: [extras."{extra.name}"]', extra.packages)
    for who in found.who.values():
        _roots_are_there(found, f'{FILE.name}: [who."{who.name}"]', who.roots)
        if who.kernels not in ("", "debian"):
            raise LabError(f'{FILE.name}: [who."{who.name}"]: kernels = {who.kernels!r}', "debian")
        if not who.enter.rstrip().endswith('"$@"'):
            raise LabError(f'{FILE.name}: [who."{who.name}"]: enter has to end in the command, "$@"')


def _roots_are_there(found: Catalogue, where: str, names: Iterable[str]) -> None:
    for name in names:
        if name not in found.roots:
            raise LabError(f"{where}: no root is called {name}")
