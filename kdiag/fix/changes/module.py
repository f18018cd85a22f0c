"""Loading the kheaders module, and unloading it if we loaded it and it is not in use."""

from __future__ import annotations

from kdiag.fix.changes.command import last_line, run
from kdiag.fix.context import Context
from kdiag.fix.effects import Loaded
from kdiag.fix.entries import Entry
from kdiag.fix.errors import FixError
from kdiag.system import Unavailable


def prepare(effect: Loaded, _world: Context) -> Loaded:
    """Nothing is missing from it."""
    return effect


def there(effect: Loaded, context: Context) -> bool:
    """Whether the module is loaded."""
    return _uses(effect.module, context) is not None


def make(effect: Loaded, context: Context, _content: bytes | None = None) -> Loaded:
    """modprobe. Raises FixError."""
    status, output = run(("modprobe", effect.module), context, context.limit)
    if status != 0:
        raise FixError(
            f"modprobe {effect.module} failed: {last_line(output)}",
            "`kdiag fix` without --load needs no module",
        )
    if not there(effect, context):
        raise FixError(f"modprobe {effect.module} reports success, and the module is not loaded")
    return effect


def unmake(effect: Loaded, context: Context, _entry: Entry) -> str:
    """modprobe -r, unless it is gone. Raises FixError if it is in use."""
    uses = _uses(effect.module, context)
    if uses is None:
        return f"the module {effect.module}: not loaded any more, or never was"
    if uses:
        raise FixError(f"the module {effect.module} is in use ({uses} times): it stays loaded")
    status, output = run(("modprobe", "-r", effect.module), context, context.limit)
    if status != 0 or there(effect, context):
        raise FixError(f"the module {effect.module} cannot be unloaded: {last_line(output)}")
    return f"unloaded the module {effect.module}"


def _uses(module: str, context: Context) -> int | None:
    """How often the module is used, None if it is not loaded (man 5 proc_modules)."""
    try:
        data = context.system.read("/proc/modules", 8 * 1024 * 1024)
    except Unavailable as gap:
        raise FixError(f"which modules are loaded cannot be told: {gap.reason}") from None
    for line in (data or b"").decode("utf-8", "replace").splitlines():
        fields = line.split(" ")
        if fields[0] == module and len(fields) > 2:
            return int(fields[2]) if fields[2].isdigit() else 0
    return None
