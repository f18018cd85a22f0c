"""The table behind `kdiag.knowledge.tools.messages`.

Wordings are bpftrace's (the file in src/ is named per group), libbpf's (src/libbpf.c, src/btf.c), bcc's
(src/cc), clang's and modprobe's; meanings were established from those sources and from runs on booted
kernels, and say "probably" where they were not. Within the table the particular comes before the general.
"""

from __future__ import annotations

from kdiag.knowledge.tools.message import BPF_REFUSED, PERF_REFUSED, Message
from kdiag.knowledge.tools.messages_kernel import KERNEL
from kdiag.knowledge.tools.messages_libbpf import LIBBPF
from kdiag.knowledge.tools.messages_programs import PROGRAMS

_R = "(?P<release>[^ /'\"]+)"

# bpftrace src/main.cpp, src/run_bpftrace.cpp, src/lockdown.cpp, src/symbols/kernel.cpp.
_START = (
    Message(
        "bpftrace.capability",
        r"Missing (?P<capability>CAP_[A-Z_]+) capability",
        "stop",
        ("privileges.capabilities", "privileges.root"),
        "bpftrace needs root, or CAP_SYS_ADMIN (or CAP_BPF and CAP_PERFMON) together with "
        "CAP_DAC_READ_SEARCH and CAP_DAC_OVERRIDE; it names the first one that is missing.",
        since=(0, 25, 0),
        example="ERROR: Missing CAP_DAC_READ_SEARCH capability, please run bpftrace as the root user.",
    ),
    Message(
        "bpftrace.root-only",
        r"bpftrace currently only supports running as the root user",
        "stop",
        ("privileges.root",),
        "This release only looks whether the effective user is root; capabilities do not help. Use sudo.",
        until=(0, 24, 2),
        example="ERROR: bpftrace currently only supports running as the root user.",
        misleads="Capabilities given to the program (setcap) do not help: this release compares the user's number with 0.",
    ),
    Message(
        "bpftrace.lockdown",
        r"Kernel lockdown is enabled and set to 'confidentiality'",
        "stop",
        ("kernel.lockdown",),
        "bpftrace read `confidentiality` in /sys/kernel/security/lockdown. Nothing can be traced then until the "
        "machine boots with lockdown at none or integrity (often tied to Secure Boot).",
        since=(0, 10, 0),
        example="Kernel lockdown is enabled and set to 'confidentiality'. Lockdown mode blocks",
        misleads="The page that it links to (INSTALL.md#disable-lockdown) is gone.",
    ),
    Message(
        "bpftrace.events-denied",
        r"Error reading events from (?P<path>\S+) \(Operation not permitted\)",
        "stop",
        (
            "kernel.lockdown",
            "tracing.tracefs",
            "privileges.capabilities",
            "privileges.root",
            "privileges.userns",
        ),
        "tracefs is there but may not be read. As root this is probably kernel lockdown at "
        "confidentiality: the release reads tracefs before it looks at lockdown, so the plain message "
        "never comes.",
        since=(0, 25, 0),
        example="ERROR: Failed to open kernel function info: Error reading events from /sys/kernel/debug/tracing/available_events (Operation not permitted)",
        misleads="It reads like a missing privilege; more capabilities do not help against lockdown.",
    ),
    Message(
        "bpftrace.events-absent",
        r"Error reading events from (?P<path>\S+) \((?P<reason>[^)]*)\)",
        "stop",
        (
            "tracing.tracefs",
            "tracing.first-path",
            "privileges.capabilities",
            "privileges.root",
            "kernel.lockdown",
            "privileges.userns",
        ),
        "Since 0.25 bpftrace reads the list of events before anything else, so without a mounted, "
        "readable tracefs not even BEGIN runs.",
        since=(0, 25, 0),
        example="ERROR: Failed to open kernel function info: Error reading events from /sys/kernel/tracing/available_events (No such file or directory)",
    ),
    Message(
        "bpftrace.modules-absent",
        r"Error reading modules from /proc/modules",
        "stop",
        ("kernel.modules", "config.MODULES"),
        "This release insists on /proc/modules, which a kernel built without modules does not have; 0.26 "
        "does not.",
        since=(0, 25, 0),
        until=(0, 25, 1),
        example="ERROR: Error reading modules from /proc/modules",
    ),
    Message(
        "bpftrace.kernel-too-old",
        r"is lower than the minimum supported kernel version",
        "harmless",
        (),
        "The kernel is older than upstream tests with. bpftrace goes on; some features may be missing.",
        since=(0, 25, 0),
        example="WARNING: Kernel version (5.10.0-32-amd64) is lower than the minimum supported kernel version (5.15.0). Some features/scripts may not work as expected.",
    ),
    Message(
        "bpftrace.memlock",
        r"couldn't set RLIMIT(_MEMLOCK)? for bpftrace",
        "harmless",
        ("privileges.memlock",),
        "bpftrace could not raise its limit of locked memory (no CAP_SYS_RESOURCE) and went on. Kernels "
        "since 5.11 do not count BPF memory there, so alone it is no failure; look at the other messages.",
        example='ERROR: Unknown error -1: couldn\'t set RLIMIT_MEMLOCK for bpftrace. If your program is not loading, you can try "ulimit -l 8192" to fix the problem',
        misleads="It is printed with the word ERROR by runs that work; `ulimit -l` changes nothing on a kernel since 5.11.",
    ),
)

