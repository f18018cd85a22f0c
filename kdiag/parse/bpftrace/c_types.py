"""The names of types that are one word, C's and bpftrace's own, and what a cast may name."""

from __future__ import annotations

from collections.abc import Sequence

from kdiag.parse.bpftrace.lexer import Word

KINDS = ("struct", "union", "enum")
OF_C = frozenset(
    (
        *("void", "char", "short", "int", "long", "unsigned", "signed", "bool", "size_t"),
        *("const", "volatile", "float", "double"),
    )
)
#: As C's, and bpftrace's own.
NUMBERS = frozenset(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)) | frozenset(
    f"{letter}{bits}" for letter in ("u", "s", "__u", "__s", "__be", "__le") for bits in (8, 16, 32, 64)
)
OWN = frozenset(
    ("string", "inet", "buffer", "usym_t", "ksym_t", "timestamp", "macaddr_t", "kstack_t", "ustack_t")
)

#: Types that are one word, in casts and in sizeof().
TYPE_NAMES = OF_C | NUMBERS | OWN


def is_type(words: Sequence[Word]) -> bool:
    """Whether words between brackets name a type: `struct sock *`, `uint64`, `u8[4]`."""
    texts = [word.text for word in words]
    stars = len(texts)
    while (stars and texts[stars - 1] in ("*", "]", "[")) or (stars and words[stars - 1].kind == "number"):
        stars -= 1
    names, after = texts[:stars], texts[stars:]
    if not names or any(words[at].kind != "name" for at in range(stars)):
        return False
    if names[0] in KINDS:
        return len(names) == 2
    if all(name in OF_C for name in names):
        return True
    if len(names) != 1:
        return all(name in OF_C for name in names[:-1])
    name = names[0]
    return name in NUMBERS or name in OWN or name.endswith("_t") or "*" in after
