"""Making the changes and taking them back, a module per kind of change.

`prepare` completes an effect before the journal learns of it, `make` makes it, `there` tells whether it
already is so, and `unmake` takes back as much of it as is there and ours: also half of it, after a crash, and
again after it has been taken back.
"""

from __future__ import annotations

from dataclasses import replace

from kdiag.fix.changes import btf_file as bare
from kdiag.fix.changes import link, module, mount, packages, tree
from kdiag.fix.context import World
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


def prepare(effect: Effect, world: World) -> Effect:
    """The effect with all that an undo will need. Changes nothing. Raises FixError where it cannot be made."""
    if isinstance(effect, Mounted):
        return mount.prepare(effect, world)
    if isinstance(effect, Unpacked):
        return tree.prepare(effect, world)
    if isinstance(effect, Written):
        return bare.prepare(effect)
    if isinstance(effect, Linked):
        return link.prepare(effect, world)
    if isinstance(effect, Installed):
        return packages.prepare(effect, world)
    return effect


def there(effect: Effect, world: World) -> bool:
    """Whether nothing is left to do, no matter who did it."""
    if isinstance(effect, Mounted):
        return mount.there(effect, world)
    if isinstance(effect, Loaded):
        return module.there(effect, world)
    if isinstance(effect, Unpacked):
        return tree.there(effect, world)
    if isinstance(effect, Written):
        return bare.there(effect)
    if isinstance(effect, Linked):
        return link.there(effect)
    return packages.there(effect, world)


def make(effect: Effect, world: World, content: bytes | None = None) -> Effect:
    """Make it; returns what is known afterwards. `content`: of a file of BTF. Raises FixError or OSError."""
    if isinstance(effect, Mounted):
        return mount.make(effect)
    if isinstance(effect, Loaded):
        return module.make(effect, world)
    if isinstance(effect, Unpacked):
        return noted(tree.make(effect, world))
    if isinstance(effect, Written):
        return noted(bare.make(effect, content or b""))
    if isinstance(effect, Linked):
        return noted(link.make(effect))
    return packages.make(effect, world)


def unmake(entry: Entry, world: World) -> str:
    """Take it back; says in words what was done or found. Raises FixError where it is there and cannot be
    taken back.
    """
    effect = entry.effect
    if isinstance(effect, UNTIL_REBOOT) and entry.boot != world.boot:
        return f"{describe(effect)}: gone since the reboot"
    if isinstance(effect, Mounted):
        return mount.unmake(effect, world)
    if isinstance(effect, Loaded):
        return module.unmake(effect, world)
    if isinstance(effect, Unpacked):
        said = tree.unmake(effect, finished=entry.finished)
    elif isinstance(effect, Written):
        said = bare.unmake(effect, finished=entry.finished)
    elif isinstance(effect, Linked):
        said = link.unmake(effect)
    else:
        return packages.unmake(effect, world, entry.at, finished=entry.finished)
    if not isinstance(effect, Linked):
        made.sweep(world.places)
    made.take_away(effect.made, since=entry.at, same_boot=entry.boot == world.boot)
    return said


def noted(effect: Effect) -> Effect:
    """The effect once it is made, with what tells the directories made for it from others."""
    if isinstance(effect, (Unpacked, Written, Linked)):
        return replace(effect, made=made.identified(effect.made))
    return effect
