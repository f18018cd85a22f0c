"""This machine itself: what kdiag says about it, against what other programs and plain looking say.

Nothing here goes through kdiag's own readers: `uname`, `zcat`, `stat`, `bpftool` and bpftrace itself are the witnesses.
As root and as nobody. What a witness is missing for is skipped; with KDIAG_TEST_STRICT=1 it fails.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

import kdiag
from kdiag.model import Finding, Report, Status, Works
from kdiag.report.faces.json import render as render_json
from kdiag.system.live import Live
from tests.support.needs import need, need_program, need_root
from tests.support.reports import report_on
from tests.support.users import as_user
from tests.support.waiting import HANG

pytestmark = pytest.mark.live

RELEASE = os.uname().release
TRACEFS_MAGIC = "74726163"


@cache
def report() -> Report:
    return report_on(Live())


def finding(finding_id: str) -> Finding:
    found = report().finding(finding_id)
    assert found is not None, finding_id
    return found


def status(finding_id: str) -> Status:
    return finding(finding_id).status


def said(*command: str, seconds: float = 60) -> str:
    """What a witness prints; its error output as well."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    return done.stdout + done.stderr


def works(capability_id: str) -> Works:
    return next(c.status for c in report().capabilities if c.id == capability_id)


# -- the kernel ----------------------------------------------------------------------------------------------


def test_which_machine() -> None:
    machine = report().machine
    assert machine.release == said("uname", "-r").strip()
    assert machine.arch == said("uname", "-m").strip()
    assert machine.version == said("uname", "-v").strip()
    pretty = said("sh", "-c", '. /etc/os-release; printf %s "$PRETTY_NAME"')
    assert machine.distribution == pretty
    assert machine.user == ("root" if os.geteuid() == 0 else f"uid {os.geteuid()}")
    assert status("kernel.running") is Status.OK


def test_no_check_failed() -> None:
    assert not [f for f in report().findings if "the check itself failed" in f.summary]


def _config() -> dict[str, str]:
    """The configuration by zcat or cat, of the places that every distribution uses."""
    for command in (
        ("zcat", "/proc/config.gz"),
        ("cat", f"/boot/config-{RELEASE}"),
        ("cat", f"/lib/modules/{RELEASE}/config"),
    ):
        if Path(command[1]).exists():
            lines = said(*command).splitlines()
            values = dict(line[7:].split("=", 1) for line in lines if line.startswith("CONFIG_"))
            return values | {
                line[9:-11]: "n" for line in lines if re.fullmatch(r"# CONFIG_\w+ is not set", line)
            }
    return {}


def test_every_option() -> None:
    values = _config()
    need(values, "a kernel configuration")
    assert status("config.source") is Status.OK
    looked = 0
    for found in report().findings:
        if not found.id.startswith("config.") or found.id == "config.source" or not found.evidence:
            continue
        name = found.title.removeprefix("CONFIG_")
        value = values.get(name)
        line = f"# CONFIG_{name} is not set" if value == "n" else f"CONFIG_{name}={value}"
        expected = "no line" if value is None else line
        assert found.evidence[0].observed == expected, found
        if value == "y" and found.status in (Status.FAIL, Status.WARN):
            assert "RANDSTRUCT" in name or "SPLIT" in name or "REDUCED" in name or "FORCE" in name, found
        looked += 1
    assert looked > 50


def test_sysctls() -> None:
    looked = 0
    for found in report().findings:
        name = found.id.removeprefix("sysctl.")
        if name == found.id:
            continue
        path = Path("/proc/sys") / name.replace(".", "/")
        if not path.exists():
            assert found.status is Status.SKIP, found
            continue
        if not os.access(path, os.R_OK):
            assert found.status is Status.UNKNOWN, found
            continue
        value = path.read_text().strip()
        assert found.evidence[0].observed == value, found
        assert re.search(rf"\b{value}\b", found.summary), found
        looked += 1
    assert looked >= 4


def test_modules() -> None:
    modules = Path("/proc/modules")
    if modules.exists():
        assert status("kernel.modules") is Status.OK
        assert str(len(modules.read_text().splitlines())) in finding("kernel.modules").summary
    else:
        assert status("kernel.modules") is Status.FAIL


def test_lockdown() -> None:
    path = Path("/sys/kernel/security/lockdown")
    if path.exists():
        mode = re.search(r"\[(\w+)\]", path.read_text())
        assert mode is not None
        assert status("kernel.lockdown") is (Status.FAIL if mode[1] == "confidentiality" else Status.OK)
        assert mode[1] in finding("kernel.lockdown").summary
    elif works("hello") in (Works.WORKS, Works.CAVEAT):
        assert status("kernel.lockdown") is Status.OK


