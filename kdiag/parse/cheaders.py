"""C headers as far as one of them relies on what another defines: names that are defined, and names that must be.

Not a parser of C: comments go, the rest is looked at by patterns, as regular as the kernel's own style is
(Documentation/process/coding-style.rst). Branches that the preprocessor leaves out count as if they were there.
The patterns are compiled where they are first used: few machines have a BCC to judge.
"""

from __future__ import annotations

import re

_COMMENT = r"(?s)/\*.*?(?:\*/|\Z)|//[^\n]*"
_DIRECTIVE = r"(?ms)^[ \t]*#(?:[^\n\\]|\\.)*"
_MACRO = r"(?m)^[ \t]*#[ \t]*define[ \t]+(\w+)"
_BODY = r"\b(struct|union|enum)\s+(\w+)\s*\{"
_ENUM = r"\benum\b\s*\w*\s*\{([^}]*)\}"
_ENUMERATOR = r"(?:^|,)\s*(\w+)"
_SIZE = r"\b(?:sizeof|__alignof__|_Alignof|alignof)\s*\(\s*(struct|union|enum)\s+(\w+)\s*\)"
_LITERAL = r"\(\s*(struct|union)\s+(\w+)\s*\)\s*\{"
_VALUE = r"(?m)^[ \t]+(struct|union|enum)\s+(\w+)\s+\w+(?:\[[^\]\n]*\])?\s*;"
_CONSTANT = r"\b[A-Z_][A-Z0-9_]{3,}\b"
#: Indented: a declaration at the left edge only announces the name.
_UNNAMED = r"(?m)^[ \t]+(struct|union)\s+(\w+)\s*;"

_INCLUDE = r"(?m)^[ \t]*#[ \t]*include[ \t]+[<\"]([^>\"\n]+)[>\"]"

#: Members that are looked for by name.
MEMBERS = ("__state",)


def plain(text: str) -> str:
    """The text without comments."""
    return re.sub(_COMMENT, " ", text)


def defined(text: str) -> frozenset[str]:
    """What a header defines: macros, enumerators, and `struct NAME`, `union NAME`, `enum NAME` with a body."""
    text = plain(text)
    names = {f"{kind} {name}" for kind, name in re.findall(_BODY, text)}
    names.update(re.findall(_MACRO, text))
    for body in re.findall(_ENUM, re.sub(_DIRECTIVE, "", text)):
        names.update(re.findall(_ENUMERATOR, body))
    return frozenset(names)


def relies_on(text: str) -> tuple[str, ...]:
    """What has to be defined for a header to compile, in the order in which a compiler meets it: types whose size it
    takes, or whose values it holds or makes, and constants. A macro's own text counts only where it is used, so it does
    not count here.
    """
    text = re.sub(_DIRECTIVE, "", plain(text))
    met = [(m.start(), f"{m[1]} {m[2]}") for p in (_SIZE, _LITERAL, _VALUE) for m in re.finditer(p, text)]
    met += [(m.start(), m[0]) for m in re.finditer(_CONSTANT, text)]
    return tuple(dict.fromkeys(name for _, name in sorted(met)))


def unnamed_members(text: str) -> tuple[str, ...]:
    """Structs with a tag that are members without a name, which C has with -fms-extensions only."""
    found = re.findall(_UNNAMED, plain(text))
    return tuple(dict.fromkeys(f"{kind} {name}" for kind, name in found))


def has_member(text: str, name: str) -> bool:
    """Whether a struct of a header has a member of this name."""
    return re.search(rf"(?m)^[ \t]+[^\n;]*\b{re.escape(name)}\s*;", plain(text)) is not None


def includes(text: str) -> tuple[str, ...]:
    """The names of the headers that a header includes, whatever the preprocessor decides."""
    return tuple(dict.fromkeys(re.findall(_INCLUDE, plain(text))))


def digest(text: str) -> str:
    """A small header that answers the questions above as this one does."""
    kinds = ("struct ", "union ", "enum ")
    lines = [f"#include <{name}>" for name in includes(text)]
    for name in sorted(defined(text)):
        lines.append(f"{name} {{ }};" if name.startswith(kinds) else f"#define {name}")
    for name in relies_on(text):
        lines.append(f"sizeof({name});" if name.startswith(kinds) else f"{name};")
    lines += [f"\t{member};" for member in unnamed_members(text)]
    lines += [f"\tint {name};" for name in MEMBERS if has_member(text, name)]
    return "\n".join(lines) + "\n"