# clang, through bpftrace's ClangParser. The header that is missing shows which directory was searched.
_HEADERS = (
    Message(
        "clang.kconfig-of-tree",
        rf"'(?P<path>/(usr/)?lib/modules/{_R}/(build|source)/include/linux/kconfig\.h)' file not found",
        "cause",
        ("headers.intact", "headers.configured", "headers.tree"),
        "The header tree of the kernel is only half there: on Debian the -common package is missing "
        "beside the architecture's. Half a tree is worse than none, because bpftrace uses it.",
        example="<built-in>:1:10: fatal error: '/lib/modules/6.12.107/build/include/linux/kconfig.h' file not found",
    ),
    Message(
        "clang.kconfig-of-variable",
        r"fatal error: '(?P<path>/[^']*/include/linux/kconfig\.h)' file not found",
        "cause",
        ("headers.env", "headers.intact", "headers.tree"),
        "The directory that BPFTRACE_KERNEL_SOURCE names (or the tree bpftrace was built for) holds no "
        "kernel headers. A wrong value breaks scripts that work without any: unset it or point it to the "
        "right directory.",
        until=(0, 24, 2),
        example="fatal error: '/tmp/tmp.x/usr/src/linux-headers-6.12/include/linux/kconfig.h' file not found",
        misleads="Unpacking the archive again does not help: it has no usr/src/linux-headers directory inside. The directory into which it was unpacked is the right value.",
    ),
    Message(
        "clang.kheaders-foreign",
        r"/kheaders-[^:]+:\d+:\d+: fatal error: 'asm/[^']+' file not found",
        "cause",
        ("kernel.arch", "kheaders.archive", "headers.tree"),
        "The unpacked kernel headers belong to another architecture than this bpftrace: an emulated user "
        "space on a foreign kernel. Run the tool natively.",
        example="/tmp/kheaders-6.15.11-orbstack-00542-g4f455d264886/include/uapi/linux/types.h:5:10: fatal error: 'asm/types.h' file not found",
        misleads="Installing headers for the architecture of the user space does not help: the kernel has another one.",
    ),
    Message(
        "clang.types-h",
        r"fatal error: '(?P<header>(linux|asm)/types\.h)' file not found",
        "cause",
        (
            "kernel.arch",
            "btf.vmlinux",
            "btf.bpftrace",
            "privileges.capabilities",
            "privileges.root",
            "headers.env",
            "headers.tree",
            "headers.user-types",
        ),
        "bpftrace found no BTF it could use, so it fell back to kernel headers and found none either. BTF "
        "cures it as well as headers do. 0.17.0 gets BTF through bpf() and says this too on kernels "
        "before 5.11 or without CAP_SYS_ADMIN.",
        until=(0, 24, 2),
        example="/bpftrace/include/clang_workarounds.h:14:10: fatal error: 'linux/types.h' file not found",
        misleads="It names a header, and the cure is usually BTF: with BTF that bpftrace can use, no header is looked for.",
    ),
    Message(
        "clang.libc-header",
        r"fatal error: '(?P<header>(sys|bits|gnu)/[^']+|(stdio|stdlib|string|unistd)\.h)' file not found",
        "cause",
        ("headers.libc",),
        "A header of the C library's development package (libc6-dev, glibc-devel), not of the kernel. "
        "Stock tools of 0.15 to 0.20 require it; those of 0.22 and later do not.",
        example="definitions.h:2:10: fatal error: 'sys/socket.h' file not found",
        misleads="Kernel headers do not have it.",
    ),
    Message(
        "clang.kernel-header",
        r"fatal error: '(?P<header>(linux|asm|asm-generic|net|uapi|generated)/[^']+)' file not found",
        "cause",
        ("headers.env", "headers.intact", "headers.tree", "headers.bcc"),
        "The script includes a kernel header and no header tree of the running kernel was found where "
        "bpftrace looks. With BTF most scripts work with the #include removed.",
        example="definitions.h:2:10: fatal error: 'linux/sched.h' file not found",
        misleads="A script that only reads structs of the kernel does not need the #include where BTF has them.",
    ),
    Message(
        "clang.fixed-types",
        r"unknown type name '(?P<type>__aligned_[a-z0-9]+|__(u|s|le|be)(8|16|32|64))'",
        "cause",
        ("headers.uapi", "headers.tree"),
        "Headers and BTF are in use together and get in each other's way (or the header is user space's, "
        "from /usr/include). Remove the #include: BTF has the type. 0.27 prints this and still traces.",
        example="include/uapi/linux/sched.h:44:2: error: unknown type name '__aligned_u64'",
        misleads="More headers do not help.",
    ),
    Message(
        "clang.asm-goto",
        r"asm goto constructs are not supported|your version of Clang is too old",
        "cause",
        (),
        "The kernel's headers require a newer clang than the tool was built with. Use a newer release.",
        example="/kernel/include/linux/compiler-clang.h:12:3: error: Sorry, your version of Clang is too old - please use 10.0.1 or newer.",
        misleads="Installing another clang does not help: the tool has its own built in.",
    ),
    Message(
        "bpftrace.headers-not-found",
        r"Could not find kernel headers in",
        "consequence",
        ("headers.tree",),
        "No header directory was found. Up to 0.21 it is printed also when the script then works; from "
        "0.22 only after clang failed. With BTF and no #include headers are not needed.",
        since=(0, 20, 4),
        until=(0, 23, 5),
        example="WARNING: Could not find kernel headers in /lib/modules/6.12/source or /lib/modules/6.12/build. To specify a particular path to kernel headers, set the env variables BPFTRACE_KERNEL_SOURCE and, optionally, BPFTRACE_KERNEL_BUILD",
        misleads="Setting BPFTRACE_KERNEL_SOURCE to a directory without headers silences it and breaks scripts that worked. `modprobe kheaders` makes an archive and no directory.",
        harmless_if=("btf.bpftrace",),
    ),
    Message(
        "bpftrace.redefinition",
        r"Cannot take type definitions from BTF since there is a redefinition conflict",
        "cause",
        ("headers.uapi", "headers.tree"),
        "The script or its headers define types that BTF has as well, so BTF was dropped and not all "
        "types are left. Remove the definitions, or guard them with #ifndef BPFTRACE_HAVE_BTF.",
        since=(0, 12, 0),
        example="ERROR: Cannot take type definitions from BTF since there is a redefinition conflict with user-defined types.",
    ),
    Message(
        "bpftrace.missing-types",
        r"Include headers with missing type definitions or install BTF information",
        "consequence",
        ("btf.vmlinux", "btf.bpftrace", "headers.tree"),
        "A type is neither in BTF nor in the headers that were found; the compiler's error above names it.",
        since=(0, 12, 0),
        example="ERROR: Include headers with missing type definitions or install BTF information to your system.",
    ),
    Message(
        "bpftrace.clang-failed",
        r"Clang parse error",
        "consequence",
        ("btf.vmlinux", "btf.bpftrace", "headers.env", "headers.tree"),
        "clang rejected the script's C part; its own error stands above.",
        since=(0, 24, 0),
        example="ERROR: Clang parse error",
    ),
)