# -- BTF and headers -----------------------------------------------------------------------------------------


def test_btf_by_bpftool() -> None:
    path = Path("/sys/kernel/btf/vmlinux")
    if not path.exists():
        assert status("btf.vmlinux") is Status.FAIL
        return
    bpftool = need_program("bpftool")
    found = finding("btf.vmlinux")
    assert found.status is Status.OK
    dumped = said(bpftool, "btf", "dump", "file", str(path))
    types = len(re.findall(r"^\[\d+\]", dumped, re.MULTILINE))
    assert f"{types} types" in found.summary
    assert f"{path.stat().st_size} bytes" in found.evidence[0].observed
    functions = len(re.findall(r"^\[\d+\] FUNC '", dumped, re.MULTILINE))
    assert f"{functions} FUNC" in found.evidence[0].observed
    assert "STRUCT 'task_struct'" in dumped


def test_kheaders() -> None:
    served = Path("/sys/kernel/kheaders.tar.xz")
    assert (status("kheaders.archive") is Status.OK) is served.exists()
    value = _config().get("IKHEADERS")
    if value == "n" and not served.exists():
        assert status("kheaders.module") is Status.FAIL
        assert status("kheaders.available") is Status.FAIL


def test_headers() -> None:
    """The very file that bpftrace's clang includes first."""
    found = [
        p for p in ("source", "build") if Path(f"/lib/modules/{RELEASE}/{p}/include/linux/kconfig.h").exists()
    ]
    if found and not os.environ.get("BPFTRACE_KERNEL_SOURCE"):
        assert status("headers.intact") is Status.OK
        assert status("headers.tree") in (Status.OK, Status.WARN, Status.FAIL)
    elif not os.environ.get("BPFTRACE_KERNEL_SOURCE"):
        assert status("headers.tree") is Status.FAIL


# -- tracing file systems ------------------------------------------------------------------------------------


def _magic(path: str) -> str:
    return said("stat", "-f", "-c", "%t", path).strip()


def test_tracing_file_systems() -> None:
    places = [p for p in ("/sys/kernel/tracing", "/sys/kernel/debug/tracing") if _magic(p) == TRACEFS_MAGIC]
    if places:
        assert status("tracing.tracefs") is not Status.FAIL or os.geteuid() != 0
        assert any(place in finding("tracing.tracefs").summary for place in places)
    else:
        assert status("tracing.tracefs") is Status.FAIL
        known = "tracefs" in Path("/proc/filesystems").read_text().split()
        assert ("not mounted" in finding("tracing.tracefs").summary) is known
    assert (status("tracing.debugfs") is Status.OK) is (_magic("/sys/kernel/debug") == "64626720")
    assert (status("tracing.bpffs") is Status.OK) is (_magic("/sys/fs/bpf") == "cafe4a11")


def test_mounts_by_findmnt() -> None:
    need_program("findmnt")
    mounted = said("findmnt", "-n", "-t", "tracefs", "-o", "TARGET").split()
    assert (status("tracing.tracefs") is not Status.FAIL) is bool(mounted)


def test_event_sources() -> None:
    devices = os.listdir("/sys/bus/event_source/devices")
    assert (status("tracing.uprobes") is Status.OK) is ("uprobe" in devices)
    if "kprobe" not in devices:
        assert status("tracing.kprobes") is Status.FAIL


def test_kallsyms() -> None:
    first = said("head", "-1", "/proc/kallsyms").split()
    need(first, "/proc/kallsyms")
    hidden = int(first[0], 16) == 0
    if os.geteuid() == 0:
        assert (status("tracing.kallsyms") is Status.FAIL) is hidden


# -- privileges ----------------------------------------------------------------------------------------------


def test_capabilities_by_capsh() -> None:
    capsh = need_program("capsh")
    mask = re.search(r"CapEff:\s*(\w+)", Path("/proc/self/status").read_text())
    assert mask is not None
    names = said(capsh, f"--decode={mask[1]}").strip().partition("=")[2].split(",")
    held = "cap_sys_admin" in names or {"cap_bpf", "cap_perfmon"} <= set(names)
    assert (status("privileges.capabilities") is Status.OK) is (held and os.geteuid() == 0)
    assert (status("privileges.root") is Status.OK) is (os.geteuid() == 0)
    if os.geteuid() == 0 and "cap_sys_resource" not in names:
        memlock = report().finding("privileges.memlock")
        assert memlock is not None and memlock.summary != "RLIMIT_MEMLOCK can be raised"


