"""Answers that are asked for once, with those that could not be had."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from kdiag.system import Unavailable

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Once(Generic[K, V]):
    """Asks once for each key, however many want to know. Raises the Unavailable that the first of them met."""

    def __init__(self, ask: Callable[[K], V]) -> None:
        self._ask = ask
        self._answers: dict[K, V | Unavailable] = {}

    def __call__(self, key: K) -> V:
        """The answer for a key."""
        if key not in self._answers:
            try:
                self._answers[key] = self._ask(key)
            except Unavailable as gap:
                self._answers[key] = gap
        answer = self._answers[key]
        if isinstance(answer, Unavailable):
            raise answer
        return answer