# bpftrace src/btf.cpp, semantic analyser and passes; libbpf src/btf.c.
_TYPES = (
    Message(
        "bpftrace.args-need-btf",
        r"BTF is required for parsing tracepoint arguments",
        "cause",
        ("btf.vmlinux", "btf.bpftrace"),
        "Since 0.25 the arguments of a tracepoint come from BTF alone; headers cannot replace it. "
        "BPFTRACE_BTF can name a raw BTF file of this kernel.",
        since=(0, 25, 0),
        example='stdin:1:1-37: ERROR: Could not parse arguments of "syscalls:sys_enter_openat": BTF is required for parsing tracepoint arguments',
        misleads="Kernel headers do not help from 0.25 on.",
    ),
    Message(
        "bpftrace.rawtracepoint-needs-btf",
        r"rawtracepoints require kernel BTF",
        "cause",
        ("btf.vmlinux", "btf.bpftrace"),
        "Since 0.24 a rawtracepoint needs kernel BTF; a plain tracepoint may do.",
        since=(0, 24, 0),
        example="ERROR: rawtracepoints require kernel BTF. Please recompile with CONFIG_DEBUG_INFO_BTF=y.",
    ),
    Message(
        "bpftrace.unknown-type",
        r"Cannot resolve unknown type \"(?P<type>[^\"]+)\"|Unknown struct/union: '(?P<struct>[^']+)'",
        "cause",
        ("btf.vmlinux", "btf.bpftrace", "btf.variable", "btf.modules", "headers.tree"),
        "The type is in no BTF that bpftrace could read and in no header that the script includes. A type "
        "of a module needs the module loaded and module BTF.",
        example='ERROR: Cannot resolve unknown type "struct task_struct"',
    ),
    Message(
        "bpftrace.btf-variable",
        r"BTF: failed to parse BTF from (?P<path>\S+)",
        "cause",
        ("btf.variable", "btf.vmlinux", "btf.bpftrace"),
        "BPFTRACE_BTF names a file that is not raw BTF; an ELF with a .BTF section does not count.",
        since=(0, 22, 0),
        example="WARNING: BTF: failed to parse BTF from /lib/modules/6.12/build/vmlinux",
    ),
    Message(
        "bpftrace.no-fentry",
        r"(kfunc/kretfunc|fentry/fexit) not available for your (kernel version|linked against bcc version)",
        "cause",
        (
            "bpf.fentry",
            "btf.fentry-test",
            "btf.vmlinux",
            "btf.bpftrace",
            "tracing.functions",
            "tracing.tracefs",
            "privileges.capabilities",
            "privileges.root",
        ),
        "A test program could not be attached with fentry: BTF, trampolines (BPF JIT, ftrace direct "
        "calls) or available_filter_functions is missing.",
        until=(0, 24, 2),
        example="ERROR: kfunc/kretfunc not available for your kernel version.",
        misleads="A newer kernel is not always the cure: the test that fails may be one of bpftrace's own.",
    ),
    Message(
        "bpftrace.no-btf-for",
        r"BTF data not available|no BTF data for (?P<function>\S+)",
        "cause",
        ("btf.vmlinux", "btf.bpftrace"),
        "The arguments of the function come from BTF, and there is none for it.",
        example="ERROR: BTF data not available",
    ),
    Message(
        "bpftrace.no-iter",
        r"iter (?P<iterator>\S+) not available for your kernel version",
        "cause",
        ("bpf.iter", "btf.vmlinux", "btf.bpftrace"),
        "The kernel's BTF lists no such iterator, or there is no BTF.",
        since=(0, 12, 0),
        example="ERROR: iter task_file not available for your kernel version.",
    ),
    Message(
        "libbpf.btf-missing",
        r"kernel BTF is missing at '?(?P<path>[^',]+)'?",
        "cause",
        ("btf.vmlinux", "environment.sysfs"),
        "The kernel shows no BTF in /sys/kernel/btf; libbpf now tries kernel images on disk.",
        example="libbpf: kernel BTF is missing at '/sys/kernel/btf/vmlinux', was CONFIG_DEBUG_INFO_BTF enabled?",
    ),
    Message(
        "libbpf.btf-none",
        r"failed to find valid kernel BTF|no BTF found for kernel version|Error loading vmlinux BTF",
        "cause",
        ("btf.vmlinux", "btf.readers", "btf.bpftool", "btf.bpftrace"),
        "libbpf found no BTF of the running kernel that it can read: there is none, /sys is not mounted here, or this "
        "libbpf is older than a kind that the kernel's BTF uses (ENUM64 since Linux 6.0, read by libbpf 1.0).",
        example="libbpf: failed to find valid kernel BTF",
        misleads="It does not say that the file is absent: a libbpf that is older than the kernel's BTF says the same with the file there.",
    ),
    Message(
        "kernel.module-btf",
        r"failed to validate module \[(?P<module>[^\]]+)\] BTF: -22",
        "cause",
        ("kernel.log", "btf.modules"),
        "The module was built against another kernel image than the running one; its types are not usable.",
        example="failed to validate module [veth] BTF: -22",
    ),
    Message(
        "libbpf.btf-malformed",
        r"in-kernel BTF is malformed|Invalid name_offset|\(-4001\)|error: -4001",
        "cause",
        ("btf.readers", "btf.bpftool", "btf.bpftrace", "btf.vmlinux"),
        "The tool's libbpf does not understand this kernel's BTF, probably because it is older.",
        example="BPF: [129365] Invalid name_offset:2322721",
    ),
)

