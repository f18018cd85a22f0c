"""Hosts of a network on this machine, for a trial of the Ansible collection over real ssh:

    python -m tests.support.ansible_network PLAYBOOK_PROGRAM KDIAG.pyz NAME=ROOT... [--many N]

Each host is a network namespace with an address on one bridge and an sshd of its own, which changes into the root of
another distribution (a directory, or an image that is mounted read-only): what is written goes into a layer that is
thrown away. Beside those that are given there are: `nopython`; `failing`, whose Python answers with half a report and
an escape sequence; `slow`, which never answers; `unreachable`, an address at which nothing is. --many: so many hosts
more, of the last root, in one namespace.
The play runs twice, and the second run must change nothing; then the role `fix` on the host `--fix NAME`: check mode,
the repair, and the repair again. Prints the recaps; the exit status is 1 if a host did not do what is expected of it.
Requires root, sshd, ssh, ip and an overlay file system.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

_ROOT = Path(__file__).parents[2]
#: Unlike those of another trial; a name of an interface has 15 characters at most.
_OURS = f"kd{os.getpid()}"
_BRIDGE, _PREFIX = f"{_OURS}b", "10.213"
_RECAP = re.compile(r"^(\S+)\s*: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)
_HALF = '#!/bin/sh\ncase "$*" in *check*) printf \'{"schema": "kdiag.report/1", \\033[31m\';; esac\n'
_NEVER = '#!/bin/sh\ncase "$*" in *check*) sleep 600;; esac\n'


class Host(NamedTuple):
    """A host: its name, and its address."""

    name: str
    address: str


def main() -> None:
    """Build the network, run the plays, tear it down."""
    about = argparse.ArgumentParser(description="The Ansible collection over ssh to hosts on this machine.")
    about.add_argument("playbook", help="ansible-playbook")
    about.add_argument("pyz", type=Path)
    about.add_argument("roots", nargs="+", metavar="NAME=ROOT")
    about.add_argument("--many", type=int, default=0)
    about.add_argument("--fix", default="")
    about.add_argument("--seconds", type=int, default=3600, help="the most that one play may take")
    about.add_argument("--standalone", default="")
    about.add_argument("--collector", default="")
    asked = about.parse_args()
    missing = [name for name in ("ip", "ssh", "ssh-keygen") if shutil.which(name) is None]
    if os.geteuid() != 0 or missing or not Path("/usr/sbin/sshd").exists():
        sys.exit(f"skipped: requires root, sshd and {', '.join(missing) or 'ssh'}")
    roots = dict(one.split("=", 1) for one in asked.roots)
    # sshd(8) changes into no root below a directory that others may write to.
    with tempfile.TemporaryDirectory(prefix="kdiag-trial-", dir="/run") as place, ExitStack() as stack:
        hosts = network(stack, Path(place), roots, asked.many)
        sys.exit(_trial(Path(place), hosts, asked))


def network(stack: ExitStack, place: Path, roots: dict[str, str], many: int) -> list[Host]:
    """The hosts, until the stack is left."""
    os.chmod(place, 0o755)
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / "key"))
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / "host"))
    shutil.copy(place / "key.pub", place / "authorized")
    _run("ip", "link", "add", _BRIDGE, "type", "bridge")
    stack.callback(_run, "ip", "link", "del", _BRIDGE)
    _run("ip", "addr", "add", f"{_PREFIX}.0.1/16", "dev", _BRIDGE)
    _run("ip", "link", "set", _BRIDGE, "up")
    last = [*roots.values()][-1]
    hosts = []
    odd = {"nopython": "", "failing": _HALF, "slow": _NEVER}
    for number, (name, root) in enumerate([*roots.items(), *((name, last) for name in odd)]):
        top = stack.enter_context(_root(place, name, root))
        if name in odd:
            _python(top, odd[name])
        hosts.append(Host(name, f"{_PREFIX}.1.{number + 1}"))
        stack.enter_context(_host(place, number, top, [hosts[-1].address]))
    if many:
        top = stack.enter_context(_root(place, "many", last))
        some = [Host(f"many-{n:03}", f"{_PREFIX}.2.{n + 1}") for n in range(many)]
        stack.enter_context(_host(place, len(hosts), top, [host.address for host in some]))
        hosts += some
    return [*hosts, Host("unreachable", f"{_PREFIX}.9.9")]


@contextmanager
def _root(place: Path, name: str, root: str) -> Iterator[Path]:
    """A root with a layer over it, and with the kernel's file systems."""
    with ExitStack() as stack:
        base = place / f"{name}.base"
        base.mkdir()
        how = ["--bind"] if Path(root).is_dir() else ["-o", "ro,noload,loop"]
        _mount(stack, base, *how, root)
        for part in ("upper", "work", "top"):
            (place / f"{name}.{part}").mkdir()
        top = place / f"{name}.top"
        layers = f"lowerdir={base},upperdir={place / f'{name}.upper'},workdir={place / f'{name}.work'}"
        _mount(stack, top, "-t", "overlay", "-o", layers, "overlay")
        for kind, at in (("proc", "proc"), ("sysfs", "sys")):
            (top / at).mkdir(exist_ok=True)
            _mount(stack, top / at, "-t", kind, kind)
        _mount(stack, top / "dev", "--bind", "/dev")
        (top / "tmp").mkdir(exist_ok=True)
        yield top


