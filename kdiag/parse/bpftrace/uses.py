"""What the body of a probe uses: names, functions, types, and fields by the chain that leads to them.

No grammar of all releases is kept here: words are followed from left to right, what begins a value is followed to its
end (`((struct sock *)arg0)->__sk_common.skc_family`), and the rest is passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from kdiag.parse.bpftrace.c_types import KINDS, NUMBERS, OF_C, OWN, is_type
from kdiag.parse.bpftrace.lexer import Word

Root = Literal["cast", "variable", "map", "name", "call", "value"]

_ARITHMETIC = ("+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>")
_COMPARED = ("<", ">", "<=", ">=", "==", "!=", "&&", "||", "=", "..")
_BINARY = frozenset((*_ARITHMETIC, *_COMPARED, *(f"{sign}=" for sign in _ARITHMETIC)))
_PREFIX = frozenset(("!", "~", "-", "+", "++", "--"))
KEYWORDS = frozenset(
    (
        *("if", "else", "while", "for", "unroll", "return", "let", "continue", "break"),
        *("true", "false", "jump", "in", "comptime"),
    )
)
#: Values inside of values; stock scripts have eight.
_DEEPEST = 60


class Step(NamedTuple):
    """One step on the way: `.` or `->` to a member, `[]` to an element, `*` to what a pointer points to, `&` back."""

    sign: str
    name: str
    word: Word


class Chain(NamedTuple):
    """A value: where it begins, and the steps from there. text: the type of a cast, or a name."""

    root: Root
    text: str
    steps: tuple[Step, ...]
    word: Word


class Assign(NamedTuple):
    """A variable or a map that gets a value; chain: None where its type follows from none."""

    target: str
    chain: Chain | None
    word: Word


class Call(NamedTuple):
    """A function that is called, with the number of its arguments; text: the first one, if it is a text."""

    name: str
    arguments: int
    word: Word
    text: str = ""


class TypeUse(NamedTuple):
    """A type that is named and not used for a member: in a cast or in sizeof()."""

    text: str
    word: Word


Use = Chain | Assign | Call | TypeUse


def uses(words: Sequence[Word]) -> list[Use]:
    """All uses in the words of a body or a predicate, in their order."""
    walker = _Walker(words)
    walker.all()
    return walker.found


class _Walker:
    def __init__(self, words: Sequence[Word]) -> None:
        self.words = [word for word in words if word.kind != "hash"]
        self.at = 0
        self.found: list[Use] = []
        self._depth = 0

    def all(self, closing: str = "") -> int:
        """Follow values up to a closing bracket, which is passed; how many commas were between them."""
        commas = 0
        while self.at < len(self.words):
            text = self.words[self.at].text
            if closing and text == closing and self.words[self.at].kind == "sign":
                self.at += 1
                return commas
            commas += text == ","
            before = self.at
            self._statement()
            if self.at == before:
                self.at += 1
        return commas

    def _peek(self, ahead: int = 0) -> Word | None:
        return self.words[self.at + ahead] if self.at + ahead < len(self.words) else None

    def _is(self, text: str, ahead: int = 0) -> bool:
        word = self._peek(ahead)
        return word is not None and word.kind == "sign" and word.text == text

    def _statement(self) -> None:
        word = self._peek()
        if word is None:
            return
        if word.kind in ("variable", "map"):
            after = self._past_index(self.at + 1)
            if after < len(self.words) and self.words[after].text == "=":
                self.at += 1
                if self._is("["):
                    self.at += 1
                    self.all("]")
                self.at = after + 1
                self.found.append(Assign(word.text, self.value(), word))
                return
        self.value()

    def _past_index(self, at: int) -> int:
        """Behind the `[...]` that begins here, if one does."""
        if at >= len(self.words) or self.words[at].text != "[":
            return at
        depth = 0
        while at < len(self.words):
            depth += {"[": 1, "]": -1}.get(self.words[at].text, 0)
            at += 1
            if not depth:
                return at
        return at

    def value(self) -> Chain | None:
        """A value with what is computed with it; None where its type does not follow from one chain."""
        first, choices = self._unary(), 0
        while (word := self._peek()) is not None and word.kind == "sign":
            if word.text in _BINARY:
                self.at += 1
                self._unary()
                first = None
            elif word.text == "?":
                self.at += 1
                choices += 1
                first = self._unary()
            elif word.text == ":" and choices:
                self.at += 1
                choices -= 1
                first = self._unary() or first
            else:
                break
        return first

    def _unary(self) -> Chain | None:
        if self._depth >= _DEEPEST:
            return None  # what is inside of so much is passed over word by word
        self._depth += 1
        try:
            return self._operand()
        finally:
            self._depth -= 1

    def _operand(self) -> Chain | None:
        word = self._peek()
        if word is None:
            return None
        if word.kind == "sign":
            return self._signed(word)
        if word.kind in ("variable", "map"):
            self.at += 1
            if word.kind == "map" and self._is("["):
                self.at += 1
                self.all("]")
            return self._postfix(Chain("variable" if word.kind == "variable" else "map", word.text, (), word))
        if word.kind == "name":
            return self._named(word)
        if word.kind in ("number", "text", "char"):
            self.at += 1
            return self._postfix(Chain("value", "", (), word))
        return None

    def _signed(self, word: Word) -> Chain | None:
        if word.text in _PREFIX:
            self.at += 1
            self._unary()
            return None
        if word.text in ("*", "&"):
            self.at += 1
            inner = self._unary()
            return self._stepped(inner, Step(word.text, "", word)) if inner is not None else None
        if word.text == "(":
            cast = self._cast()
            if cast is not None:
                self.found.append(TypeUse(cast, word))
                self._unary()
                return Chain("cast", cast, (), word)
            self.at += 1
            inner = self.value()
            if self._is(")"):
                self.at += 1
                return self._postfix(inner)
            self.all(")")
            return self._postfix(None)
        return None

    def _cast(self) -> str | None:
        """The type between brackets that begin here, which are passed; None where they hold no type."""
        end, depth = self.at, 0
        while end < min(len(self.words), self.at + 14):
            depth += {"(": 1, ")": -1}.get(self.words[end].text, 0)
            if not depth:
                break
            end += 1
        inside = self.words[self.at + 1 : end]
        following = self.words[end + 1] if end + 1 < len(self.words) else None
        if not inside or depth or following is None or not is_type(inside):
            return None
        begins = following.kind != "sign" or following.text in ("(", "*", "&", "-", "!", "~")
        # `(size_t)-1` is a cast, `(pid_t_of_mine) - 1` is not
        plain = len(inside) == 1 and inside[0].text not in (*OF_C, *NUMBERS, *OWN)
        if not begins or (plain and following.kind == "sign" and following.text != "("):
            return None
        self.at = end + 1
        return " ".join(word.text for word in inside)

    def _named(self, word: Word) -> Chain | None:
        self.at += 1
        if word.text in KEYWORDS:
            return None
        if word.text in KINDS:
            name = self._peek()
            if name is not None and name.kind == "name":
                self.at += 1
                self.found.append(TypeUse(f"{word.text} {name.text}", word))
            return None
        if self._is("="):
            return None  # a field of a record, `(start=nsecs, name=str(arg0))`
        if not self._is("("):
            return self._postfix(Chain("name", word.text, (), word))
        self.at += 1
        if word.text in ("sizeof", "offsetof"):
            return self._of_type(word)
        return self._called(word)

    def _called(self, word: Word) -> Chain | None:
        empty = self._is(")")
        before = self.at
        written = self._peek()
        text = written.text.strip('"') if written is not None and written.kind == "text" else ""
        first = self.value()
        commas = 0
        if not self._is(")") or self.at == before:
            commas = self.all(")")
        else:
            self.at += 1
        self.found.append(Call(word.text, 0 if empty else commas + 1, word, text))
        if word.text in ("kptr", "uptr") and first is not None:
            return self._postfix(first)
        return self._postfix(Chain("call", word.text, (), word))

    def _of_type(self, word: Word) -> Chain | None:
        """`sizeof(TYPE)`, `offsetof(TYPE, member.member)`."""
        kind = self._peek()
        if kind is not None and kind.text in KINDS and self._is(",", 2):
            name = self._peek(1)
            text = f"{kind.text} {name.text if name is not None else ''}"
            self.at += 3
            steps: list[Step] = []
            while (member := self._peek()) is not None and member.text != ")":
                if member.kind == "name":
                    steps.append(Step(".", member.text, member))
                self.at += 1
            self.at += 1
            self.found.append(Chain("cast", text, tuple(steps), kind))
        else:
            self.all(")")
        self.found.append(Call(word.text, 1, word))
        return None

    def _postfix(self, chain: Chain | None) -> Chain | None:
        """The chain with the members and elements behind it; noted once it ends."""
        while (word := self._peek()) is not None and word.kind == "sign":
            following = self._peek(1)
            if word.text in (".", "->") and following is not None and following.kind in ("name", "number"):
                self.at += 2
                step = Step(word.text, following.text, following)
            elif word.text == "[":
                self.at += 1
                self.all("]")
                step = Step("[]", "", word)
            elif word.text in ("++", "--"):
                self.at += 1
                continue
            else:
                break
            chain = chain._replace(steps=(*chain.steps, step)) if chain is not None else None
        if chain is not None and chain.root != "value":
            self.found.append(chain)
        return chain

    def _stepped(self, chain: Chain, step: Step) -> Chain:
        longer = chain._replace(steps=(*chain.steps, step))
        self.found.append(longer)
        return longer
