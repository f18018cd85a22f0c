"""Messages of libbpf (src/libbpf.c, src/btf.c, src/features.c): those about BTF, tracefs, permissions and attaching.

libbpf prints the errno as text, with its number in older releases: `Permission denied(13)`, `Operation not permitted
(-1)`, `-EPERM`. EPERM is a missing capability, seccomp or lockdown; EACCES of bpf(2) is the verifier's, where its log is
printed, else a security module's.
"""

from __future__ import annotations

from kdiag.knowledge.tools.message import BPF_REFUSED, Message

_EPERM = r"(-?EPERM|-1\b|Operation not permitted)"
_EACCES = r"(-?EACCES|-13\b|Permission denied)"
_BPF = BPF_REFUSED
_PERF = (
    "perf.events",
    "privileges.seccomp",
    "privileges.capabilities",
    "privileges.root",
    "privileges.userns",
    "sysctl.kernel.perf_event_paranoid",
    "privileges.lsm",
    "kernel.lockdown",
)
_BTF = ("btf.vmlinux", "btf.readers", "btf.bpftool", "btf.bpftrace")

LIBBPF = (
    Message(
        "libbpf.trivial-policy",
        rf"Error in \S+\(\): ?{_EACCES}.{{0,8}}\. Couldn't (load trivial BPF program|create simple array map)",
        "cause",
        ("privileges.lsm",),
        "bpf() refused even a trivial program with EACCES (13). A missing capability is EPERM (1); EACCES comes from a "
        "security module (SELinux's class bpf, a BPF LSM program).",
        example="libbpf: Error in bpf_object__probe_loading():Permission denied(13). Couldn't load trivial BPF program. "
        "Make sure your kernel supports BPF (CONFIG_BPF_SYSCALL=y) and/or that RLIMIT_MEMLOCK is set to big enough value.",
        misleads="Neither CONFIG_BPF_SYSCALL nor RLIMIT_MEMLOCK is meant by EACCES: the line suggests both after any failure.",
    ),
    Message(
        "libbpf.trivial-denied",
        rf"Error in \S+\(\): ?{_EPERM}.{{0,8}}\. Couldn't (load trivial BPF program|create simple array map)",
        "cause",
        _BPF,
        "bpf() refused even a trivial program with EPERM (1): a capability is missing, this root is a user namespace's, "
        "seccomp or lockdown forbids it; on kernels before 5.11 also the limit of locked memory.",
        example="libbpf: Error in bpf_object__probe_loading():Operation not permitted(1). Couldn't load trivial BPF program. "
        "Make sure your kernel supports BPF (CONFIG_BPF_SYSCALL=y) and/or that RLIMIT_MEMLOCK is set to big enough value.",
        misleads="RLIMIT_MEMLOCK is a guess that is printed after any failure; kernels since 5.11 do not count BPF memory there.",
    ),
    Message(
        "libbpf.map-policy",
        rf"map '(?P<map>[^']*)': failed to create: {_EACCES}",
        "cause",
        ("privileges.lsm",),
        "bpf() refused to create a map with EACCES (13), which is a security module's answer; a missing capability is "
        "EPERM (1).",
        example="libbpf: map 'events': failed to create: Permission denied(-13)",
    ),
    Message(
        "libbpf.map-denied",
        rf"map '(?P<map>[^']*)': failed to create: {_EPERM}",
        "cause",
        _BPF,
        "bpf() refused to create a map with EPERM (1): a capability is missing, or seccomp or lockdown forbids it.",
        example="libbpf: map 'events': failed to create: Operation not permitted(-1)",
    ),
    Message(
        "libbpf.map-kind",
        r"map '(?P<map>[^']*)': failed to create: (-?EINVAL|-22\b|Invalid argument)",
        "cause",
        ("bpf.ringbuf", "environment.sysfs"),
        "The kernel does not know this kind of map (a ring buffer before Linux 5.8), or not with these flags or sizes.",
        example="libbpf: map 'events': failed to create: Invalid argument(-22)",
    ),
    Message(
        "libbpf.load-denied",
        rf"prog '(?P<program>[^']*)': BPF program load failed: {_EPERM}",
        "cause",
        _BPF,
        "bpf() refused the program with EPERM (1): a capability is missing, or seccomp or lockdown forbids it.",
        example="libbpf: prog 'handle_exec': BPF program load failed: Operation not permitted",
    ),
    Message(
        "libbpf.load-refused",
        r"prog '(?P<program>[^']*)': (BPF program load failed|failed to load): (?P<errno>.+)",
        "consequence",
        (),
        "The kernel refused the program. The verifier's log, if it is there, ends with the line that says why: EACCES "
        "(13) and EINVAL (22) are usually the verifier's.",
        example="libbpf: prog 'sys_exit': failed to load: -22",
        misleads="`Permission denied` here is usually the verifier's answer about memory, not a missing privilege.",
    ),
    Message(
        "libbpf.object-failed",
        r"failed to load (object|BPF skeleton) '(?P<object>[^']*)'",
        "consequence",
        (),
        "The sum of the errors above.",
        example="libbpf: failed to load object 'execsnoop_bpf'",
    ),
    Message(
        "libbpf.memlock",
        r"Failed to bump RLIMIT_MEMLOCK|setrlimit failed|setrlimit\(RLIMIT_MEMLOCK\)|[Ff]ailed to (increase|set) (RLIMIT_MEMLOCK|rlimit)|removing memlock",
        "cause",
        ("privileges.root", "privileges.capabilities", "privileges.userns", "privileges.memlock"),
        "The limit of locked memory could not be raised: CAP_SYS_RESOURCE is missing. Alone it matters on kernels before "
        "5.11; where the privileges for bpf() are missing too, they are the cause.",
        example="libbpf: Failed to bump RLIMIT_MEMLOCK (err = -1), you might need to do it explicitly!",
        misleads="Raising the limit does not help where the tool is not run as root.",
    ),
    Message(
        "libbpf.perf-denied",
        r"perf_event_open\(\) failed: (Permission denied|Operation not permitted|-?EACCES|-?EPERM|-13|-1\b)",
        "cause",
        _PERF,
        "perf_event_open() refused the event: CAP_PERFMON or CAP_SYS_ADMIN is missing, perf_event_paranoid is strict "
        "(Debian's and Ubuntu's 3 and 4 require CAP_SYS_ADMIN), or a seccomp filter forbids the call.",
        example="libbpf: tracepoint 'syscalls/sys_enter_connect' perf_event_open() failed: -EACCES",
    ),
    Message(
        "libbpf.perf-absent",
        r"perf_event_open\(\) failed: (No such file or directory|-?ENOENT|-2\b)",
        "cause",
        ("tracing.kprobes", "tracing.uprobes", "perf.events"),
        "The kernel has no such probe: the function does not exist (or is inlined), or kprobes and uprobes are not built in.",
        example="libbpf: prog 'do_open': failed to create kprobe 'do_sys_openat3+0x0' perf event: perf_event_open() failed: No such file or directory",
    ),
    Message(
        "libbpf.kprobe-missing",
        r"failed to (create|attach|auto-attach):? ?(kprobe|kretprobe|uprobe)? ?'?(?P<function>[^' ]*)'? ?.{0,60}(-ENOENT|-2\b|No such file or directory)",
        "cause",
        ("tracing.kprobes", "tracing.tracefs"),
        "What the program is attached to does not exist on this kernel, or tracefs does not show it.",
        example="libbpf: prog 'blk_account_io_start': failed to create kprobe 'blk_account_io_start+0x0' perf event: No such file or directory",
    ),
    Message(
        "libbpf.auto-attach",
        r"failed to (auto-)?attach",
        "consequence",
        ("tracing.tracefs", "tracing.kprobes", "perf.events", "privileges.capabilities", "privileges.root"),
        "The program was loaded and could not be attached; the line above says why.",
        example="libbpf: prog 'tp': failed to auto-attach: -13",
    ),
    Message(
        "libbpf.attach-target-missing",
        r"(prog '(?P<program>[^']*)': )?failed to find kernel BTF type ID of '(?P<function>[^']+)'|(?<!\S)(?P<target>\S+) is not found in vmlinux BTF",
        "cause",
        _BTF,
        "The function that fentry or a typed raw tracepoint names is not in the BTF of this kernel: it has another name "
        "here, is inlined, or belongs to a module.",
        example="libbpf: prog 'fentry_XXXX': failed to find kernel BTF type ID of 'do_unlinkat2': -3",
    ),
    Message(
        "libbpf.core-relocation",
        r"failed to (perform CO-RE relocations?|relocate)|relocation failed|bad CO-RE relocation|invalid CO-RE relocation",
        "cause",
        _BTF,
        "A field or type that the program was compiled with is not in the BTF of this kernel, or there is no BTF.",
        example="libbpf: failed to perform CO-RE relocations: -3",
    ),
    Message(
        "libbpf.core-substituted",
        r"unknown opcode|invalid func unknown#195896080",
        "consequence",
        _BTF,
        "libbpf replaced an access that it could not relocate by an invalid call: the field is not in this kernel.",
        example="invalid func unknown#195896080",
        misleads="No helper is missing: 195896080 is 0xbad2310, libbpf's mark for a failed relocation.",
    ),
    Message(
        "libbpf.own-btf",
        r"Error loading \.BTF into kernel: (?P<errno>[^.]+)\.|BTF is required, but is missing or corrupted",
        "cause",
        (),
        "The kernel refused the BTF of the program itself (not the kernel's): it is older than what the program's compiler "
        "made, or the object file holds none.",
        example="libbpf: Error loading .BTF into kernel: -22. BTF is mandatory, can't proceed.",
        misleads="The kernel's own BTF in /sys/kernel/btf is not meant.",
    ),
    Message(
        "libbpf.btf-kind",
        r"(btf: type \[\d+\]: unrecognized kind|[Uu]nsupported BTF_KIND:|unknown BTF kind|BTF type \[\d+\] is malformed|Failed to parse BTF)\s*(?P<kind>\d*)",
        "cause",
        ("btf.readers", "btf.bpftool", "btf.bpftrace", "btf.vmlinux"),
        "This libbpf does not know a kind that the kernel's BTF uses (19 is ENUM64, of kernels since 6.0, read by libbpf "
        "1.0): the tool is older than the kernel.",
        example="libbpf: Unsupported BTF_KIND:19",
        misleads="The kernel's BTF is not broken.",
    ),
    Message(
        "libbpf.ksym",
        r"extern \((var|func) ksym\) '(?P<symbol>[^']+)': not found in kernel( or module)? BTFs?",
        "cause",
        ("btf.vmlinux", "btf.kfuncs"),
        "The program requires a variable or function of the kernel that is not in its BTF.",
        example="libbpf: extern (func ksym) 'bpf_task_acquire': not found in kernel or module BTFs",
    ),
    Message(
        "libbpf.kconfig",
        r"failed to open system Kconfig|extern \(kcfg\) '(?P<option>[^']+)'",
        "cause",
        ("config.source",),
        "The program asks for the kernel's configuration, and libbpf found neither /boot/config-R nor /proc/config.gz.",
        example="libbpf: failed to open system Kconfig",
    ),
    Message(
        "libbpf.elf",
        r"elf: (?P<what>.{1,120}) (is not a valid eBPF object file|is not a proper ELF object|as ELF file)",
        "cause",
        (),
        "The file that was given is no BPF object file.",
        example="libbpf: elf: x.o is not a valid eBPF object file",
    ),
    Message(
        "libbpf.legacy-maps",
        r"legacy map definitions in 'maps' section are not supported by libbpf v1\.0",
        "cause",
        (),
        "The object file was made for libbpf before 1.0.",
        example="libbpf: elf: legacy map definitions in 'maps' section are not supported by libbpf v1.0+",
    ),
    Message(
        "libbpf.bpffs",
        r"specified path (?P<path>\S+) is not on BPF FS|failed to pin map",
        "cause",
        ("tracing.bpffs",),
        "Maps and programs can be pinned in a mounted bpffs only.",
        example="libbpf: specified path /sys/fs/bpf/x is not on BPF FS",
    ),
)
