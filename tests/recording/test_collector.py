"""The collector asks what the checks ask, in a shell; it says what kdiag record says wherever both can know, and tells
no secret.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import tarfile
from functools import cache
from pathlib import Path

import pytest

from kdiag.checking.analysis import analyse
from kdiag.checking.registry import discover
from kdiag.commands.record import by_collector
from kdiag.commands.record import collector as program
from kdiag.machine import Machine
from kdiag.model import Report, Status
from kdiag.recording.collector import asking
from kdiag.recording.collector.render import collector as rendered
from kdiag.recording.collector.render import rule
from kdiag.recording.pack import archive
from kdiag.system import Unavailable
from kdiag.system.live import Live
from kdiag.system.recorder import Recorder
from kdiag.system.recording import Recording
from tests.support.needs import need
from tests.support.paths import FIXTURES
from tests.support.waiting import HANG

SHELLS = [
    shell
    for shell in (["dash"], ["busybox", "sh"], ["bash", "--posix"], ["ksh"], ["mksh"], ["sh"])
    if shutil.which(shell[0])
]


@cache
def questions() -> asking.Questions:
    registry = discover(plugins=False)
    return asking.asked(registry, registry.checks)


@cache
def script() -> str:
    return rendered(questions())


@cache
def without_questions() -> str:
    return rendered(asking.Questions((), frozenset()))


def run(
    shell: list[str], text: str, stdin: bytes = b"", *arguments: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*shell, "-c", text, "collect.sh", *arguments],
        input=stdin,
        capture_output=True,
        check=False,
        timeout=HANG,
    )


def rule_of(name: str, text: str, names: str = "") -> str:
    """What a rule of the script leaves of a text."""
    room = "room=$(mktemp -d); cat >$room/copy; "
    functions = without_questions().removesuffix('main "$@"\n')
    done = run(
        ["sh"],
        f"{functions}\n{room}names='{names}'; {name} <$room/copy; status=$?; rm -r $room; exit $status",
        text.encode(),
    )
    assert done.stderr == b""
    return done.stdout.decode() if done.returncode == 0 else "left out"


# -- the questions -----------------------------------------------------------------------------------------------------

#: Asked where a directory's listing, a link or another file has led, which a machine that is thought of has not.
LED = re.compile(
    r"/opt/.*|/tmp/.*|/usr/src/linux-headers-[^/]*common|/lib/modules/6\.1\.21-v8\+/.*|/sys/kernel/btf/(?!vmlinux).*"
    r"|/run/host/.*|/proc/1/root/.*|/usr/lib/python3\.\d+/.*|/(?:root|home/[^/]+)/\.cache/.*|/usr/s?bin/.*|/(?:usr(?:/lib.*)?|lib)"
    r"|.*/kernel/kernel/[a-z]+\.ko|.*/modules/[^/]+/(?:build|source)/.*|.*/modules\.builtin|.*-linux-gnu/.*|/kind|/boot/.*firmware_revision"
    r"|/var/lib/apt/lists|/sys/(?:class/dmi/id|devices/system/cpu/possible|kernel/notes|kernel/debug/.*|kernel/tracing/events)"
    r"|/proc/self/attr/.*|modprobe"
)  # fmt: skip


@pytest.mark.slow
def test_what_the_checks_ask_of_recorded_machines_is_asked() -> None:
    """Not a list of its own: a check that asks for another file has it in the collector."""
    registry = discover(plugins=False)
    every = {(q.kind, q.name) for q in questions().every}
    missing = set()
    for fixture in ("debian-6.12-headers", "firecracker", "kind-node", "orbstack-container", "talos"):
        system = Recording(FIXTURES / fixture)
        release = system.uname().release
        recorder = Recorder(system)
        analyse(Machine(recorder), registry, registry.checks)
        asked = {("read", path) for path in recorder.files}
        asked |= {
            ("stat" if key.endswith(" ->") else "lstat", key.removesuffix(" ->")) for key in recorder.stats
        }
        asked |= {("listdir", path) for path in recorder.listings}
        asked |= {("env", name) for name in recorder.env_table} | {
            ("which", name) for name in recorder.which_table
        }
        named = {(kind, name.replace(release, asking.RELEASE)) for kind, name in asked}
        missing |= {(k, n) for k, n in named - every if ("head", n) not in every and ("open", n) not in every}
    assert not {
        (kind, name) for kind, name in missing if LED.fullmatch(name.replace(asking.RELEASE, "R")) is None
    }
    assert len(every) > 400


def test_a_new_question_is_in_the_script() -> None:
    registry = discover(plugins=False)
    few = program(registry, [one for one in registry.checks if one.check.id == "kernel.lockdown"])
    assert '"/sys/kernel/security/lockdown"' in few
    assert len(few) < len(script())


def test_files_that_wait_or_tell_secrets_are_not_read() -> None:
    assert 'trace_pipe"' not in script()
    for path in ("/proc/1/cmdline", "/etc/hostname", "/etc/machine-id", "/dev/kmsg", "/usr/lib/libbcc.so.0"):
        assert rule(path) == "left_out"
    assert {rule(p) for p in ("/proc/self/mountinfo", "/proc/cmdline", "/boot/config-6.1")} == {
        "mounts",
        "command_line",
        "kernel_config",
    }


# -- secrets -----------------------------------------------------------------------------------------------------------


def test_the_command_line() -> None:
    line = (
        "BOOT_IMAGE=/vmlinuz-6.1 root=UUID=0a1b2c3d-0000 ro quiet lockdown=integrity lsm=lockdown,yama,bpf "
        "rd.iscsi.password=hunter2 selinux=0 console=ttyS0 lsm=mysecret hunter3 user=jane -- hunter4 quiet\n"
    )
    told = rule_of("rule_command_line", line)
    assert "hunter" not in told
    assert "jane" not in told
    assert "mysecret" not in told
    words = told.split()
    assert {"ro", "quiet", "lockdown=integrity", "lsm=lockdown,yama,bpf", "selinux=0", "--"} <= {*words}
    assert words[-1] == "redacted-1"


def test_mounts() -> None:
    line = (
        "36 25 0:31 /jane/data /home/jane/x rw,relatime shared:1 - ext4 /dev/mapper/acme-root rw,errors=remount-ro\n"
        "30 25 0:26 / /sys/kernel/tracing rw,nosuid shared:12 - tracefs tracefs rw\n"
        "40 25 0:50 / /var/db7 rw - nfs4 filer.acme.example:/vol rw,addr=10.1.2.3,sec=sys\n"
        "41 25 0:51 / / rw - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/abc,upperdir=/x\n"
    )
    told = rule_of("rule_mounts", line, "db7")
    for secret in ("jane", "acme", "10.1.2.3", "db7", "abc"):
        assert secret not in told
    assert "30 25 0:26 / /sys/kernel/tracing rw,nosuid shared:12 - tracefs tracefs rw\n" in told
    assert " / / rw - overlay overlay rw," in told


def test_sources_of_apt() -> None:
    told = rule_of(
        "rule_sources",
        "# by jane\ndeb [signed-by=/x arch=amd64] https://jane:pw@repo.acme.example/debian trixie main\n"
        "deb http://deb.debian.org/debian trixie-backports main\n",
    )
    assert "deb http://mirror.invalid/ trixie main" in told
    assert "deb http://deb.debian.org/debian trixie-backports main" in told
    assert "jane" not in told
    assert "acme" not in told


def test_other_rules() -> None:
    config = 'CONFIG_BPF=y\nCONFIG_CMDLINE="password=x"\nCONFIG_LOCALVERSION="-db7"\nCONFIG_LSM="yama"\n'
    assert rule_of("rule_kernel_config", config, "db7") == (
        'CONFIG_BPF=y\nCONFIG_CMDLINE=""\nCONFIG_LOCALVERSION=""\nCONFIG_LSM="yama"\n'
    )
    home = "Linux version 6.1.0 (jane@db7) (cc 12) #1 SMP\n"
    assert rule_of("rule_kernel_version", home) == "Linux version 6.1.0 (user-1@host-1) (cc 12) #1 SMP\n"
    debian = "Linux version 6.1.0 (debian-kernel@lists.debian.org) (gcc-12) #1 SMP\n"
    assert rule_of("rule_kernel_version", debian) == debian
    assert rule_of("rule_text", "a line of db7\n", "db7") == "left out"
    assert rule_of("rule_text", "a line\n", "db7") == "a line\n"
    assert rule_of("rule_text", "Slab: 1 kB\n", "lab") == "Slab: 1 kB\n", "a word, and no part of one"
    assert "Serial" not in rule_of("rule_processors", "model: x\nSerial : 0001\n")
    symbols = rule_of("rule_symbols", "ffffffff81000000 T _stext\n0000000000000000 T x\n")
    assert symbols == "ffffffffff000001 T _stext\n0000000000000000 T x\n"
    kernel = "Package: linux-image-6.1\nStatus: install ok installed\nMaintainer: Jane <j@acme.example>\nVersion: 1\n\n"
    told = rule_of("rule_dpkg", f"{kernel}Package: acme\nVersion: 2\n")
    assert "linux-image-6.1" in told
    assert "acme" not in told


# -- the script --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_every_shell_reads_it(shell: list[str], tmp_path: Path) -> None:
    path = tmp_path / "collect.sh"
    path.write_text(script())
    subprocess.run([*shell, "-n", str(path)], check=True, timeout=HANG)
    told = run(shell, without_questions(), b"", "-h")
    assert (told.returncode, told.stderr) == (0, b"")
    assert told.stdout.startswith(b"usage: ")
    quoted = 'quoted "$1" && printf %s "$Q"'
    functions = without_questions().removesuffix('main "$@"\n')
    for text in ("plain", 'a "b" \\ c', "\\", '"', "$x `y` 'z'", ""):
        assert json.loads(run(shell, f"{functions}\n{quoted}", b"", text).stdout) == text
    assert run(shell, f"{functions}\n{quoted}", b"", "caf\u00e9").returncode != 0


def test_shellcheck(tmp_path: Path) -> None:
    need(shutil.which("shellcheck") is not None, "shellcheck")
    path = tmp_path / "collect.sh"
    path.write_text(script())
    done = subprocess.run(["shellcheck", "-s", "sh", str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-x",), b"usage"),
        (("more",), b"unexpected argument: more"),
        (("-o", "/etc/passwd"), b"/etc/passwd exists"),
    ],
)
def test_mistakes(arguments: tuple[str, ...], message: bytes) -> None:
    done = run(["sh"], without_questions(), b"", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == b""


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    functions = without_questions().removesuffix('main "$@"\n')
    done = run(["sh"], f"{functions}\nmktemp() {{ return 1; }}; mkdir() {{ return 1; }}; make_room")
    assert done.returncode == 2
    assert b"mount -t tmpfs tmpfs /mnt" in done.stderr


def test_what_only_calls_can_tell_is_unknown_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "recording.json").write_text('{"schema": "kdiag.recording/1", "collector": "9.9"}')
    system = Recording(tmp_path)
    with pytest.raises(Unavailable, match="a system call, which the collector cannot make"):
        system.probe("bpf:map")
    with pytest.raises(Unavailable, match="the collector runs no programs"):
        system.run(("bpftrace", "--version"))
    registry = discover(plugins=False)
    report = analyse(Machine(system), registry, registry.checks)
    assert Status.OK not in {f.status for f in report.findings if f.id.startswith(("bpf.", "perf."))}
    assert by_collector(system, report).startswith(
        "recorded by the collector of kdiag 9.9, which makes no bpf(2)"
    )
    assert by_collector(Recording(FIXTURES / "minimal"), report) == ""


# -- this machine ------------------------------------------------------------------------------------------------------

#: Where the answers differ though both know something: by mechanism.
DIFFER = {
    "programs are not run": re.compile(
        r"tools\.bpftrace|tools\.bpftrace-begin|btf\.bpftool|tools\.bpftool.*"
    ),
    "calls are not made": re.compile(r"bpf\..*|perf\..*|tools\.bcc-(?:opensnoop|runqlat)"),
    "kdiag knows its own interpreter": re.compile(r"kernel\.arch"),
    "the load of the machine": re.compile(r"environment\.stack-memory|kernel\.log"),
}


def collected(output: bytes) -> Report:
    registry = discover(plugins=False)
    return analyse(Machine(Recording(archive(output, "the collector"))), registry, registry.checks)


def differences(one: Report, other: Report) -> list[str]:
    """Findings that the collector answers, and otherwise than kdiag."""
    known = {f.id: f for f in other.findings}
    return [
        f"{f.id}: {f.status.value} ({f.summary}), kdiag: {known[f.id].status.value} ({known[f.id].summary})"
        for f in one.findings
        if f.id in known
        and f.status not in (Status.UNKNOWN, known[f.id].status)
        and known[f.id].status is not Status.UNKNOWN
        and not any(form.fullmatch(f.id) for form in DIFFER.values())
    ]


@pytest.mark.live
@pytest.mark.slow
def test_it_says_of_this_machine_what_kdiag_says() -> None:
    need(Path("/proc/self/mountinfo").exists(), "Linux")
    done = run(["sh"], script())
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    report = collected(done.stdout)
    registry = discover(plugins=False)
    live = analyse(Machine(Live()), registry, registry.checks)
    assert differences(report, live) == []
    assert report.machine.release == live.machine.release
    answered = [f for f in report.findings if f.status is not Status.UNKNOWN]
    assert len(answered) > len(report.findings) // 2
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        members = tar.getmembers()
    assert members[0].name == "recording/recording.json"
    assert {(m.uname, m.gname) for m in members} <= {("", ""), ("root", "root"), ("0", "0")}
    assert not [*Path(os.environ.get("TMPDIR") or "/tmp").glob("kdiag-collect.*")]
