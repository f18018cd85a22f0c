"""What must not leave this machine, where it can be known beforehand: its names and those of its users.

The places are looked at outside of the recording, which holds only what the checks asked for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import NamedTuple

from kdiag.recording.names import dense
from kdiag.system import System, Unavailable

#: Names that tell nothing about anybody, and that occur in what must stay readable: images' hosts and default accounts.
_COMMON_NAMES = """
    localhost localhost4 localhost6 localdomain none kernel linux debian ubuntu fedora centos rocky almalinux alma
    redhat rhel suse opensuse arch archlinux alpine gentoo nixos void kali raspberrypi raspbian raspberry amazon ec2
    azure google docker podman container containers host guest server client node master worker builder build desktop
    laptop vagrant wsl vm virtual machine user users admin administrator root nobody daemon system systemd service
    test tester runner vscode codespace core lima colima orbstack minikube kind talos flatcar bottlerocket cos
    ec2-user azureuser cloud-user opc pi tracing tracefs debugfs headers modules bpftrace bpftool default local lan home
    corp internal intranet workgroup domain localnet live demo session gateway router kubernetes ip6-localhost
    ip6-loopback ip6-localnet ip6-mcastprefix ip6-allnodes ip6-allrouters broadcasthost postgres mysql redis nginx git
    gitlab-runner jenkins kvm qemu libvirt
"""
COMMON = frozenset(_COMMON_NAMES.split())
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


#: Domains that are everybody's: registries, distributions, clouds; and those under which only numbers are.
_DOMAIN_NAMES = """
    debian.org ubuntu.com canonical.com launchpad.net kernel.org fedoraproject.org redhat.com centos.org
    rockylinux.org almalinux.org opensuse.org suse.com suse.de archlinux.org manjaro.org alpinelinux.org
    gentoo.org nixos.org voidlinux.org amazon.com amazonaws.com aws.amazon.com microsoft.com azure.com
    google.com googlesource.com googleapis.com oracle.com vmware.com kali.org raspberrypi.com raspberrypi.org
    raspbian.org linuxfoundation.org freedesktop.org gnu.org llvm.org github.com github.io gitlab.com docker.com
    docker.io quay.io ghcr.io python.org iovisor.org bpftrace.org ebpf.io
    xenproject.org proxmox.com endeavouros.com linuxmint.com elementary.io pop-os.org system76.com talos.dev
    siderolabs.com flatcar.org bottlerocket.dev chainguard.dev wolfi.dev mageia.org openmandriva.org
    slackware.com compute.internal ec2.internal cluster.local svc.cluster.local default.svc.cluster.local
    kube-system.svc.cluster.local home.arpa in-addr.arpa ip6.arpa localhost.localdomain example.com example.org
    example.net
