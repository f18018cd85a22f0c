"""A machine with a secret in every place that is recorded, and none of them in the recording.

The names are of no real person, company or network; each secret has a form of its own.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdiag.capabilities.definitions import DEFAULT_REQUIRED
from kdiag.check import Check
from kdiag.checking.registry import Registered
from kdiag.machine import Machine
from kdiag.model import Evidence, Finding, ok
from kdiag.recording import secrets
from kdiag.recording.listing import listing
from kdiag.recording.make import Made, make
from kdiag.system.recording import Recording
from tests.support import machines
from tests.support.description import Description
from tests.support.reports import builtin, report_on

NODE = "zephyr-db7.corp.quuxco.example"
CHAIN = "zephyr--db7--vg"
#: What stands on the kernel's command line -> what must not come out.
PARAMETERS = {
    "netroot=iscsi:chapuser7:S3cretPass99@10.1.2.3::3260::iqn.2001-04.example.quuxco:lun7":
        "chapuser7 S3cretPass99 lun7",
    "ip=10.7.7.7::10.7.7.1:255.255.255.0:dbserver07:eth0": "10.7.7 dbserver07",
    "nfsroot=10.7.7.9:/srv/quux/n1ghtly,vers=4": "10.7.7 n1ghtly",
    "root=/dev/mapper/zephyr--db7--vg-root": CHAIN,
    "rd.lvm.lv=zephyr-db7-vg/root": "zephyr-db7-vg",
    "rd.luks.uuid=luks-3e6be9de-8139-11d1-9106-a43f08d823a6": "3e6be9de",
    "rd.luks.key=/keys/kf-oboe.bin:LABEL=STICK-OBOE": "kf-oboe STICK-OBOE",
    "systemd.set_credential=pw:hunter2secret": "hunter2secret",
    "security=hunter4pw": "hunter4pw",
    "lsm=landlock,hunter5pw,bpf": "hunter5pw",
    "crashkernel=hunter6pw,high": "hunter6pw",
    "console=ttyS0,115200,hunter7pw": "hunter7pw",
    "init=/bin/hunter8pw": "hunter8pw",
    "mitigations=hunter9pw": "hunter9pw",
    "ftrace_filter=hunter10pw": "hunter10pw",
    "foo.hunter11pw": "hunter11pw",
    "nohunter12": "nohunter12",
    "hsm.pin=4711": "4711",
    "c2VjcmV0cGFzc3dvcmQ=": "c2VjcmV0cGFzc3dvcmQ",
    'agent.phrase="correct horse=battery staple"': "correct battery staple",
    "BOOT_IMAGE=/boot/vmlinuz-6.1.0-quuxbuild": "quuxbuild",
    "resume=LABEL=swap-of-ada": "swap-of-ada",
    "modprobe.blacklist=quux_hsm": "quux_hsm",
    "dm-mod.create=vroot,,,ro,0_1_verity_hexsalt77": "hexsalt77",
    "ds=nocloud;s=http://admin:Passw0rd@10.0.0.5/": "Passw0rd 10.0.0.5",
    "netconsole=@10.1.1.1/,514@10.9.9.9/aa:bb:cc:dd:ee:0f": "10.1.1.1 10.9.9.9 aa:bb:cc",
    "rootflags=subvol=@adalovelace": "adalovelace",
}  # fmt: skip
#: A text -> what must not come out.
TEXTS = {
    "the mirror git.quuxco.example and QUUXCO.EXAMPLE": "quuxco",
    "mail.lab.quuxco.example:25": "lab.quuxco mail.lab",
    "conf-adalovelace adalovelace_old adalovelace.bak x.adalovelace": "adalovelace",
    "\uae40\ucca0\uc218\uc758 \uc11c\ubc84, \uae40\ucca0\uc218\uac00": "\uae40\ucca0\uc218",
    unicodedata.normalize("NFD", "\uae40\ucca0\uc218\uc758 \uc11c\ubc84"): unicodedata.normalize(
        "NFD", "\uae40\ucca0\uc218"
    ),
    "http://x.invalid/%EA%B9%80%EC%B2%A0%EC%88%98/a": "%EA%B9%80",
    "\u7530\u4e2d\u3055\u3093\u306e\u30b5\u30fc\u30d0\u30fc": "\u7530\u4e2d",
    "\u738b\u4f1f\u7684\u670d\u52a1\u5668": "\u738b\u4f1f",
    "Ayd\u0131n'\u0131n ve ayd\u0131n\u0131": "ayd\u0131n",
    "\u041f\u0435\u0442\u0440\u043e\u0432\u0430": "\u043f\u0435\u0442\u0440\u043e\u0432",
    "made by Ada Lovelace": "Ada Lovelace",
    "QUUX\\grace and grace@corp, grace's": "grace",
    "run by linus.t@quuxlab.example today": "linus.t quuxlab",
    "/export/barbara/cache /export/unlisted/x": "barbara unlisted",
    "/data/home/donald/bin:/nfs/users/edsger/bin": "donald edsger",
    "/home/QUUX/grace/src /home/QUUX/alan/src": "alan grace",
    "/srv/quuxpay/app run by svc_quuxpay": "quuxpay",
    "zephyr-db7\uc758": "zephyr-db7",
    "image-10.44.2.3-foo nfs_10.44.2.4 nfs-10.44.2.5": "10.44.2",
    "host-10-44-3-6.local": "10-44-3-6",
    "https://kim:p@ss:w0rd@repo.invalid/x": "p@ss w0rd",
    "push robot:Hunter13pw@registry": "Hunter13pw",
    "Authorization: Bearer abcdef0123456789": "abcdef0123456789",
    "wifi.psk=oboe1234 private_key: tuba5678": "oboe1234 tuba5678",
    "AIza" + "Sy" * 17 + "x": "AIzaSy",
    "npm_" + "a1B2" * 9: "npm_a1B2",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHk ada@zephyr": "AAAAC3 ada@",
    "fe80::a00:27ff:fe4e:66a1 02:42:ac:11:00:02": "fe80::a00 02:42:ac",
    "peer node-b (10.44.9.9) is node-bravo": "node-bravo 10.44.9.9",
}  # fmt: skip
MOUNTS = {
    "/ - ext4 /dev/mapper/zephyr--db7--vg-root rw": CHAIN,
    "/ - zfs quuxtank/home/barbara rw,xattr": "quuxtank",
    "/srv/quuxbind - ext4 /dev/quux-vg/data rw": "quuxbind quux-vg",
    "/ - nfs4 filer9:/vol/quuxvol rw,addr=10.44.1.1,clientaddr=10.44.1.2": "filer9 quuxvol 10.44.1",
    "/ - cifs //winfiler/share$ rw,username=ada9,domain=QUUXDOM": "winfiler ada9 QUUXDOM",
    "/ - overlay overlay rw,lowerdir=/srv/imgs/quuxlayer,upperdir=/srv/up": "quuxlayer",
    "/ - ceph 10.44.8.1:6789:/quuxceph rw,name=cephuser,secretfile=/k/quuxkey": "quuxceph cephuser quuxkey 10.44.8",
    "/ - fuse.sshfs barb@jump9:/x rw": "jump9 barb@",
    "/ - btrfs /dev/disk/by-label/QUUXDATA rw,subvol=/@grace": "QUUXDATA grace",
}  # fmt: skip
VARIABLES = {
    "HOME": "/home/QUUX/grace",
    "USER": "QUUX\\grace",
    "LOGNAME": "grace@corp.quuxco.example",
    "XDG_CACHE_HOME": "/export/barbara/cache",
    "BPFTRACE_KERNEL_SOURCE": "/home/QUUX/grace/linux-of-alan",
    "KUBERNETES_SERVICE_HOST": "k8s-api.quuxco.example",
}
FILES = {
    "/etc/hostname": f"{NODE}\n",
    "/etc/resolv.conf": "search corp.quuxco.example quuxlan\nnameserver 10.44.0.53\n",
    "/etc/krb5.conf": "[libdefaults]\n default_realm = QUUXCO.EXAMPLE\n",
    "/etc/hosts": "127.0.1.1 zephyr-db7\n10.44.9.9 node-bravo\n0.0.0.0 ads.invalid\n8.8.8.8 dns.invalid\n::1 x y\n",
    "/etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "/etc/passwd": "\n".join(
        (
            "root:x:0:0:root:/root:/bin/sh",
            "adalovelace:x:1000:1000:Ada Lovelace,,,:/home/adalovelace:/bin/sh",
            "\uae40\ucca0\uc218:x:1001:1001::/home/\uae40\ucca0\uc218:/bin/sh",
            "\u7530\u4e2d:x:1002:1002::/home/tanaka:/bin/sh",
            "\u738b\u4f1f:x:1003:1003::/home/wangwei:/bin/sh",
            "ayd\u0131n:x:1004:1004::/home/aydin:/bin/sh",
            "\u043f\u0435\u0442\u0440\u043e\u0432:x:1005:1005::/home/petrov:/bin/sh",
            "barbara:x:1702301:1702301::/export/barbara:/bin/sh",
            "QUUX\\alan:x:1702302:1702302::/home/QUUX/alan:/bin/sh",
            "svc_quuxpay:x:998:998::/srv/quuxpay:/bin/sh",
            "nobody:x:65534:65534:nobody:/nonexistent:/bin/false",
            "",
        )
    ),
}


def machine() -> Description:
    """All of it, in the places that kdiag reads, and in one that only a curious check does."""
    described = machines.bpftrace(machines.debian_headers(machines.linux()), "0.23.2")
    for name, value in VARIABLES.items():
        described.env(name, value)
    described.files({**FILES})
    described.file("/proc/cmdline", f"quiet {' '.join(PARAMETERS)} -- initpw77\n")
    told = "".join(f'X{n}="{text}"\n' for n, text in enumerate(TEXTS))
    system = 'ID=debian\nVERSION_ID="13"\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n'
    described.file("/etc/os-release", f'{system}HOME_URL="https://git.quuxco.example/"\n{told}')
    lines = "21 1 0:9 / / rw - ext4 /dev/vda1 rw\n"
    lines += "22 21 0:21 / /proc rw - proc proc rw\n23 21 0:22 / /sys rw - sysfs sysfs rw\n"
    for n, mount in enumerate(MOUNTS):
        root, rest = mount.split(" ", 1)
        lines += f"{40 + n} 21 0:{60 + n} {root} /mnt{n} rw {rest}\n"
    described.file("/proc/self/mountinfo", lines)
    described.file("/notes", "\n".join(TEXTS))
    described.file("/proc/1/environ", b"container=\0PASSWORD=swordfish99\0HOME=/home/adalovelace\0")
    described.program("bpftrace", "/home/QUUX/grace/bin/bpftrace")
    described.command("/home/QUUX/grace/bin/bpftrace --version", f"bpftrace v0.23.2\nbuilt on {NODE}\n")
    return described


def look_everywhere(machine: Machine) -> Iterator[Finding]:
    """A check that reads, and quotes, what kdiag's own leave alone."""
    for path in (
        "/proc/cmdline",
        "/proc/1/environ",
        "/proc/self/mountinfo",
        "/notes",
        "/etc/os-release",
        "/etc/machine-id",
    ):
        text = (machine.system.read(path) or b"").decode()
        where = Evidence(path, text)
        yield ok("seen", id=f"example.look-{path.rpartition('/')[2]}", evidence=(where,))


