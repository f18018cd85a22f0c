"""Described machines from data: a machine to begin with, and changes in the order in which they are made.

[machine]
base = "linux"                      # or a machine of known_machines or lab_machines: "docker-desktop"
release = "5.3.18"                  # this and other words go to the function that makes it
options = { IKHEADERS = "m", FPROBE = false }   # false: no line in the configuration
changes = [
    { bpftrace = "0.17.0" },        # a function of tests/support/machines.py, with what it is given
    { container = { effective = "all", kind = "kubernetes" } },
    { link = { "/lib/modules/5.3.18/build" = "/usr/src/gone" } },   # a method of Description, for each path
    { remove = ["/sys/kernel/btf"] },
]
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from typing import Any

from tests.support import kernel_parts as parts
from tests.support import known_machines as known
from tests.support import lab_machines, machines
from tests.support.description import Description

Table = Mapping[str, Any]

#: What a machine can begin with.
_BASES: dict[str, Callable[..., Description]] = {
    "linux": machines.linux,
    **known.BY_NAME,
    **lab_machines.BY_NAME,
}

#: Methods of Description that take a path or a name, and what is there.
_EACH = ("file", "link", "env", "program", "command", "probe", "refuse")
#: Words that stand for capabilities.
_CAPABILITIES = {"all": machines.ALL_CAPABILITIES, "container": machines.CONTAINER_CAPABILITIES, "none": 0}


def machine(table: Table) -> Description:
    """The machine that a table describes."""
    words = {key: _word(key, value) for key, value in table.items() if key not in ("base", "changes")}
    base = table["base"]
    make: Callable[..., Description] = _BASES[base]
    described = make(**words)
    for change in table.get("changes", ()):
        for name, value in change.items():
            _change(described, name, value)
    return described


def _word(key: str, value: Any) -> Any:
    if key == "system" and isinstance(value, dict):
        more = {name: one for name, one in value.items() if name not in ("id", "version", "name")}
        return machines.os_release(value["id"], value["version"], value["name"], **more)
    if key == "options":
        return {name: None if one is False else one for name, one in value.items()}
    if key == "effective":
        return capabilities(value)
    return None if value is False and key == "config_at" else value


def capabilities(value: str | int | list[str]) -> int:
    """Those of a word, those of a list, all but those of a list that begins with "not", or a mask."""
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        return _CAPABILITIES[value]
    return machines.without(*value[1:]) if value[0] == "not" else _with(value)


def _with(names: list[str]) -> int:
    """Capabilities by their names; a word among them stands for several."""
    held = machines.mask(*(name for name in names if name not in _CAPABILITIES))
    for name in names:
        held |= _CAPABILITIES.get(name, 0)
    return held


def _change(described: Description, name: str, value: Any) -> None:
    if name in _OWN:
        _OWN[name](described, value)
    elif name in _EACH:
        for key, one in value.items():
            getattr(described, name)(key, *map(_errno, one if isinstance(one, list) else [one]))
    elif hasattr(machines, name):
        _call(getattr(machines, name), described, value)
    else:
        for one in value if isinstance(value, list) else [value]:
            getattr(described, name)(one)


def _call(function: Callable[..., Description], described: Description, value: Any) -> None:
    if isinstance(value, dict):
        function(described, **{key: _word(key, one) for key, one in value.items()})
    elif isinstance(value, list):
        function(described, *(tuple(one) if isinstance(one, list) else one for one in value))
    else:
        function(described, *(() if value is True else (value,)))


def _errno(value: Any) -> Any:
    """A number, where an errno's name is given."""
    return getattr(errno, value) if isinstance(value, str) and value in errno.errorcode.values() else value


# -- what is neither a function nor a method -------------------------------------------------------------------------


def _rpm(described: Description, packages: list[list[str]]) -> None:
    """The packages of an rpm distribution, instead of dpkg's: (name, version, release)."""
    described.remove("/var/lib/dpkg/status")
    described.file("/var/lib/rpm/rpmdb.sqlite", parts.rpm_database(*(tuple(one) for one in packages)))


def _vmlinux(described: Description, path: str) -> None:
    """An ELF file with the kernel's BTF in it, as kernels before 6.0 have it."""
    described.file(path, parts.btf_elf(parts.btf(enum64=False)))


def _common_headers(described: Description, directory: str) -> None:
    """A header tree without the files that the kernel's build makes."""
    machines.put(described, directory, parts.common().items())


def _below_debugfs_only(described: Description, _value: bool) -> None:
    described.remove("/sys/kernel/tracing").mount("/sys/kernel/tracing", machines.SYSFS)


def _memlock(described: Description, limits: list[int]) -> None:
    described.memlock = (limits[0], limits[1])


def _fails(described: Description, commands: dict[str, str]) -> None:
    """Commands that end with status 2, and what they say on the standard error."""
    for argv, stderr in commands.items():
        described.command(argv, status=2, stderr=stderr)


def _xbps(described: Description, packages: dict[str, str]) -> None:
    """The packages of Void, instead of dpkg's, with their versions."""
    described.remove("/var/lib/dpkg/status")
    described.file("/var/db/xbps/pkgdb-0.38.plist", parts.xbps(packages))


_OWN: dict[str, Callable[[Description, Any], None]] = {
    "rpm": _rpm,
    "fails": _fails,
    "xbps": _xbps,
    "vmlinux": _vmlinux,
    "common_headers": _common_headers,
    "memlock": _memlock,
    "below_debugfs_only": _below_debugfs_only,
}
