"""Mounting tracefs and debugfs with mount(2), without an external program.

The source of such a mount is a name that the kernel does not interpret and mountinfo shows: ours is unique, so
that after a crash, too, our mount is told from all others.
"""

from __future__ import annotations

import ctypes
import errno
import os
from dataclasses import replace
from functools import cache

from kdiag.fix.context import Context
from kdiag.fix.effects import Mounted
from kdiag.fix.entries import Entry
from kdiag.fix.errors import FixError
from kdiag.fix.journal import token
from kdiag.machine.tracing import MAGIC
from kdiag.parse.errors import ParseError
from kdiag.parse.mountinfo import Mounts, parse
from kdiag.system import Unavailable

# include/uapi/linux/mount.h; systemd mounts both file systems with these three.
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 2, 4, 8
_UMOUNT_NOFOLLOW = 8

_WHY = {
    errno.EPERM: "it takes CAP_SYS_ADMIN outside of any user namespace; in a container: mount it on the host",
    errno.ENODEV: "this kernel does not have it",
    errno.ENOENT: "the mount point is not there: is /sys mounted?",
    errno.EACCES: "a security module (SELinux, AppArmor) or a read-only /sys forbids it",
    errno.EBUSY: "something is in the way there",
}


@cache
def _libc() -> ctypes.CDLL:
    library = ctypes.CDLL(None, use_errno=True)
    library.mount.argtypes = [
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.c_ulong,
        ctypes.c_char_p,
    ]
    library.umount2.argtypes = [ctypes.c_char_p, ctypes.c_int]
    return library


def prepare(effect: Mounted, context: Context) -> Mounted:
    """Give the mount its own name, and note the namespace."""
    return replace(effect, source=f"kdiag-{token()}", namespace=_namespace(context))


def there(effect: Mounted, context: Context) -> bool:
    """Whether such a file system is what one sees there."""
    try:
        return context.system.filesystem(effect.where) == MAGIC[effect.fstype]
    except Unavailable:
        return False


def ours(effect: Mounted, context: Context) -> bool:
    """Whether that very mount is there, hidden or not."""
    return any(m.source == effect.source and m.fstype == effect.fstype for m in _mounts(context))


def make(effect: Mounted, _world: Context, _content: bytes | None = None) -> Mounted:
    """mount(2). Raises FixError."""
    where = os.fsencode(effect.where)
    flags = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
    if _libc().mount(effect.source.encode(), where, effect.fstype.encode(), flags, None) != 0:
        number = ctypes.get_errno()
        raise FixError(
            f"{effect.fstype} cannot be mounted at {effect.where}: {os.strerror(number)}",
            _WHY.get(number, ""),
        )
    return effect


def unmake(effect: Mounted, context: Context, _entry: Entry) -> str:
    """Unmount it if it is there and ours. Raises FixError if it is in use, hidden, or in another mount
    namespace that still lives.
    """
    mounts = _mounts(context)
    ours = [m for m in mounts if m.source == effect.source and m.fstype == effect.fstype]
    name = f"{effect.fstype} at {effect.where}"
    if not ours:
        if effect.namespace and effect.namespace != _namespace(context):
            pid = _someone_in(effect.namespace, context)
            if pid is not None:
                raise FixError(
                    f"{name} was mounted in another mount namespace ({effect.namespace})",
                    f"undo it there: nsenter -t {pid} -m kdiag fix --undo",
                )
        return f"{name}: not mounted any more, or never was"
    top = mounts.at(effect.where)
    if top is None or top.source != effect.source:
        raise FixError(
            f"{name}: something else is mounted over it", f"unmount that first: umount {effect.where}"
        )
    if _libc().umount2(os.fsencode(effect.where), _UMOUNT_NOFOLLOW) != 0:
        number = ctypes.get_errno()
        busy = "a tracer is using it: end it, then undo again" if number == errno.EBUSY else ""
        raise FixError(f"{name} cannot be unmounted: {os.strerror(number)}", busy or _WHY.get(number, ""))
    return f"unmounted {name}"


def _mounts(context: Context) -> Mounts:
    try:
        data = context.system.read("/proc/self/mountinfo")
        if data is None:
            raise Unavailable("/proc/self/mountinfo is not there: is /proc mounted?")
        return parse(data)
    except (Unavailable, ParseError) as error:
        raise FixError(f"what is mounted cannot be told: {error}") from None


def _namespace(context: Context) -> str:
    try:
        info = context.system.lstat("/proc/self/ns/mnt")
    except Unavailable:
        return ""
    return (info.target or "") if info is not None else ""


def _someone_in(namespace: str, context: Context) -> str | None:
    """A process in that mount namespace, None if it is gone with its last one."""
    for pid in context.system.listdir("/proc") or ():
        if pid.isdigit():
            try:
                info = context.system.lstat(f"/proc/{pid}/ns/mnt")
            except Unavailable:
                continue
            if info is not None and info.target == namespace:
                return pid
    return None