# bpftrace src/attached_probe.cpp, tracepoint_format_parser.cpp, probe_matcher.cpp; bcc src/cc/libbpf.c.
_PROBES = (
    Message(
        "bpftrace.syscall-not-found",
        r"[Tt]racepoints? not found: (?P<tracepoint>(raw_)?syscalls:\S+)",
        "cause",
        ("tracing.tracefs", "tracing.syscalls", "kernel.lockdown", "privileges.userns"),
        "There is no such event in tracefs: tracefs is not mounted in this mount namespace (usual in containers, even "
        "privileged ones), or may not be read, or the kernel was built without FTRACE_SYSCALLS.",
        example="stdin:1:1-37: ERROR: tracepoint not found: syscalls:sys_enter_openat",
        misleads='The event need not be missing: where tracefs is not mounted or may not be read, every event is "not found".',
    ),
    Message(
        "bpftrace.tracepoint-not-found",
        r"[Tt]racepoints? not found: (?P<tracepoint>\S+)",
        "cause",
        ("tracing.tracefs", "kernel.lockdown", "privileges.userns"),
        "There is no such event in tracefs, or tracefs is not mounted in this mount namespace (usual in "
        "containers, even privileged ones), or the kernel lacks the tracepoint (FTRACE_SYSCALLS for "
        "syscalls:).",
        example="stdin:1:1-37: ERROR: tracepoint not found: sock:inet_sock_set_state",
        misleads='The event need not be missing: where tracefs is not mounted or may not be read, every event is "not found".',
    ),
    Message(
        "bpftrace.kprobe-events",
        r"open\((?P<path>[^\s()]*kprobe_events)\): (?P<reason>.+)",
        "cause",
        (
            "tracing.tracefs",
            "kernel.lockdown",
            "privileges.userns",
            "tracing.kprobes",
            "tracing.kprobe-leftovers",
            "privileges.capabilities",
            "privileges.root",
        ),
        "perf could not create the kprobe, and the fallback through tracefs failed too.",
        example="open(/sys/kernel/tracing/kprobe_events): No such file or directory",
    ),
    Message(
        "libbpf.legacy-kprobe",
        r"failed to add legacy kprobe event for '(?P<function>[^']+)'",
        "cause",
        ("tracing.kprobes", "tracing.tracefs", "kernel.lockdown", "privileges.userns"),
        "The kernel has no kprobe PMU and tracefs did not take the kprobe: KPROBE_EVENTS is off, tracefs "
        "is not mounted, or the function does not exist.",
        example="libbpf: failed to add legacy kprobe event for 'vfs_open+0x0': No such file or directory",
        misleads="CONFIG_HAVE_KPROBES=y says only that the architecture could have kprobes.",
    ),
    Message(
        "bpftrace.not-traceable",
        r"(?<!\S)(?P<function>\S+) is not traceable \(",
        "consequence",
        ("tracing.tracefs", "tracing.functions", "tracing.kprobes", "kernel.lockdown"),
        "The function is not in available_filter_functions, or that file could not be read. A warning: "
        "attaching is tried all the same.",
        since=(0, 13, 0),
        example='stdin:1:1-16: WARNING: vfs_read is not traceable (either non-existing, inlined, or marked as "notrace"); attaching to it will likely fail',
        misleads='The function need not be inlined: every function is "not traceable" where the list cannot be read.',
    ),
    Message(
        "bpftrace.functions-unreadable",
        r"([Cc]ould not read( traceable)? functions from|Could not read symbols from) "
        r"(?P<path>[^\s:]+)",
        "cause",
        (
            "tracing.tracefs",
            "tracing.functions",
            "tracing.debug-path",
            "kernel.lockdown",
            "privileges.capabilities",
            "privileges.root",
            "privileges.userns",
        ),
        "A list in tracefs could not be read: tracefs is not mounted, reading is denied, or the kernel "
        "has no ftrace. Only wildcards, listing and fentry need it.",
        example="WARNING: Could not read symbols from /sys/kernel/tracing/available_events: No such file or directory",
    ),
    Message(
        "libbpf.syscall-id",
        r"failed to determine tracepoint '(?P<tracepoint>(raw_)?syscalls/[^']+)' perf event ID",
        "cause",
        ("tracing.tracefs", "tracing.syscalls", "tracing.first-path", "kernel.lockdown", "privileges.userns"),
        "libbpf found no such event in tracefs: not mounted here, or the kernel was built without FTRACE_SYSCALLS.",
        example="libbpf: failed to determine tracepoint 'syscalls/sys_exit_execveat' perf event ID: No such file or directory",
        misleads="The event need not be missing: without tracefs no event has an id.",
    ),
    Message(
        "libbpf.tracepoint-id",
        r"failed to determine tracepoint '(?P<tracepoint>[^']+)' perf event ID",
        "cause",
        ("tracing.tracefs", "kernel.lockdown", "privileges.userns", "tracing.first-path"),
        "libbpf found no such event in tracefs: not mounted here, or the kernel does not have it.",
        example="libbpf: failed to determine tracepoint 'sched/sched_switch' perf event ID: No such file or directory",
        misleads="The event need not be missing: without tracefs no event has an id.",
    ),
    Message(
        "bcc.event-denied",
        r"perf_event_open\((?P<path>/\S+)\): (Permission denied|Operation not permitted)",
        "cause",
        PERF_REFUSED,
        "Opening the event was refused: CAP_PERFMON or CAP_SYS_ADMIN is missing, or perf_event_paranoid "
        "is strict.",
        example="perf_event_open(/sys/kernel/debug/tracing/events/syscalls/sys_enter_openat/id): Permission denied",
    ),
    Message(
        "bcc.perf-denied",
        r"perf_event_open(\(\))?( failed)?: (Permission denied|Operation not permitted)",
        "cause",
        PERF_REFUSED,
        "Opening a perf event was refused: CAP_PERFMON or CAP_SYS_ADMIN is missing, perf_event_paranoid "
        "is strict, or a container's seccomp filter forbids the call.",
        example="perf_event_open: Permission denied",
    ),
    Message(
        "bcc.perf-output",
        r"check your kernel for PERF_COUNT_SW_BPF_OUTPUT support|Failed to open perf buffer",
        "consequence",
        (
            "perf.output",
            "privileges.seccomp",
            "privileges.capabilities",
            "privileges.root",
            "privileges.userns",
            "sysctl.kernel.perf_event_paranoid",
            "privileges.lsm",
            "kernel.lockdown",
        ),
        "The output buffer could not be opened; the hint about old kernels is a guess, the errno above "
        "decides.",
        example="(check your kernel for PERF_COUNT_SW_BPF_OUTPUT support, 4.4 or newer)",
        misleads="The kernel is not too old because of this line: it is printed after every failure, with the same words.",
    ),
    Message(
        "libbpf.direct-calls",
        r"failed to attach: -(ENOTSUPP|524)|Unknown error 524",
        "cause",
        ("bpf.fentry",),
        "The kernel cannot attach fentry on this architecture: no BPF trampoline or ftrace direct calls "
        "(arm64 before 6.x). Use a kprobe.",
        example="libbpf: prog 'sys_execve': failed to attach: -ENOTSUPP",
    ),
    Message(
        "bpftrace.attach-failed",
        r"Unable to attach probe: (?P<probe>\S+?)\.? |Error attaching probe: '?(?P<name>[^'\s]+)",
        "consequence",
        (
            "tracing.kprobes",
            "perf.events",
            "privileges.capabilities",
            "privileges.root",
            "privileges.userns",
            "tracing.tracefs",
            "kernel.lockdown",
        ),
        "The kernel refused this probe. The line above says why where the reason is known; otherwise the "
        "function or event is missing, or a privilege is.",
        example="ERROR: Unable to attach probe: tracepoint:syscalls:sys_enter_openat. If this is expected, set the 'missing_probes' config variable to 'warn'.",
    ),
)

