"""`kdiag mcp`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.cli.common import Settings, fail

if TYPE_CHECKING:
    from collections.abc import Callable


def mcp() -> None:
    """Answer a program that speaks the Model Context Protocol.

    It reads requests on standard input, answers on standard output, and changes nothing. Its tools are check, why,
    explain, btf_struct and btf_func. It ends when its input ends.
    """
    from kdiag.mcp import NotInstalled, server

    try:
        made = server()
    except NotInstalled as error:
        fail(str(error))
    made.run()


COMMANDS: tuple[tuple[str, Callable[..., None], Settings], ...] = (("mcp", mcp, {}),)