"""
_PUBLIC_DOMAINS = frozenset(_DOMAIN_NAMES.split())
#: Below these countries' domains the second label is a registry's.
_REGISTRY = re.compile(r"(?:co|com|org|net|edu|gov|gob|ac|ne|or|go|nom|mil|sch|ltd|plc)\.[a-z]{2}")
_FIRST_USER = 1000  # login.defs(5), UID_MIN; those of a directory service have any number above
#: systemd's dynamic users and containers, and nobody (systemd's UIDS-GIDS.md); 60001 to 60513 are people (homed).
_NOT_PEOPLE = range(60514, 65536)
#: Where homes of people are; below them any name is one's. Elsewhere only known homes are.
_HOME_PARENTS = re.compile(
    r".*/(?:home|homes|Users|users|people|staff|students|accounts|profiles|export|exports|nfs|u)"
)
#: Homes below these are those of services.
_SYSTEM_DIRECTORY = re.compile(
    r"/(?:bin|dev|etc|lib|lib64|nonexistent|proc|run|sbin|sys|tmp|usr|var)(?:/.*)?"
)
_NAME_VARIABLES = ("USER", "LOGNAME", "SUDO_USER", "DOAS_USER", "USERNAME")
_HOME_IN_VARIABLE = re.compile(
    r"(/[^:\0]+?)/(?:\.cache|\.config|\.local(?:/share|/state|/bin)?|cache|config)(?:/.*)?"
)


class Secrets(NamedTuple):
    """hosts and users: names fit to be replaced as words anywhere, longest first; homes: (directory, whose) outside
    of /home; ids: serial numbers and the like; domains: those of the machine, with all names in them; parents:
    directories of homes, in which any name is a user's.
    """

    hosts: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    homes: tuple[tuple[str, str], ...] = ()
    ids: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()


def of(system: System, variables: Mapping[str, str], node: str = "") -> Secrets:
    """The secrets of a machine. node: its name by uname(2), `variables`: the environment of the one who records."""
    hosts = {node, variables.get("HOSTNAME", ""), variables.get("COMPUTERNAME", "")}
    for path in ("/etc/hostname", "/proc/sys/kernel/hostname"):
        hosts.add(_content(system, path))
    searched = {*_searched(system), _content(system, "/proc/sys/kernel/domainname").strip("()")}
    hosts |= {*_hosts_file(system)}
    users: set[str] = set()
    for name in (variables.get(variable, "") for variable in _NAME_VARIABLES):
        user, domain = _split_user(name)
        users |= {name, user}
        searched.add(domain)
    homes: dict[str, str] = {}
    for name, number, home, gecos in _accounts(system):
        user, domain = _split_user(name)
        person = number >= _FIRST_USER and number not in _NOT_PEOPLE
        if person:
            users |= {name, user, *_real_names(gecos)}
            searched.add(domain)
        if person or (number >= 100 and number not in _NOT_PEOPLE and _own(home)):
            homes[home] = user
            users.add(user)
    for home in _homes_in(variables):
        homes.setdefault(home, home.rpartition("/")[2])
    hosts |= {name.partition(".")[0] for name in hosts}
    domains = {domain for name in {*hosts, *(f"x.{name}" for name in searched)} for domain in _domains(name)}
    hosts |= {name for name in searched if "." not in name}
    return Secrets(
        tuple(sorted(filter(distinct, hosts), key=len, reverse=True)),
        tuple(sorted(filter(distinct, users), key=len, reverse=True)),
        tuple(sorted((h, name) for h, name in homes.items() if _own(h))),
        tuple(sorted({value for path in _IDS if len(value := _content(system, path)) >= 6})),
        tuple(sorted(domains, key=len, reverse=True)),
        tuple(sorted(_parents(homes), key=len, reverse=True)),
    )


def joined(one: Secrets, other: Secrets) -> Secrets:
    """Those of both, of a container and of its host."""
    return Secrets(
        _longest_first(one.hosts, other.hosts),
        _longest_first(one.users, other.users),
        tuple(sorted({*one.homes, *other.homes})),
        _longest_first(one.ids, other.ids),
        _longest_first(one.domains, other.domains),
        _longest_first(one.parents, other.parents),
    )


def _longest_first(*names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({name for some in names for name in some}, key=len, reverse=True))


def distinct(name: str) -> bool:
    """Whether a name can be replaced wherever it stands as a word without harm to other words."""
    return (len(name) >= 3 or dense(name)) and name.casefold() not in COMMON and not name.isdigit()


def public(domain: str) -> bool:
    """Whether a domain is everybody's."""
    labels = domain.casefold().strip(".").split(".")
    return any(".".join(labels[at:]) in _PUBLIC_DOMAINS for at in range(len(labels)))


def _domains(name: str) -> Iterator[str]:
    """The domains that a host's full name is in, but for those of a registry, or of all the world."""
    labels = name.casefold().strip(".").split(".")
    for at in range(1, len(labels) - 1):
        domain = ".".join(labels[at:])
        if (
            domain not in _PUBLIC_DOMAINS
            and not _REGISTRY.fullmatch(domain)
            and re.fullmatch(r"[\w.-]+", domain)
        ):
            if len(labels) - at == 2 and public(domain):
                continue
            yield domain