# bpftrace src/bpfmap.cpp, src/bpfbytecode.cpp; libbpf src/libbpf.c.
_LOADING = (
    Message(
        "bpf.map-refused-by-policy",
        r"([Ff]ailed to create|Error creating) .{0,60}map\b.{0,200}: Permission denied|Error in bpf_create_map\w*\(.{0,200}: ?Permission denied",
        "cause",
        ("bpf.map", "privileges.lsm"),
        "bpf() refused to create a map with EACCES (13). A missing capability is EPERM (1); EACCES comes from a security "
        "module (SELinux's class bpf, a BPF LSM program).",
        example="ERROR: failed to create map: '@birth': Permission denied",
        misleads="More capabilities and --privileged do not help against a security module's policy.",
    ),
    Message(
        "bpftrace.map-denied",
        r"([Ff]ailed to create|Error creating) .{0,60}map\b.{0,200}: Operation not permitted|Error in bpf_create_map\w*\(.{0,200}: ?Operation not permitted",
        "cause",
        BPF_REFUSED,
        "bpf() refused to create a map: no CAP_BPF or CAP_SYS_ADMIN in the initial user namespace, or a "
        "seccomp or LSM policy forbids it. Root of a user namespace (rootless container, unshare -U) is "
        "not enough.",
        until=(0, 21, 3),
        example="ERROR: failed to create map: '@': Operation not permitted",
    ),
    Message(
        "bpftrace.map-invalid",
        r"[Ff]ailed to create .{0,60}map\b.{0,200}: Invalid argument",
        "cause",
        ("environment.sysfs",),
        "Seen where /sys is not mounted: the number of CPUs could not be read, and a map without size is "
        "refused.",
        until=(0, 21, 3),
        example="ERROR: failed to create  map: Invalid argument",
    ),
    Message(
        "bpftrace.no-sysfs",
        r"Assertion .num_possible_cpus > 0. failed",
        "stop",
        ("environment.sysfs",),
        "/sys is not mounted here, so the number of CPUs is unknown and bpftrace aborts.",
        example="bpftrace: ./src/utils.cpp:582: int bpftrace::get_max_cpu_id(): Assertion 'num_possible_cpus > 0' failed.",
    ),
    Message(
        "bpftrace.map-hint",
        r"Creation of the required BPF maps has failed",
        "consequence",
        BPF_REFUSED,
        "Follows the refusal above. The words about snapcraft are printed on every machine.",
        since=(0, 9, 4),
        until=(0, 21, 3),
        example="Creation of the required BPF maps has failed.",
        misleads="The words about snapcraft are printed on every machine.",
    ),
    Message(
        "bpftrace.load-unknown",
        r"Unknown BPF object load failure",
        "cause",
        BPF_REFUSED,
        "bpf() refused a map or program without a verifier log. Mostly a missing capability: a user "
        "namespace, a container, or root without CAP_BPF and CAP_SYS_ADMIN. -d libbpf shows the errno.",
        since=(0, 22, 0),
        example='ERROR: Unknown BPF object load failure. Try using the "-d libbpf" option to see the full loading log.',
    ),
    Message(
        "bpftrace.load-failed",
        r"Loading BPF object\(s\) failed",
        "consequence",
        BPF_REFUSED,
        "The sum of the errors above.",
        since=(0, 22, 0),
        until=(0, 24, 2),
        example="ERROR: Loading BPF object(s) failed.",
    ),
    Message(
        "llvm.memset",
        r"A call to built-in function '?(?P<function>memset|memcpy)'? is not supported",
        "cause",
        ("privileges.capabilities", "privileges.root", "privileges.userns"),
        "The compiler made code that BPF has no call for. Seen when bpftrace could not probe the kernel "
        "for lack of CAP_BPF; otherwise a string or buffer too large for the stack.",
        example="error: <unknown>:0:0: in function tracepoint_syscalls_sys_enter_openat_1 i64 (ptr): A call to built-in function 'memset' is not supported.",
    ),
    Message(
        "kernel.helper-denied",
        r"(unknown func|program of this type cannot use helper) bpf_probe_read",
        "cause",
        ("kernel.lockdown",),
        "The kernel does not let the program read kernel memory: probably lockdown at confidentiality.",
        example="program of this type cannot use helper bpf_probe_read#4",
        misleads="The kernel is neither too new nor too old because of this line.",
    ),
    Message(
        "bpftrace.feature",
        r"Missing required kernel feature: (?P<feature>\S+)",
        "cause",
        ("privileges.capabilities", "privileges.root", "privileges.userns", "bpf.loop"),
        "The script needs a BPF helper that this kernel does not have (or that could not be probed "
        "without privileges).",
        since=(0, 21, 0),
        example="ERROR: Missing required kernel feature: loop",
    ),
    Message(
        "bpftrace.program-refused",
        r"Error loading (BPF )?program(:| for) (?P<program>[^\s(]+)",
        "consequence",
        (),
        "The verifier refused the program; run with -v for its log. Usually the script or a too old kernel.",
        example="ERROR: Error loading program: kprobe:do_nanosleep",
    ),
    Message(
        "libbpf.memlock-guess",
        r"try raising 'ulimit -l'",
        "consequence",
        BPF_REFUSED,
        "libbpf guesses at the memory limit after any EPERM. On kernels since 5.11 a missing privilege is "
        "likelier.",
        example="libbpf: permission error while running as root; try raising 'ulimit -l'? current value: 64.0 KiB",
        misleads="`ulimit -l` changes nothing on a kernel since 5.11.",
    ),
    Message(
        "bpftrace.proc-ns",
        r"Failed to stat /proc/self/ns/pid",
        "cause",
        ("environment.pid-namespace",),
        "The kernel has no PID namespaces or /proc is not mounted; this release needs it for the builtin "
        "pid.",
        example="ERROR: Failed to compile: Failed to stat /proc/self/ns/pid: No such file or directory",
    ),
)