def test_user_namespace() -> None:
    own = os.readlink("/proc/self/ns/user") == "user:[4026531837]"
    assert (status("privileges.userns") is Status.OK) is own


def test_container() -> None:
    """Namespaces tell what a left-over /.dockerenv does not."""
    own = os.readlink("/proc/self/ns/pid") == "pid:[4026531836]"
    if own:
        assert status("environment.container") is Status.OK
    else:
        assert status("environment.container") is Status.WARN


# -- what the kernel answers ---------------------------------------------------------------------------------


@cache
def features() -> dict[str, dict[str, object]]:
    bpftool = need_program("bpftool")
    need_root()
    done = subprocess.run(
        [bpftool, "-j", "feature", "probe", "kernel"],
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )
    document: dict[str, dict[str, object]] = json.loads(done.stdout)
    return document


@pytest.mark.parametrize("kind", ["kprobe", "tracepoint", "perf_event", "raw_tracepoint"])
def test_program_types_by_bpftool(kind: str) -> None:
    assert (status(f"bpf.prog.{kind}") is Status.OK) is features()["program_types"][f"have_{kind}_prog_type"]


def test_maps_by_bpftool() -> None:
    assert (status("bpf.map") is Status.OK) is features()["map_types"]["have_array_map_type"]


def test_what_bpftool_reads_of_the_configuration() -> None:
    config = features()["system_config"]
    for name, value in config.items():
        found = report().finding(f"config.{name.removeprefix('CONFIG_')}")
        if name.startswith("CONFIG_") and found is not None and found.evidence and value in ("y", "m"):
            assert f"{name}={value}" in found.evidence[0].observed or "stands in" in found.summary, found


# -- bpftrace itself -----------------------------------------------------------------------------------------

#: Capability -> a program that needs it and ends at once.
PROGRAMS = {
    "hello": "BEGIN { exit(); }",
    "tracepoint-args": "tracepoint:syscalls:sys_enter_openat /0/ {{ @ = str(args{op}filename); }} END_SOON",
    "tracepoint-sched": "tracepoint:sched:sched_process_fork /0/ {{ @ = args{op}child_pid; }} END_SOON",
    "struct": "BEGIN { @ = ((struct task_struct *)curtask)->pid; exit(); }",
    "profile": "profile:hz:99 { exit(); }",
    "software": "software:cpu-clock:1000000 { exit(); }",
    "include": "#include <linux/path.h>\nBEGIN { @ = sizeof(struct path); exit(); }",
    "fentry": "{fentry}:vfs_open {{ exit(); }} END_SOON",
    "kprobe": "kprobe:vfs_read {{ exit(); }} END_SOON",
}  # fmt: skip


@pytest.mark.parametrize("capability_id", PROGRAMS)
def test_bpftrace_agrees(capability_id: str) -> None:
    """The real one runs what is said to work, and refuses what is said to fail."""
    path = need_program("bpftrace")
    need_root()
    need(report().machine.bpftrace not in ("not installed", "version unknown"), "bpftrace's version")
    version = tuple(int(part) for part in report().machine.bpftrace.split("."))
    assert said(path, "--version").split()[-1].lstrip("v").startswith(report().machine.bpftrace)
    text = PROGRAMS[capability_id]
    if "{{" in text:
        fentry = "kfunc" if version < (0, 20, 0) else "fentry"
        text = text.format(op="->" if version < (0, 19, 0) else ".", fentry=fentry)
    text = text.replace("END_SOON", "interval:ms:1 { exit(); }")
    done = subprocess.run([path, "-e", text], capture_output=True, text=True, timeout=HANG, check=False)
    predicted = works(capability_id)
    output = (
        f"predicted {predicted.value}, status {done.returncode}: {done.stdout[-300:]}{done.stderr[-600:]}"
    )
    if predicted is Works.WORKS:
        assert done.returncode == 0, output
        assert "ERROR" not in done.stderr or "RLIMIT_MEMLOCK" in done.stderr, output
    elif predicted is Works.FAILS:
        # bpftrace up to 0.23 attaches nothing, says so, and ends with 0.
        assert done.returncode != 0 or re.search(
            r"No such file|WARNING|not traceable|Error attaching", done.stderr
        ), output


# -- as nobody -----------------------------------------------------------------------------------------------


