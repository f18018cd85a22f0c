"""A system that does not answer some of the questions: as a recording that lacks a fact, or a file nobody may read."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

from kdiag.system import Unavailable
from kdiag.system.base import System

#: Questions by one thing: a path, a command, a call, a variable. What is forgotten of a path is forgotten in every way.
_QUESTIONS = frozenset(
    {"read", "head", "open", "stat", "lstat", "listdir", "filesystem", "which", "run", "probe", "env"}
)


class Everything:
    """Contains whatever it is asked for."""

    def __contains__(self, _thing: object) -> bool:
        return True


class Forgetting:
    """`system` without the answers about `forgotten`. asked: what the questions were about, in their order."""

    def __init__(self, system: System, forgotten: Container[str] = ()) -> None:
        self._system = system
        self._forgotten = forgotten
        self.asked: dict[str, None] = {}

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._system, name)
        return self._noted(real) if name in _QUESTIONS else real

    def _noted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def ask(about: str | tuple[str, ...], *rest: Any) -> Any:
            name = about if isinstance(about, str) else " ".join(about)
            self.asked[name] = None
            if name in self._forgotten:
                raise Unavailable(f"{name}: not recorded")
            return real(about, *rest)

        return ask
