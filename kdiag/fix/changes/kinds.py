"""Making the changes and taking them back: one module per kind of change, all of one shape."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol, TypeVar, cast

from kdiag.fix.changes import btf_file, link, module, mount, packages, tree
from kdiag.fix.context import Context
from kdiag.fix.effects import (
    UNTIL_REBOOT,
    Effect,
    Installed,
    Linked,
    Loaded,
    Mounted,
    Unpacked,
    Written,
    describe,
)
from kdiag.fix.entries import Entry
from kdiag.fix.store import made

__all__ = ["make", "prepare", "there", "unmake"]

E = TypeVar("E")


class Change(Protocol[E]):
    """What the module of a kind has. All raise FixError, and `make` OSError as well."""

    def prepare(self, effect: E, context: Context, /) -> E:
        """The effect with all that an undo will need, before the journal learns of it. Changes nothing."""

    def there(self, effect: E, context: Context, /) -> bool:
        """Whether nothing is left to do, no matter who did it."""

    def make(self, effect: E, context: Context, content: bytes | None, /) -> E:
        """Make it; the effect with what is known afterwards. content: of a file of BTF."""

    def unmake(self, effect: E, context: Context, entry: Entry, /) -> str:
        """Take back as much of it as is there and ours, also half of it after a crash; say what was done."""


_MOUNT: Change[Mounted] = mount
_MODULE: Change[Loaded] = module
_TREE: Change[Unpacked] = tree
_BTF_FILE: Change[Written] = btf_file
_LINK: Change[Linked] = link
_PACKAGES: Change[Installed] = packages

#: A new kind of change is a module and a line here.
_CHANGES: dict[str, object] = {
    Mounted.kind: _MOUNT,
    Loaded.kind: _MODULE,
    Unpacked.kind: _TREE,
    Written.kind: _BTF_FILE,
    Linked.kind: _LINK,
    Installed.kind: _PACKAGES,
}


def _of(effect: Effect) -> Change[Effect]:
    """The module for this effect: it takes its own kind only, which the table pairs with it."""
    return cast("Change[Effect]", _CHANGES[effect.kind])


def prepare(effect: Effect, context: Context) -> Effect:
    """The effect with all that an undo will need. Changes nothing. Raises FixError where it cannot be made."""
    return _of(effect).prepare(effect, context)


def there(effect: Effect, context: Context) -> bool:
    """Whether nothing is left to do, no matter who did it."""
    return _of(effect).there(effect, context)


def make(effect: Effect, context: Context, content: bytes | None = None) -> Effect:
    """Make it; returns what is known afterwards. `content`: of a file of BTF. Raises FixError or OSError."""
    return noted(_of(effect).make(effect, context, content))


def unmake(entry: Entry, context: Context) -> str:
    """Take it back; says in words what was done or found. Raises FixError where it is there and cannot be
    taken back.
    """
    effect = entry.effect
    if isinstance(effect, UNTIL_REBOOT) and entry.boot != context.boot:
        return f"{describe(effect)}: gone since the reboot"
    said = _of(effect).unmake(effect, context, entry)
    if isinstance(effect, (Unpacked, Written)):
        made.sweep(context.places)
    if isinstance(effect, (Unpacked, Written, Linked)):
        made.take_away(effect.made, since=entry.at, same_boot=entry.boot == context.boot)
    return said


def noted(effect: Effect) -> Effect:
    """The effect once it is made, with what distinguishes the directories made for it from others."""
    if isinstance(effect, (Unpacked, Written, Linked)):
        return replace(effect, made=made.identified(effect.made))
    return effect