def _import_everything() -> None:
    """A child that has given up its rights may not be able to read Python's own files."""
    for module in pkgutil.walk_packages(kdiag.__path__, "kdiag."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in (
        "lzma",
        "bz2",
        "gzip",
        "zlib",
        "resource",
        "sqlite3",
        "difflib",
        "tempfile",
        "elftools.elf.elffile",
        "distro",
        "pickle",
    ):
        importlib.import_module(name)


@cache
def nobodys() -> dict[str, dict[str, str]]:
    """The findings for uid 65534 on this machine."""
    need_root()
    report()
    _import_everything()
    work: Callable[[], str] = lambda: render_json(report_on(Live()))  # noqa: E731
    document = json.loads(as_user(65534, work))
    return {
        f["id"]: f
        for f in (
            *document["findings"],
            *({**c, "id": f"capability {c['id']}"} for c in document["capabilities"]),
        )
    }


def test_nobody_is_no_root() -> None:
    mine = nobodys()
    assert mine["privileges.root"]["status"] == "fail"
    assert mine["privileges.capabilities"]["status"] == "fail"
    assert {
        mine[f"capability {name}"]["status"] for name in ("hello", "tracepoint-args", "kprobe", "bcc-tools")
    } == {"fails"}


def test_nobody_reads_what_is_readable() -> None:
    """0444 files tell nobody the same as root; that is no privilege."""
    mine = nobodys()
    for finding_id in (
        "kernel.running",
        "btf.vmlinux",
        "config.source",
        "kernel.modules",
        "environment.vm",
        "headers.tree",
    ):
        assert mine[finding_id]["status"] == status(finding_id).value, mine[finding_id]
    options = [f for f in report().findings if f.id.startswith("config.")]
    assert all(mine[f.id]["status"] == f.status.value for f in options)


def test_nobody_is_told_nothing_wrong() -> None:
    """What only root can see is unknown to nobody, or told from the configuration; it is never the opposite."""
    mine = nobodys()
    about_the_user = {
        "privileges.root",
        "privileges.capabilities",
        "privileges.memlock",
        "tracing.kallsyms",
        "privileges.no-new-privs",
        "bpf.listing",
        "tools.bpftool-feature",
    }
    for found in report().findings:
        if found.id in about_the_user or found.id.startswith(
            ("sysctl.", "perf.", "headers.", "kheaders.leftover")
        ):
            continue
        theirs = mine[found.id]["status"]
        if {theirs, found.status.value} == {"ok", "fail"}:
            pytest.fail(
                f"root: {found.status.value} {found.summary}; nobody: {theirs} {mine[found.id]['summary']}"
            )


def test_nobody_is_told_what_root_would_add() -> None:
    mine = nobodys()
    adds = [f for f in mine.values() if f.get("status") == "unknown" and not f["id"].startswith("capability")]
    for found in adds:
        assert any(found.get(key) for key in ("with_root", "causes", "reason", "evidence")), found


# -- the same machine in another state ------------------------------------------------------------------------


def in_another_state(setup: str, program: str = "") -> tuple[dict[str, dict[str, str]], int]:
    """The findings in a mount namespace of our own after `setup`, and the status of a bpftrace program there."""
    need_root()
    need_program("unshare")
    script = f"{{ {setup}; }} || exit 99\n{sys.executable} -m kdiag check --format json\n"
    if program:
        script += f"bpftrace -e '{program}' >/dev/null 2>&1; echo $? >&2\n"
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, timeout=HANG, check=False
    )
    need(done.returncode != 99, f"a mount namespace where this works: {setup}")
    document = json.loads(done.stdout)
    rows = (*document["findings"], *({**c, "id": f"capability {c['id']}"} for c in document["capabilities"]))
    return {row["id"]: row for row in rows}, int(done.stderr.split()[-1]) if program else 0


MOUNTED = (
    "grep -q ' /sys/kernel/tracing tracefs' /proc/mounts || mount -t tracefs tracefs /sys/kernel/tracing"
)
TRACEPOINT = "tracepoint:syscalls:sys_enter_openat /0/ { @ = str(args->filename); } interval:ms:1 { exit(); }"


def test_with_tracefs_mounted() -> None:
    need("tracefs" in Path("/proc/filesystems").read_text().split(), "a kernel with tracefs")
    need_program("bpftrace")
    there, ended = in_another_state(MOUNTED, TRACEPOINT)
    assert there["tracing.tracefs"]["status"] == "ok"
    assert there["capability tracepoint-args"]["status"] == ("works" if ended == 0 else "fails"), ended


