"""bpftrace's programs: what each is called, which capabilities it stands on, its script, its event and the proof.

A script prints lines that begin with the unique name of the process that causes the events, and the proof is such
a line with something in it that only this very event has. All scripts are written for one release's spelling.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from kdiag.smoke.programs.program import SYSTEM_PYTHON, Program, Scene, Shown, Skip, libc
from kdiag.smoke.programs.usdt import find
from kdiag.trust.program import distrusted

#: Where distributions put bpftrace's own tools.
_TOOL_DIRS = ("/usr/sbin", "/usr/bin", "/usr/share/bpftrace/tools", "/usr/local/share/bpftrace/tools")


def _script(write: Callable[[Scene], str]) -> Callable[[Scene], tuple[str, ...]]:
    return lambda scene: ("-e", write(scene))


def _line(pattern: Callable[[Scene], str]) -> Callable[[Scene, Shown], str]:
    return lambda scene, _: scene.said(pattern(scene))


# -- first session --------------------------------------------------------------------------------------------------


def _hello(s: Scene) -> str:
    # Without the clock, which is the kernel's answer, this would be a program for perl and gawk, too.
    return f"BEGIN {{ {s.say('hello %d %lu', '6 * 7', 'nsecs')} exit(); }}"


def _openat(s: Scene) -> str:
    say = s.say("openat %d %s", "pid", f"str({s.args}filename)")
    return f"tracepoint:syscalls:sys_enter_openat {s.mine} {{ {say} }}"


def _state(s: Scene) -> str:
    if not s.cause.port:
        raise Skip("no TCP connection over the loopback is possible here; try `ip link set lo up`")
    say = s.say("port %d state %d", f"{s.args}dport", f"{s.args}newstate")
    return f"tracepoint:sock:inet_sock_set_state /{s.args}dport == {s.cause.port}/ {{ {say} }}"


def _fork(s: Scene) -> str:
    # The probe fires in the parent.
    return f"tracepoint:sched:sched_process_fork {s.mine} {{ {s.say('child %d', f'{s.args}child_pid')} }}"


def _forked(s: Scene, shown: Shown) -> str:
    return s.said(f"child ({'|'.join(map(s.pid, shown.answers)) or '(?!)'})")


# -- kernel functions and types -------------------------------------------------------------------------------------


def _rawtracepoint(s: Scene) -> str:
    if s.behaviour.rawtracepoint == "absent" and s.behaviour.known:
        raise Skip("rawtracepoint probes require bpftrace 0.18 or newer")
    return f"rawtracepoint:sched_process_fork {s.mine} {{ {s.say('fork %d', 'pid')} }}"


def _kprobe(s: Scene) -> str:
    return f"kprobe:vfs_open {s.mine} {{ {s.say('open %d', 'pid')} }}"


def _kprobes(s: Scene) -> str:
    # Without `func`: its name comes from /proc/kallsyms, which is another capability.
    return f"kprobe:vfs_read* {s.mine} {{ {s.say('read %d', 'pid')} }}"


def _task(s: Scene) -> str:
    say = s.say("task %d %s", "$task->tgid", "$task->comm")
    # By way of an integer: newer releases know curtask's type and warn of a cast that changes nothing.
    return f"BEGIN {{ $task = (struct task_struct *)(uint64)curtask; {say} exit(); }}"


def _own_task(s: Scene, shown: Shown) -> str:
    return s.said(rf"task {s.pid(shown.pid)} \S.*")


def _path(s: Scene) -> str:
    say = s.say("path %s", "str(((struct path *)arg0)->dentry->d_name.name)")
    return f"kprobe:vfs_open {s.mine} {{ {say} }}"


def _path_with_headers(s: Scene) -> str:
    return f"#include <linux/path.h>\n#include <linux/dcache.h>\n{_path(s)}"


def _constant(s: Scene) -> str:
    # A macro that BTF and the user-space headers do not have, in a small header. It includes asm/errno.h, one of the
    # architecture's generated files: a tree that lacks them, or has another architecture's, is found out.
    return f"#include <linux/errno.h>\nBEGIN {{ {s.say('errno %d', 'ERESTARTSYS')} exit(); }}"


def _fentry(s: Scene) -> str:
    name = s.behaviour.fentry_spelling
    if name is None:
        raise Skip("this release of bpftrace has no fentry (kfunc) probes")
    return f"{name}:vfs_open {s.mine} {{ {s.say('path %s', f'str({s.args}path->dentry->d_name.name)')} }}"


# -- processes ------------------------------------------------------------------------------------------------------


def _uprobe(s: Scene) -> str:
    return f"uprobe:{libc(s)}:getppid {s.mine} {{ {s.say('getppid %d', 'pid')} }}"


def _usdt(s: Scene) -> tuple[str, ...]:
    # Since 0.24 (libbpf) the kernel raises semaphores for everybody; before, bcc does it for one process, with -p.
    # libbpf in its turn needs a kernel of 5.15 (BPF cookies) for probes of shared libraries: our program first.
    by_kernel = s.behaviour.version >= (0, 24, 0)
    probe = find(s.cause.objects(), avoid_semaphores=not by_kernel)
    if probe is None:
        raise Skip("no USDT probe at hand: neither Python nor its C library was built with any")
    script = f"usdt:{probe.path}:{probe.provider}:{probe.name} {s.mine} {{ {s.say('usdt %d', 'pid')} }}"
    return (*(("-p", str(s.cause.pid)) if probe.semaphore and not by_kernel else ()), "-e", script)


# -- sampling, lists, tools -----------------------------------------------------------------------------------------


def _sampling(probe: str, word: str) -> Callable[[Scene], str]:
    return lambda s: f"{probe} {s.mine} {{ {s.say(f'{word} %d', 'pid')} }}"


def _kstack(s: Scene) -> str:
    return f"profile:hz:99 {s.mine} {{ {s.say('stack%s', 'kstack')} }}"


def _stack(s: Scene, _: Shown) -> str:
    # Frames are indented lines below ours. /dev/zero is being read: vfs_read and the system call are on the way to
    # every sample, but an unwinder by frame pointers leaves out the caller of a function without a frame of its own.
    return rf"^{re.escape(s.cause.comm)} stack\n(?:[ \t]+\S.*\n)*?[ \t]+\w*(?:vfs|sys)_read\w*\+\d+\n"


def _iter(s: Scene) -> str:
    if s.behaviour.iterators == "none" and s.behaviour.known:
        raise Skip("iterators require bpftrace 0.12 or newer")
    return f"iter:task {{ {s.say('task %d %s', 'ctx->task->pid', 'ctx->task->comm')} }}"


def _tool(_: Scene) -> tuple[str, ...]:
    # opensnoop.bt requires open(2), which only older architectures have.
    name = "opensnoop.bt" if os.uname().machine in ("x86_64", "i686") else "execsnoop.bt"
    path = next((p for p in (f"{d}/{name}" for d in _TOOL_DIRS) if os.path.isfile(p)), None)
    if path is None:
        raise Skip(f"{name} is not installed in {', '.join(_TOOL_DIRS[:3])}")
    why = distrusted(path)
    if why:
        raise Skip(f"{path} was not run: {why}")
    return (path,)


_NAMELESS = (
    r" stack\n\s+(0x)?[0-9a-f]{8,16}\n",
    "kernel stacks come as bare addresses: /proc/kallsyms shows none to this user",
)

PROGRAMS: tuple[Program, ...] = (
    Program("hello", "hello (BEGIN)", ("hello",), _script(_hello), _line(lambda _: r"hello 42 [1-9]\d{8,}")),
    Program("tracepoint-args", "openat tracepoint with str(filename)", ("tracepoint-args",), _script(_openat),
            _line(lambda s: f"openat {s.pid(s.cause.pid)} {re.escape(s.cause.name)}"), "openat"),
    Program("tracepoint-net", "TCP connection over the loopback", ("tracepoint-net",), _script(_state),
            _line(lambda s: f"port {s.cause.port} state 1"), "tcp"),  # TCP_ESTABLISHED
    Program("tracepoint-sched", "fork tracepoint with the child's pid", ("tracepoint-sched",), _script(_fork),
            _forked, "fork"),
    Program("rawtracepoint", "raw tracepoint", ("rawtracepoint",), _script(_rawtracepoint),
            _line(lambda s: f"fork {s.pid(s.cause.pid)}"), "fork"),
    Program("kprobe", "kprobe", ("kprobe",), _script(_kprobe), _line(lambda s: f"open {s.pid(s.cause.pid)}"), "open"),
    Program("kprobe-multi", "kprobe wildcard", ("kprobe-multi",), _script(_kprobes),
            _line(lambda s: f"read {s.pid(s.cause.pid)}"), "read"),
    Program("struct", "task_struct without #include", ("struct",), _script(_task), _own_task,
            begins=True),
    Program("kprobe-struct", "kprobe, struct path without #include", ("struct", "kprobe"), _script(_path),
            _line(lambda s: f"path {re.escape(s.cause.label)}"), "open"),
    Program("kprobe-include", "kprobe, struct path with #include", ("include", "kprobe"), _script(_path_with_headers),
            _line(lambda s: f"path {re.escape(s.cause.label)}"), "open", heavy=True),
    Program("include", "constant that only headers have", ("include",), _script(_constant),
            _line(lambda _: "errno 512"), heavy=True, begins=True),
    Program("fentry", "fentry with arguments", ("fentry",), _script(_fentry),
            _line(lambda s: f"path {re.escape(s.cause.label)}"), "open"),
    Program("uprobe", "uprobe in our own process", ("uprobe",), _script(_uprobe),
            _line(lambda s: f"getppid {s.pid(s.cause.pid)}"), "getppid", elsewhere=(SYSTEM_PYTHON,)),
    Program("usdt", "USDT probe in our own process", ("usdt",), _usdt,
            _line(lambda s: f"usdt {s.pid(s.cause.pid)}"), "usdt", elsewhere=(SYSTEM_PYTHON,)),
    Program("profile", "profile of our own process", ("profile",), _script(_sampling("profile:hz:99", "sample")),
            _line(lambda s: f"sample {s.pid(s.cause.pid)}"), "compute"),
    Program("software", "page faults (software event)", ("software",),
            _script(_sampling("software:page-faults:100", "fault")),
            _line(lambda s: f"fault {s.pid(s.cause.pid)}"), "fault"),
    Program("hardware", "CPU cycles (hardware event)", ("hardware",),
            _script(_sampling("hardware:cycles:1000000", "cycles")),
            _line(lambda s: f"cycles {s.pid(s.cause.pid)}"), "compute"),
    Program("kstack", "kernel stack with symbols", ("kstack",), _script(_kstack), _stack, "stay_in_kernel",
            almost=_NAMELESS),
    Program("iter", "list of tasks (iterator)", ("iter",), _script(_iter),
            _line(lambda s: f"task {s.pid(s.cause.pid)} {s.cause.comm}")),
    Program("stock-tools", "a stock .bt tool", ("stock-tools",), _tool,
            lambda s, _: rf"\b{re.escape(s.cause.name)}\b", "snoop", heavy=True),
)  # fmt: skip