def _mount(stack: ExitStack, at: Path, *how: str) -> None:
    *options, source = how
    _run("mount", *options, source, str(at))
    stack.callback(_run, "umount", "-l", str(at))


@contextmanager
def _host(place: Path, number: int, top: Path, addresses: Sequence[str]) -> Iterator[None]:
    """A namespace with addresses and an sshd that changes into a root."""
    name, link = f"{_OURS}-{number}", f"{_OURS}-{number}"
    _run("ip", "netns", "add", name)
    try:
        _run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
        _run("ip", "link", "set", link, "master", _BRIDGE, "up")
        inside = ("ip", "-n", name)
        for address in addresses:
            _run(*inside, "addr", "add", f"{address}/16", "dev", "eth0")
        _run(*inside, "link", "set", "eth0", "up")
        config = place / f"{name}.conf"
        # More than ten that are not logged in yet are refused at random otherwise: sshd_config(5).
        config.write_text(
            f"HostKey {place}/host\nAuthorizedKeysFile {place}/authorized\nStrictModes no\nUsePAM no\n"
            f"PermitRootLogin yes\nPasswordAuthentication no\nSubsystem sftp internal-sftp\n"
            f"ChrootDirectory {top}\nPidFile none\nMaxStartups 500\nMaxSessions 100\n"
        )
        Path("/run/sshd").mkdir(exist_ok=True)
        sshd = subprocess.Popen(["ip", "netns", "exec", name, "/usr/sbin/sshd", "-D", "-e", "-f", str(config)],
                                stderr=(place / f"{name}.log").open("wb"))  # fmt: skip
        try:
            yield
        finally:
            sshd.terminate()
            sshd.wait()
    finally:
        # A program that still runs in the namespace keeps it, and its end of the link.
        subprocess.run(["ip", "link", "del", link], check=False, capture_output=True)
        _run("ip", "netns", "del", name)


def _python(top: Path, text: str) -> None:
    """Another program where Python would be."""
    for place in ("usr/bin/python3", "usr/local/bin/python3"):
        path = top / place
        path.unlink(missing_ok=True)
        if not text:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)


