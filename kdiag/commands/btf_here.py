"""`kdiag btf struct` and `func` of the running kernel as text: what is asked most, with few imports."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from kdiag.btf import finding, sources, text
from kdiag.console import exits
from kdiag.system.live import Live

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kdiag.btf.finding import Found, Step
    from kdiag.btf.sources import Source, Types

T = TypeVar("T")


class Answer(NamedTuple):
    """What is printed, as it is if `exact`; and the exit status."""

    words: str
    status: int = exits.READY
    exact: bool = False


class CannotAnswer(Exception):
    """Why there is no answer, in a line, and the exit status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def here() -> Source:
    """The running kernel. Raises CannotAnswer."""
    return told("", lambda: sources.of_kernel(Live(), "this kernel"))


def told(where: str, ask: Callable[[], T]) -> T:
    """What is asked for, or CannotAnswer for why there is none. where: what is damaged, if something is."""
    try:
        return ask()
    except sources.NoModule as none:
        raise CannotAnswer(str(none), exits.USAGE) from None
    except sources.NoTypes as none:
        at = f"{where}: " if where else ""
        raise CannotAnswer(f"{at}{none}", exits.NOT_READY if none.known else exits.CANNOT_TELL) from None
    except sources.Damaged as error:
        raise CannotAnswer(f"{where}: {error}", exits.CANNOT_TELL) from None
    except finding.NoMember as none:
        raise CannotAnswer(str(none), exits.NOT_READY) from None


def type_text(source: Source, module: str, name: str, members: Sequence[str]) -> Answer:
    """A type's definition, or where members of it lie. Raises CannotAnswer."""
    found = find_type(source, module, name)
    if members:
        paths = find_members(found, members)
        return told(found.types.place, lambda: Answer(text.places(found.types.graph, paths)))
    return told(found.types.place, lambda: Answer(text.definition(found)))


def find_type(source: Source, module: str, name: str) -> Found:
    """The type of this name. Raises CannotAnswer."""
    found = told(source.main.place, lambda: finding.find_type(source, name, module))
    if found is None:
        hint = told(source.main.place, lambda: _near_type(source, module, name))
        raise CannotAnswer(f"{described(source, module)} has no type {name!r}{hint}", exits.NOT_READY)
    return found


def _near_type(source: Source, module: str, name: str) -> str:
    types = source.module(module) if module else source.main
    if finding.is_function(types, name):
        return f"; it is a function: kdiag btf func {name}"
    return finding.near(types, name, finding.NAMED)


def find_members(found: Found, members: Sequence[str]) -> list[list[Step]]:
    """The ways to members of a type. Raises CannotAnswer."""
    graph = found.types.graph
    return told(found.types.place, lambda: [finding.follow(graph, found.type_id, path) for path in members])


def function_text(source: Source, module: str, name: str) -> Answer:
    """The prototypes of the functions of a name. Raises CannotAnswer."""
    found = find_functions(source, module, name)
    return told(
        source.main.place,
        lambda: Answer("".join(text.function(*one, finding.tags(*one)) for one in found)),
    )


def find_functions(source: Source, module: str, name: str) -> list[tuple[Types, int]]:
    """The functions of this name: in the kernel and in its modules, or in one module. Raises CannotAnswer."""
    found = told(source.main.place, lambda: finding.functions(source, name, module))
    if not found:
        types = source.module(module) if module else source.main
        hint = told(types.place, lambda: finding.near(types, name, finding.FUNCTIONS))
        raise CannotAnswer(
            f"{described(source, module)} has no function {name!r} in its BTF{hint}", exits.NOT_READY
        )
    return found


def described(source: Source, module: str = "") -> str:
    """What was looked at, for a sentence."""
    if module:
        return f"the module {module}"
    return f"{source.name} ({source.release})" if source.release else source.name
