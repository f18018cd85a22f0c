"""Only the console room writes to the standard streams: no other file can forget to make its text printable."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2]

#: Programs of their own, which speak with kdiag over their standard streams.
_OWN = ("kdiag/smoke/events.py", "kdiag/smoke/loader.py", "kdiag/smoke/bcc_loader.py")
#: Its first line may be interrupted before the console room is imported: it has a message without a value.
_FIRST = "kdiag/__main__.py"

_STREAMS = ("stdout", "stderr", "__stdout__", "__stderr__")
_PRINTERS = ("print", "input", "echo", "secho", "echo_via_pager", "print_exc", "print_exception")


def sources() -> list[Path]:
    return [
        path
        for room in ("kdiag", "checks")
        for path in sorted((HOME / room).rglob("*.py"))
        if path.relative_to(HOME).as_posix() not in (*_OWN, _FIRST)
        and path.parent != HOME / "kdiag" / "console"
    ]


def prints(source: str) -> Iterator[str]:
    """Places that write to a standard stream, or to its descriptor."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        last = called.rpartition(".")[2]
        owner = called.rpartition(".")[0]
        if last in _PRINTERS and owner in ("", "typer", "click", "sys", "traceback", "builtins"):
            yield f"{node.lineno}: {called}()"
        if last in ("write", "writelines") and any(stream in owner.split(".") for stream in _STREAMS):
            yield f"{node.lineno}: {called}()"
        if last == "write" and owner == "os" and ast.unparse(node.args[0]) in ("1", "2"):
            yield f"{node.lineno}: os.write({ast.unparse(node.args[0])})"


@pytest.mark.slow
def test_nothing_else_prints() -> None:
    found = {
        f"{path.relative_to(HOME)}:{place}"
        for path in sources()
        for place in prints(path.read_text(encoding="utf-8"))
    }
    assert len(sources()) > 150
    assert not found


@pytest.mark.parametrize(
    "source",
    [
        "print('x')",
        "import typer\ntyper.echo(name, err=True)",
        "sys.stdout.write(name)",
        "sys.stdout.buffer.write(name)",
        "sys.__stderr__.writelines([name])",
        "import os\nos.write(2, name)",
        "answer = input(name)",
        "traceback.print_exc()",
    ],
)
def test_each_way_to_print_is_seen(source: str) -> None:
    assert [*prints(source)]