CURIOUS = Registered(Check("example.look", "Everything", look_everywhere), "example", "1", "example")


def recorded(directory: Path, *, redact: bool) -> Made:
    system = Recording(machine().write(directory))
    registry = builtin()
    variables = {**VARIABLES, "SUDO_USER": "grace"}
    known = secrets.of(system, variables, NODE) if redact else None
    return make(system, registry, (*registry.checks, CURIOUS), DEFAULT_REQUIRED, known)


def planted() -> dict[str, str]:
    """Each secret, and where it stands."""
    found = {
        "initpw77": "the command line",
        "swordfish99": "environ",
        "0123456789abcdef0123456789abcdef": "machine-id",
    }
    found |= {NODE: "hostname", "k8s-api": "a variable"}
    for where, some in (("the command line", PARAMETERS), ("a text", TEXTS), ("the mounts", MOUNTS)):
        for words in some.values():
            found |= dict.fromkeys([words] if words in ("Ada Lovelace",) else words.split(), where)
    return found


def content(made: Made) -> str:
    """All that goes out, in one case and without JSON's escapes."""
    parts = [listing(made)]
    for name, data in made.members(directory=False).items():
        text = data.decode("utf-8", "replace")
        parts += [name, json.dumps(json.loads(text), ensure_ascii=False) if name.endswith(".json") else text]
    return "\n".join(parts).casefold()


