"""typer before 0.9, which Debian 12 has: it looks for options in defaults, not in annotations.

The command line is written for today's typer; here one function is made to fit an older one (its documentation, "CLI
Parameters with Annotated": new in 0.9).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from copy import copy
from functools import partial, wraps
from types import UnionType
from typing import Any, Union

import typer
from typer.models import ParameterInfo

#: Whether typer is such a one.
OLD = tuple(map(int, typer.__version__.split(".")[:2])) < (0, 9)


def prepare() -> None:
    """Let arguments be described without a default, before the modules that describe them are imported."""
    if OLD and not isinstance(typer.Argument, partial):
        typer.Argument = partial(typer.Argument, ...)


def fitted(function: Callable[..., None]) -> Callable[..., None]:
    """A function as this typer reads it."""
    if not OLD:
        return function
    parameters, annotations = [], dict[str, Any]()

    @wraps(function)
    def called(**values: object) -> None:
        function(**{name: value for name, value in values.items() if value is not None})

    # Not typing.get_type_hints: that of Python 3.10 puts an Optional around what has None as its default.
    for one in inspect.signature(function, eval_str=True).parameters.values():
        hint = one.annotation
        plain = getattr(hint, "__origin__", hint) if hasattr(hint, "__metadata__") else hint
        if isinstance(plain, UnionType):
            plain = Union[plain.__args__]  # noqa: UP007  what it asks for
        annotations[one.name] = plain
        info = next((m for m in getattr(hint, "__metadata__", ()) if isinstance(m, ParameterInfo)), None)
        parameters.append(one.replace(annotation=plain, default=_default(info, one) if info else one.default))
    called.__annotations__ = annotations  # that of the function was the same dictionary
    del called.__wrapped__
    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return called


def _default(info: ParameterInfo, parameter: inspect.Parameter) -> Any:
    """The description with the default in it; what stood in its place is the first name of an option."""
    made = copy(info)
    if isinstance(made.default, str):
        made.param_decls = (made.default, *(made.param_decls or ()))
    made.default = ... if parameter.default is inspect.Parameter.empty else parameter.default or None
    made.show_default = bool(made.default) and made.default is not ... and made.show_default
    return made
