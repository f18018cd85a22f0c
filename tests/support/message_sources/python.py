"""What Python programs say when they fail: exceptions, standard error, and the last words of exit()."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator

from tests.support.message_sources.formats import braces, plain, printf
from tests.support.message_sources.template import Template, lines

_EXITS = ("exit", "sys.exit", "error", "parser.error", "warnings.warn")


def read(text: str, path: str) -> Iterator[Template]:
    """The messages in a file; in Python 2 they are read by their shape."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError):
        yield from _by_shape(text, path)
        return
    yield from _below(tree, path, "")


def _below(node: ast.AST, path: str, function: str) -> Iterator[Template]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef):
            yield from _below(child, path, child.name)
            continue
        if (said := _said(child)) is not None:
            yield from lines(said, path, function)
        yield from _below(child, path, function)


def _said(node: ast.AST) -> str | None:
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
        return _text(node.exc.args[-1])
    if isinstance(node, ast.Call) and node.args:
        called = ast.unparse(node.func)
        if called in _EXITS or called == "sys.stderr.write":
            return _text(node.args[0])
        if called == "print" and any("stderr" in ast.unparse(one.value) for one in node.keywords):
            return " ".join(_text(one) or "%s" for one in node.args)
    return None


def _text(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant):
        return plain(node.value) if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        pieces = (plain(str(one.value)) if isinstance(one, ast.Constant) else "%s" for one in node.values)
        return "".join(pieces)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        left = node.left
        return printf(left.value) if isinstance(left, ast.Constant) and isinstance(left.value, str) else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _text(node.left), _text(node.right)
        return None if left is None and right is None else f"{left or '%s'}{right or '%s'}"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        value = node.func.value
        return (
            braces(value.value) if isinstance(value, ast.Constant) and isinstance(value.value, str) else None
        )
    return None


_SHAPE = re.compile(
    r"raise \w+\(\s*\"((?:\\.|[^\"\\])*)\"|print\s*>>\s*sys\.stderr,\s*\"((?:\\.|[^\"\\])*)\""
)


def _by_shape(text: str, path: str) -> Iterator[Template]:
    for found in _SHAPE.finditer(text):
        yield from lines(printf(found[1] or found[2]).replace("\\n", "\n"), path, "")
