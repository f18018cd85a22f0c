"""A known message as a value."""

from __future__ import annotations

from typing import Literal, NamedTuple

from kdiag.knowledge.tools.behaviour import Version

Weight = Literal["stop", "cause", "consequence", "harmless"]
"""stop: the tool refused to go on and says why; cause: names what is missing; consequence: follows from
something else, often printed above it; harmless: printed by runs that work."""


class Message(NamedTuple):
    """A known message. `pattern` is searched in one line; its named groups become the details of a match. It is empty
    for a class of messages, which are known by their texts (`kdiag.knowledge.texts`).

    `findings` are ids of findings that can explain it, likeliest first (empty: it lies in the script or the tool).
    `tool` prints it, in its releases from `since` to `until` (inclusive; None is unbounded); of the kernel they are the
    kernel's releases. `source` is where in the tool's repository, and on which condition. `example` is a line as it was
    printed, or as the source words it. `misleads` is what readers conclude from it wrongly, with the reason. Where all
    of `harmless_if` are ok, it says nothing about failure. `call` is the system call whose failure it tells: an error
    number in the line then decides among causes (`errnos`). else_program: where the machine has none of the causes, it
    lies in the program. misfit: the machine and the program do not fit, and neither is wrong: this kernel does not have
    what the program asks for.
    """

    id: str
    pattern: str
    weight: Weight
    findings: tuple[str, ...]
    meaning: str
    since: Version | None = None
    until: Version | None = None
    example: str = ""
    misleads: str = ""
    harmless_if: tuple[str, ...] = ()
    tool: str = ""
    source: str = ""
    call: str = ""
    else_program: bool = False
    misfit: bool = False