# kmod's modprobe, bcc's frontends, sudo's shell.
_OTHERS = (
    Message(
        "modprobe.kheaders-absent",
        r"modprobe: (FATAL|ERROR)?:? ?[Mm]odule kheaders not found",
        "consequence",
        ("kheaders.module", "kernel.modules", "kheaders.archive"),
        "No kheaders module in /lib/modules of this root: the kernel was built without IKHEADERS=m, has "
        "it built in (then /sys/kernel/kheaders.tar.xz is there already), or the modules of the running "
        "kernel are not here.",
        example="modprobe: FATAL: Module kheaders not found in directory /lib/modules/6.1.0-50-amd64",
        misleads="It is often the last of three lines: bcc looks for a header directory first. The archive may be there all the same (/sys/kernel/kheaders.tar.xz, built in).",
    ),
    Message(
        "modprobe.kheaders-denied",
        r"could not insert 'kheaders': Operation not permitted",
        "cause",
        (
            "privileges.capabilities",
            "privileges.root",
            "sysctl.kernel.modules_disabled",
            "privileges.userns",
            "environment.container",
        ),
        "Loading a module needs root with CAP_SYS_MODULE, and kernel.modules_disabled must be 0.",
        example="modprobe: ERROR: could not insert 'kheaders': Operation not permitted",
    ),
    Message(
        "modprobe.kheaders-foreign",
        r"could not insert 'kheaders': (Exec format error|Invalid argument|Key was rejected)",
        "cause",
        ("kheaders.module", "kernel.lockdown", "privileges.secure-boot"),
        "The module file belongs to another kernel, or its signature is not accepted; the kernel log "
        "says which.",
        example="modprobe: ERROR: could not insert 'kheaders': Exec format error",
    ),
    Message(
        "modprobe.kheaders-file",
        r"could not insert 'kheaders': Unknown symbol in module",
        "cause",
        ("kheaders.module",),
        "modules.dep lists kheaders but the file is gone or unreadable: the kernel's package is damaged.",
        example="modprobe: ERROR: could not insert 'kheaders': Unknown symbol in module, or unknown parameter (see dmesg)",
    ),
    Message(
        "bcc.no-headers",
        r"Unable to find kernel headers",
        "cause",
        ("headers.bcc", "headers.tree", "headers.package", "kheaders.available"),
        "bcc found neither a header tree in /lib/modules nor kheaders.",
        example="Unable to find kernel headers. Try rebuilding kernel with CONFIG_IKHEADERS=m (module) or installing the kernel development package for your running kernel version.",
    ),
    Message(
        "bcc.build-directory",
        rf"chdir\((?P<path>/lib/modules/{_R}/build)\): No such file or directory",
        "cause",
        ("headers.bcc", "headers.package", "headers.tree"),
        "The link to the header tree of the running kernel is absent or leads nowhere: its headers "
        "package is not installed in this root.",
        example="chdir(/lib/modules/5.10.76-linuxkit/build): No such file or directory",
    ),
    Message(
        "bpftool.wrapper",
        r"bpftool not found for kernel",
        "cause",
        ("tools.bpftool-start",),
        "Ubuntu's wrapper looks for the linux-tools package of exactly this kernel.",
        example="WARNING: bpftool not found for kernel 6.8.0-45",
    ),
    Message(
        "shell.bpftrace-absent",
        r"bpftrace: (command )?not found|No such file or directory: 'bpftrace'",
        "stop",
        ("tools.bpftrace",),
        "bpftrace is not installed, or not in the PATH of this user (sudo has its own).",
        example="bash: bpftrace: command not found",
    ),
)

MESSAGES: tuple[Message, ...] = (
    *_START,
    *_HEADERS,
    *_TYPES,
    *_PROBES,
    *_LOADING,
    *_OTHERS,
    *LIBBPF,
    *PROGRAMS,
    *KERNEL,
)
"""All known messages; for one line the first that fits counts."""