def _split_user(name: str) -> tuple[str, str]:
    """(user, domain) of a directory service's `CORP\\bob`, `CORP+bob` or `bob@corp.example`; no domain otherwise."""
    if "\\" in name or "+" in name:
        domain, _, user = name.replace("+", "\\").partition("\\")
        return user, domain
    user, _, domain = name.partition("@")
    return user, domain


def _real_names(gecos: str) -> tuple[str, ...]:
    """The full name of passwd(5)'s comment field, where it is one."""
    name = gecos.partition(",")[0].strip()
    words = name.casefold().split()
    said = len(words) > 1 and not all(word in COMMON for word in words)
    return (name,) if said or dense(name) else ()


def _homes_in(variables: Mapping[str, str]) -> Iterator[str]:
    """Homes that the environment tells: HOME, and those whose caches and settings other variables point to."""
    yield variables.get("HOME", "").rstrip("/")
    for name, value in variables.items():
        found = _HOME_IN_VARIABLE.fullmatch(value) if name.startswith(("XDG_", "KRB5")) else None
        if found is not None:
            yield found[1]


def _parents(homes: Iterable[str]) -> Iterator[str]:
    """Directories of homes: by their name, or because several homes are in them."""
    counted = Counter(home.rpartition("/")[0] for home in homes if _own(home))
    for parent, number in counted.items():
        if parent and (
            _HOME_PARENTS.fullmatch(parent)
            or parent.startswith("/home/")
            or (number > 1 and parent.count("/") > 1)
        ):
            yield parent


def _own(home: str) -> bool:
    """Whether a home directory says whose it is; those directly below /home are found by their place."""
    if home.startswith("/home/"):
        return home.count("/") >= 3
    return home.count("/") >= 2 and _SYSTEM_DIRECTORY.fullmatch(home) is None


def _content(system: System, path: str) -> str:
    try:
        data = system.read(path, 4096) or b""
    except Unavailable:
        return ""
    return data.decode("utf-8", "replace").strip("\0\n\t ")


def _lines(system: System, path: str) -> Iterator[list[str]]:
    try:
        data = system.read(path, 1024 * 1024) or b""
    except Unavailable:
        return
    for line in data.decode("utf-8", "replace").splitlines():
        yield line.partition("#")[0].split()


def _searched(system: System) -> Iterator[str]:
    """The domains of resolv.conf(5) and the realm of krb5.conf(5)."""
    for words in _lines(system, "/etc/resolv.conf"):
        if words[:1] in (["search"], ["domain"]):
            yield from words[1:]
    for words in _lines(system, "/etc/krb5.conf"):
        if words[:2] == ["default_realm", "="]:
            yield from words[2:3]


def _hosts_file(system: System) -> Iterator[str]:
    """Names of this machine and of its network by hosts(5): what is blocked there, or is anywhere, tells nothing."""
    for count, words in enumerate(_lines(system, "/etc/hosts")):
        try:
            address = ip_address(words[0].partition("%")[0]) if len(words) > 1 else None
        except ValueError:
            continue
        if address is None or address.is_unspecified or count > 1000:
            continue
        if address.is_private or address.is_loopback or address.is_link_local:
            yield from (name for name in words[1:] if not public(name))


def _accounts(system: System) -> Iterator[tuple[str, int, str, str]]:
    """(name, uid, home, comment) of /etc/passwd, passwd(5)."""
    try:
        data = system.read("/etc/passwd", 4 * 1024 * 1024) or b""
    except Unavailable:
        return
    for line in data.decode("utf-8", "surrogateescape").splitlines():
        fields = line.split(":")
        if len(fields) >= 7 and fields[2].isdigit():
            yield fields[0], int(fields[2]), fields[5].rstrip("/"), fields[4]