def test_with_tracefs_hidden() -> None:
    need_program("bpftrace")
    setup = "mount -t tmpfs none /sys/kernel/tracing && mount -t tmpfs none /sys/kernel/debug"
    there, ended = in_another_state(setup, TRACEPOINT)
    assert there["tracing.tracefs"]["status"] == "fail"
    assert there["capability tracepoint-args"]["status"] == "fails"
    assert ended != 0


def test_without_bpftrace() -> None:
    """Not installed: everything of bpftrace fails for that reason, and the machine is still described."""
    path = os.path.realpath(need_program("bpftrace"))
    there, _ = in_another_state(f"mount --bind /dev/null {path}")
    assert there["tools.bpftrace"]["status"] == "fail"
    assert there["capability hello"]["status"] == "fails"
    assert "bpftrace" in there["capability hello"]["because"]
    assert there["btf.vmlinux"]["status"] == status("btf.vmlinux").value


def test_with_btf_hidden() -> None:
    need(Path("/sys/kernel/btf/vmlinux").exists(), "a kernel with BTF")
    there, _ = in_another_state("mount -t tmpfs none /sys/kernel/btf")
    assert there["btf.vmlinux"]["status"] == "fail"
    assert there["capability core-tools"]["status"] == "fails" or there["btf.fallback"]["status"] == "ok"


def test_in_a_user_namespace_with_the_map_of_the_machine() -> None:
    """systemd's PrivateUsers=identity: every uid is itself, and no capability counts for the kernel."""
    need_root()
    code = (
        "import ctypes, os, sys\n"
        "ready, mapped = os.pipe(), os.pipe()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    done = ctypes.CDLL(None, use_errno=True).unshare(0x10000000)\n"
        "    os.write(ready[1], b'y' if done == 0 else b'n')\n"
        "    os.read(mapped[0], 1)\n"
        "    if done: os._exit(99)\n"
        "    os.execv(sys.executable, [sys.executable, '-m', 'kdiag', 'check', '--format', 'json'])\n"
        "if os.read(ready[0], 1) == b'y':\n"
        "    for name in ('uid_map', 'gid_map'):\n"
        "        with open(f'/proc/{child}/{name}', 'w') as file: file.write('0 0 4294967295')\n"
        "os.write(mapped[1], b'x')\n"
        "os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=HANG, check=False
    )
    need(done.returncode != 99, "user namespaces")
    rows = {row["id"]: row for row in json.loads(done.stdout)["findings"]}
    assert rows["privileges.userns"]["status"] == "fail"
    assert {e["source"]: e["observed"] for e in rows["privileges.userns"]["evidence"]}[
        "/proc/self/uid_map"
    ] == "0 0 4294967295"
    for finding_id in ("bpf.map", "bpf.prog.kprobe"):
        assert "user namespace" in rows[finding_id]["reason"], rows[finding_id]


def test_without_sys() -> None:
    """Nothing can be mounted below a /sys that is not there: the step that helps comes first."""
    there, _ = in_another_state("mount --make-rprivate / && umount -l /sys")
    assert there["environment.sysfs"]["status"] == "fail"
    assert "mount -t sysfs" in json.dumps(there["environment.sysfs"]["remedies"])
    for finding_id in ("tracing.tracefs", "tracing.debugfs", "tracing.bpffs"):
        assert "empty mount point" not in there[finding_id]["reason"]
        assert not there[finding_id]["remedies"], there[finding_id]
    assert "environment.sysfs" in there["tracing.tracefs"]["causes"]


def test_with_a_proc_of_processes_only() -> None:
    """subset=pid (5.8): what is absent there, the kernel may well have."""
    there, _ = in_another_state("mount -t proc -o subset=pid proc /proc")
    for finding_id, row in there.items():
        if finding_id.startswith("sysctl."):
            assert row["status"] == "unknown", row
    assert "not shown" in there["tracing.kallsyms"]["summary"]
    assert "not shown" in there["kernel.modules"]["summary"]


def test_with_proc_hidden() -> None:
    """bpftrace works then; kdiag cannot see who asks, and must not call it missing."""
    there, _ = in_another_state("mount -t tmpfs none /proc")
    for finding_id in ("privileges.capabilities", "privileges.userns", "kernel.modules"):
        assert there[finding_id]["status"] == "unknown", there[finding_id]
    assert there["capability hello"]["status"] != "fails", there["capability hello"]
