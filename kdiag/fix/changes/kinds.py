"""Making the changes and taking them back, a module per kind of change.

`prepare` completes an effect before the journal learns of it, `make` makes it, `there` tells whether it
already is so, and `unmake` takes back as much of it as is there and ours: also half of it, after a crash, and
again after it has been taken back.
"""

from __future__ import annotations

from kdiag.fix.changes import btf_file as bare
from kdiag.fix.changes import link, module, mount, packages, tree
from kdiag.fix.context import World
from kdiag.fix.effects import UNTIL_REBOOT, Effect, Linked, Loaded, Mounted, Unpacked, Written
from kdiag.fix.journal import Entry

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
        return tree.make(effect, world)
    if isinstance(effect, Written):
        return bare.make(effect, content or b"")
    if isinstance(effect, Linked):
        return link.make(effect)
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
        return tree.unmake(effect, finished=entry.finished)
    if isinstance(effect, Written):
        return bare.unmake(effect, finished=entry.finished)
    if isinstance(effect, Linked):
        return link.unmake(effect)
    return packages.unmake(effect, world)


def describe(effect: Effect) -> str:
    """The thing in a few words."""
    if isinstance(effect, Mounted):
        return f"{effect.fstype} at {effect.where}"
    if isinstance(effect, Loaded):
        return f"the module {effect.module}"
    if isinstance(effect, (Unpacked, Written)):
        return effect.target
    if isinstance(effect, Linked):
        return f"the link {effect.path}"
    return f"the packages {', '.join(effect.added or effect.wanted)}"