def _trial(place: Path, hosts: Sequence[Host], asked: argparse.Namespace) -> int:
    lines = [f"{h.name} ansible_host={h.address}" for h in hosts]
    lines += ["[all:vars]", "ansible_user=root", f"ansible_ssh_private_key_file={place}/key"]
    (place / "hosts").write_text("\n".join(lines) + "\n")
    (place / "fix.yml").write_text(
        f"- hosts: {asked.fix or 'none'}\n  gather_facts: false\n  roles: [kdiag.kdiag.fix]\n"
    )
    first = _play(place, asked, "kdiag.kdiag.check", _check(place, asked))
    second = _play(place, asked, "kdiag.kdiag.check", _check(place, asked))
    wrong = [f"{name}: changed in the second run" for name, (_, changed, *_) in second.items() if changed]
    wrong += [f"{h.name}: was not asked" for h in hosts if h.name not in first]
    if first.get("unreachable", (0, 0, 0, 0))[2] != 1:
        wrong.append("unreachable: was reached")
    wrong += [f"{name}: did not fail" for name in ("failing", "slow") if not first.get(name, (0, 0, 0, 0))[3]]
    reports = sorted((place / "reports").glob("*.json"))
    print(f"{len(reports)} reports of {len(hosts)} hosts")
    if asked.fix:
        given = ["-e", f"fix_pyz={asked.pyz.resolve()}"]
        for name, more, expected in (("check mode", ["--check"], 1), ("repair", [], 1), ("again", [], 0)):
            found = _play(place, asked, str(place / "fix.yml"), [*given, *more]).get(asked.fix, (0, 9, 0, 1))
            wrong += [f"fix, {name}: {found}"] if found[3] or found[1] != expected else []
    print("\n".join(wrong) or "all as expected")
    return 1 if wrong else 0


def _check(place: Path, asked: argparse.Namespace) -> list[str]:
    given = [
        "-e",
        f"check_pyz={asked.pyz.resolve()}",
        "-e",
        f"check_dest={place}/reports",
        "-e",
        "check_timeout=240",
    ]
    for name in ("standalone", "collector"):
        if getattr(asked, name):
            given += ["-e", f"check_{name}={Path(getattr(asked, name)).resolve()}"]
    return [*given, "-e", f"check_kdiag={Path(sys.executable).parent / 'kdiag'}"]


def _play(
    place: Path, asked: argparse.Namespace, play: str, more: Sequence[str]
) -> dict[str, tuple[int, int, int, int]]:
    """The recap of one run: ok, changed, unreachable, failed of each host."""
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(_collections(place)),
        "ANSIBLE_HOST_KEY_CHECKING": "False",
        "ANSIBLE_FORKS": "25",
        "ANSIBLE_TIMEOUT": "60",
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_SSH_ARGS": "-o UserKnownHostsFile=/dev/null -o ControlMaster=auto -o ControlPersist=60s",
        "ANSIBLE_HOME": str(place / "ansible"),
    }
    command = [asked.playbook, "-i", str(place / "hosts"), play, *more]
    with (place / "play.log").open("ab") as log:
        try:
            done = subprocess.run(
                command,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
                check=False,
                timeout=asked.seconds,
            )
        except subprocess.TimeoutExpired as late:
            print(f"{play}: not done after {asked.seconds} s")
            return _recap((late.stdout or b"").decode("utf-8", "replace"))
    text = done.stdout.decode("utf-8", "replace")
    print(text[text.rfind("PLAY RECAP") :] if "PLAY RECAP" in text else text[-3000:])
    if asked.many == 0:
        print("\n".join(line for line in text.splitlines() if "fatal:" in line)[:6000])
    return _recap(text)


def _recap(text: str) -> dict[str, tuple[int, int, int, int]]:
    found = {}
    for name, ok, changed, unreachable, failed in _RECAP.findall(text):
        found[name] = int(ok), int(changed), int(unreachable), int(failed)
    return found


def _collections(place: Path) -> Path:
    """Where Ansible finds the collection of this tree."""
    there = place / "collections" / "ansible_collections" / "kdiag"
    if not there.exists():
        there.mkdir(parents=True)
        (there / "kdiag").symlink_to(_ROOT / "fleet" / "ansible" / "kdiag" / "kdiag")
    return place / "collections"


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