def leaks(made: Made) -> list[str]:
    text = content(made)
    return [f"{secret} ({where})" for secret, where in planted().items() if secret.casefold() in text]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("planted") / "machine"


@pytest.fixture(scope="module")
def made(directory: Path) -> Made:
    return recorded(directory, redact=True)


@pytest.mark.slow
def test_no_secret_goes_out(made: Made) -> None:
    assert leaks(made) == []


def test_all_of_them_were_there(tmp_path: Path) -> None:
    there = leaks(recorded(tmp_path / "w", redact=False))
    assert len(there) == len(planted()) > 90
    assert len({secret.split(" (")[0] for secret in there}) == len(there)


def test_the_findings_are_the_machines(made: Made, directory: Path) -> None:
    assert made.differs == ()
    direct = {f.id: f for f in report_on(Recording(directory)).findings}
    for finding in made.report.findings:
        if not finding.id.startswith("example"):
            assert (finding.status, finding.causes) == (direct[finding.id].status, direct[finding.id].causes)


@pytest.mark.parametrize("line", ["quiet ro", "root=/dev/vda1 ro quiet lockdown=integrity"])
def test_names_that_tell_nothing_stay(tmp_path: Path, line: str) -> None:
    described = (
        machines.linux()
        .file("/proc/cmdline", line + "\n")
        .file("/notes", "linux-tools of debian.org on localhost\n")
    )
    system = Recording(described.write(tmp_path))
    registry = builtin()
    made = make(
        system, registry, (*registry.checks, CURIOUS), DEFAULT_REQUIRED, secrets.of(system, {}, "localhost")
    )
    assert made.files["root/notes"] == b"linux-tools of debian.org on localhost\n"
    assert made.files["root/proc/cmdline"].decode() == line + "\n"


@pytest.mark.parametrize("home", ["/srv/homes/barbara", "/home/QUUX/barbara", "/export/home/b/barbara"])
def test_paths_below_a_home_elsewhere_are_found_in_the_recording(tmp_path: Path, home: str) -> None:
    """Each directory on the way to it is asked for, and has to be there under its new name."""
    described = machines.bpftrace(machines.debian_headers(machines.linux()), "0.23.2").env(
        "BPFTRACE_KERNEL_SOURCE", f"{home}/linux"
    )
    described.file("/etc/passwd", f"barbara:x:70001:70001::{home}:/bin/sh\n").link(f"{home}/linux", "gone")
    system = Recording(described.write(tmp_path))
    registry = builtin()
    made = make(system, registry, registry.checks, DEFAULT_REQUIRED, secrets.of(system, {}, "localhost"))
    assert made.differs == ()
    assert "barbara" not in content(made)
