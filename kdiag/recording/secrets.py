"""What must not leave this machine, as far as it can be known beforehand: its names and those of its users.

The places are looked at outside of the recording, which holds only what the checks asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from kdiag.system import System, Unavailable

#: Names that tell nothing about anybody, and that occur in what must stay readable: images' hosts and default accounts.
_COMMON_NAMES = """
    localhost localhost4 localhost6 localdomain none kernel linux debian ubuntu fedora centos rocky almalinux alma
    redhat rhel suse opensuse arch archlinux alpine gentoo nixos void kali raspberrypi raspbian raspberry amazon ec2
    azure google docker podman container containers host guest server client node master worker builder build desktop
    laptop vagrant wsl vm virtual machine user users admin administrator root nobody daemon system systemd service
    test tester runner vscode codespace core lima colima orbstack minikube kind talos flatcar bottlerocket cos
    ec2-user azureuser cloud-user opc pi tracing tracefs debugfs headers modules bpftrace bpftool default local
"""
_COMMON = frozenset(_COMMON_NAMES.split())
_FIRST_USER, _LAST_USER = 1000, 60000  # login.defs(5), UID_MIN and UID_MAX
#: Files whose whole content names this one machine (man 5 machine-id; drivers/firmware/dmi-id.c).
_IDS = (
    "/etc/machine-id",
    "/var/lib/dbus/machine-id",
    "/proc/sys/kernel/random/boot_id",
    "/sys/class/dmi/id/product_uuid",
    "/sys/class/dmi/id/product_serial",
    "/sys/class/dmi/id/board_serial",
    "/sys/class/dmi/id/chassis_serial",
    "/sys/class/dmi/id/board_asset_tag",
    "/sys/class/dmi/id/chassis_asset_tag",
    "/sys/devices/virtual/dmi/id/product_uuid",
    "/sys/firmware/devicetree/base/serial-number",
)


class Secrets(NamedTuple):
    """hosts and users: names fit to be replaced as words anywhere, longest first; homes: (directory, whose) outside
    of /home; ids: serial numbers and the like.
    """

    hosts: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    homes: tuple[tuple[str, str], ...] = ()
    ids: tuple[str, ...] = ()


def of(system: System, variables: Mapping[str, str], node: str = "") -> Secrets:
    """The secrets of a machine. node: its name by uname(2), `variables`: the environment of the one who records."""
    hosts = {node, variables.get("HOSTNAME", ""), variables.get("COMPUTERNAME", "")}
    for path in ("/etc/hostname", "/proc/sys/kernel/hostname"):
        hosts.add(_content(system, path))
    hosts |= {name.partition(".")[0] for name in hosts}
    users = {variables.get(name, "") for name in ("USER", "LOGNAME", "SUDO_USER", "DOAS_USER", "USERNAME")}
    homes: dict[str, str] = {}
    for name, number, home in _accounts(system):
        if _FIRST_USER <= number <= _LAST_USER:
            users.add(name)
            homes[home] = name
    home = variables.get("HOME", "")
    homes.setdefault(home, home.rpartition("/")[2])
    return Secrets(
        tuple(sorted(filter(distinct, hosts), key=len, reverse=True)),
        tuple(sorted(filter(distinct, users), key=len, reverse=True)),
        tuple(sorted((h, name) for h, name in homes.items() if _own(h))),
        tuple(sorted({value for path in _IDS if len(value := _content(system, path)) >= 6})),
    )


def distinct(name: str) -> bool:
    """Whether a name can be replaced wherever it stands as a word without harm to other words."""
    return len(name) >= 3 and name.casefold() not in _COMMON and not name.isdigit()


def _own(home: str) -> bool:
    """Whether a home directory says whose it is; those below /home are found by their place."""
    return home.count("/") >= 2 and not home.startswith(
        ("/home/", "/var/", "/usr/", "/run/", "/proc/", "/bin/")
    )


def _content(system: System, path: str) -> str:
    try:
        data = system.read(path, 4096) or b""
    except Unavailable:
        return ""
    return data.decode("utf-8", "replace").strip("\0\n\t ")


def _accounts(system: System) -> Iterator[tuple[str, int, str]]:
    """(name, uid, home) of /etc/passwd, passwd(5)."""
    try:
        data = system.read("/etc/passwd", 4 * 1024 * 1024) or b""
    except Unavailable:
        return
    for line in data.decode("utf-8", "surrogateescape").splitlines():
        fields = line.split(":")
        if len(fields) >= 7 and fields[2].isdigit():
            yield fields[0], int(fields[2]), fields[5].rstrip("/")
