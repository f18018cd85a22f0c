"""The table behind `kdiag.knowledge.tools.messages`.

Wordings are bpftrace's (the file in src/ is named per group), libbpf's (src/libbpf.c, src/btf.c), bcc's
(src/cc), clang's and modprobe's; meanings were established from those sources and from runs on booted
kernels, and say "probably" where they were not. Within the table the particular comes before the general.
"""

from __future__ import annotations

from kdiag.knowledge.tools.message import Message

_R = "(?P<release>[^ /'\"]+)"

# bpftrace src/main.cpp, src/run_bpftrace.cpp, src/lockdown.cpp, src/symbols/kernel.cpp.
_START = (
    Message(
        "bpftrace.capability",
        r"Missing (?P<capability>CAP_[A-Z_]+) capability",
        "stop",
        ("privileges.capabilities",),
        "bpftrace needs root, or CAP_SYS_ADMIN (or CAP_BPF and CAP_PERFMON) together with "
        "CAP_DAC_READ_SEARCH and CAP_DAC_OVERRIDE; it names the first one that is missing.",
        since=(0, 25, 0),
    ),
    Message(
        "bpftrace.root-only",
        r"bpftrace currently only supports running as the root user",
        "stop",
        ("privileges.capabilities",),
        "This release only looks whether the effective user is root; capabilities do not help. Use sudo.",
        until=(0, 24, 2),
    ),
    Message(
        "bpftrace.lockdown",
        r"Kernel lockdown is enabled and set to 'confidentiality'",
        "stop",
        ("kernel.lockdown",),
        "The kernel refuses to let BPF read kernel memory. Nothing can be traced until the machine boots "
        "with lockdown at none or integrity (often tied to Secure Boot).",
        since=(0, 10, 0),
    ),
    Message(
        "bpftrace.events-denied",
        r"Error reading events from (?P<path>\S+) \(Operation not permitted\)",
        "stop",
        ("kernel.lockdown", "privileges.capabilities"),
        "tracefs is there but may not be read. As root this is probably kernel lockdown at "
        "confidentiality: the release reads tracefs before it looks at lockdown, so the plain message "
        "never comes.",
        since=(0, 25, 0),
    ),
    Message(
        "bpftrace.events-absent",
        r"Error reading events from (?P<path>\S+) \((?P<reason>[^)]*)\)",
        "stop",
        ("tracing.tracefs", "privileges.capabilities"),
        "Since 0.25 bpftrace reads the list of events before anything else, so without a mounted, "
        "readable tracefs not even BEGIN runs.",
        since=(0, 25, 0),
    ),
    Message(
        "bpftrace.modules-absent",
        r"Error reading modules from /proc/modules",
        "stop",
        ("tools.bpftrace",),
        "This release insists on /proc/modules, which a kernel built without modules does not have; 0.26 "
        "does not.",
        since=(0, 25, 0),
        until=(0, 25, 1),
    ),
    Message(
        "bpftrace.kernel-too-old",
        r"is lower than the minimum supported kernel version",
        "harmless",
        (),
        "The kernel is older than upstream tests with. bpftrace goes on; some features may be missing.",
        since=(0, 25, 0),
    ),
    Message(
        "bpftrace.memlock",
        r"couldn't set RLIMIT(_MEMLOCK)? for bpftrace",
        "harmless",
        ("privileges.memlock",),
        "bpftrace could not raise its limit of locked memory (no CAP_SYS_RESOURCE) and went on. Kernels "
        "since 5.11 do not count BPF memory there, so alone it is no failure; look at the other messages.",
    ),
)

# clang, through bpftrace's ClangParser. The header that is missing shows which directory was searched.
_HEADERS = (
    Message(
        "clang.kconfig-of-tree",
        rf"'(?P<path>/(usr/)?lib/modules/{_R}/(build|source)/include/linux/kconfig\.h)' file not found",
        "cause",
        ("headers.tree",),
        "The header tree of the kernel is only half there: on Debian the -common package is missing "
        "beside the architecture's. Half a tree is worse than none, because bpftrace uses it.",
    ),
    Message(
        "clang.kconfig-of-variable",
        r"fatal error: '(?P<path>/[^']*/include/linux/kconfig\.h)' file not found",
        "cause",
        ("headers.env", "headers.tree"),
        "The directory that BPFTRACE_KERNEL_SOURCE names (or the tree bpftrace was built for) holds no "
        "kernel headers. A wrong value breaks scripts that work without any: unset it or point it to the "
        "right directory.",
        until=(0, 24, 2),
    ),
    Message(
        "clang.kheaders-foreign",
        r"/kheaders-[^:]+:\d+:\d+: fatal error: 'asm/[^']+' file not found",
        "cause",
        ("headers.tree", "kheaders.archive"),
        "The unpacked kernel headers belong to another architecture than this bpftrace: an emulated user "
        "space on a foreign kernel. Run the tool natively.",
    ),
    Message(
        "clang.types-h",
        r"fatal error: '(?P<header>(linux|asm)/types\.h)' file not found",
        "cause",
        ("btf.vmlinux", "headers.tree", "privileges.capabilities"),
        "bpftrace found no BTF it could use, so it fell back to kernel headers and found none either. BTF "
        "cures it as well as headers do. 0.17.0 gets BTF through bpf() and says this too on kernels "
        "before 5.11 or without CAP_SYS_ADMIN.",
        until=(0, 24, 2),
    ),
    Message(
        "clang.libc-header",
        r"fatal error: '(?P<header>(sys|bits|gnu)/[^']+|(stdio|stdlib|string|unistd)\.h)' file not found",
        "cause",
        ("tools.bpftrace",),
        "A header of the C library's development package (libc6-dev, glibc-devel), not of the kernel. "
        "Stock tools of 0.15 to 0.20 require it; those of 0.22 and later do not.",
    ),
    Message(
        "clang.kernel-header",
        r"fatal error: '(?P<header>(linux|asm|asm-generic|net|uapi|generated)/[^']+)' file not found",
        "cause",
        ("headers.tree", "kheaders.archive", "headers.env"),
        "The script includes a kernel header and no header tree of the running kernel was found where "
        "bpftrace looks. With BTF most scripts work with the #include removed.",
    ),
    Message(
        "clang.fixed-types",
        r"unknown type name '(?P<type>__aligned_[a-z0-9]+|__(u|s|le|be)(8|16|32|64))'",
        "cause",
        ("headers.tree",),
        "Headers and BTF are in use together and get in each other's way (or the header is user space's, "
        "from /usr/include). Remove the #include: BTF has the type. 0.27 prints this and still traces.",
    ),
    Message(
        "clang.asm-goto",
        r"asm goto constructs are not supported|your version of Clang is too old",
        "cause",
        ("tools.bpftrace",),
        "The kernel's headers require a newer clang than the tool was built with. Use a newer release.",
    ),
    Message(
        "bpftrace.headers-not-found",
        r"Could not find kernel headers in",
        "consequence",
        ("headers.tree", "kheaders.archive"),
        "No header directory was found. Up to 0.21 it is printed also when the script then works; from "
        "0.22 only after clang failed. With BTF and no #include headers are not needed.",
        since=(0, 20, 4),
        until=(0, 23, 5),
    ),
    Message(
        "bpftrace.redefinition",
        r"Cannot take type definitions from BTF since there is a redefinition conflict",
        "cause",
        ("headers.tree",),
        "The script or its headers define types that BTF has as well, so BTF was dropped and not all "
        "types are left. Remove the definitions, or guard them with #ifndef BPFTRACE_HAVE_BTF.",
        since=(0, 12, 0),
    ),
    Message(
        "bpftrace.missing-types",
        r"Include headers with missing type definitions or install BTF information",
        "consequence",
        ("btf.vmlinux", "headers.tree"),
        "A type is neither in BTF nor in the headers that were found; the compiler's error above names it.",
        since=(0, 12, 0),
    ),
    Message(
        "bpftrace.clang-failed",
        r"Clang parse error",
        "consequence",
        ("headers.tree",),
        "clang rejected the script's C part; its own error stands above.",
        since=(0, 24, 0),
    ),
)

# bpftrace src/btf.cpp, semantic analyser and passes; libbpf src/btf.c.
_TYPES = (
    Message(
        "bpftrace.args-need-btf",
        r"BTF is required for parsing tracepoint arguments",
        "cause",
        ("btf.vmlinux",),
        "Since 0.25 the arguments of a tracepoint come from BTF alone; headers cannot replace it. "
        "BPFTRACE_BTF can name a raw BTF file of this kernel.",
        since=(0, 25, 0),
    ),
    Message(
        "bpftrace.rawtracepoint-needs-btf",
        r"rawtracepoints require kernel BTF",
        "cause",
        ("btf.vmlinux",),
        "Since 0.24 a rawtracepoint needs kernel BTF; a plain tracepoint may do.",
        since=(0, 24, 0),
    ),
    Message(
        "bpftrace.unknown-type",
        r"Cannot resolve unknown type \"(?P<type>[^\"]+)\"|Unknown struct/union: '(?P<struct>[^']+)'",
        "cause",
        ("btf.vmlinux", "headers.tree"),
        "The type is in no BTF that bpftrace could read and in no header that the script includes. A type "
        "of a module needs the module loaded and module BTF.",
    ),
    Message(
        "bpftrace.btf-variable",
        r"BTF: failed to parse BTF from (?P<path>\S+)",
        "cause",
        ("headers.env", "btf.vmlinux"),
        "BPFTRACE_BTF names a file that is not raw BTF; an ELF with a .BTF section does not count.",
        since=(0, 22, 0),
    ),
    Message(
        "bpftrace.no-fentry",
        r"(kfunc/kretfunc|fentry/fexit) not available for your (kernel version|linked against bcc version)",
        "cause",
        ("btf.vmlinux", "tracing.kprobes", "tracing.tracefs"),
        "A test program could not be attached with fentry: BTF, trampolines (BPF JIT, ftrace direct "
        "calls) or available_filter_functions is missing.",
        until=(0, 24, 2),
    ),
    Message(
        "bpftrace.no-btf-for",
        r"BTF data not available|no BTF data for (?P<function>\S+)",
        "cause",
        ("btf.vmlinux",),
        "The arguments of the function come from BTF, and there is none for it.",
    ),
    Message(
        "bpftrace.no-iter",
        r"iter (?P<iterator>\S+) not available for your kernel version",
        "cause",
        ("btf.vmlinux",),
        "The kernel's BTF lists no such iterator, or there is no BTF.",
        since=(0, 12, 0),
    ),
    Message(
        "libbpf.btf-missing",
        r"kernel BTF is missing at '?(?P<path>[^',]+)'?",
        "cause",
        ("btf.vmlinux",),
        "The kernel shows no BTF in /sys/kernel/btf; libbpf now tries kernel images on disk.",
    ),
    Message(
        "libbpf.btf-none",
        r"failed to find valid kernel BTF|no BTF found for kernel version|Error loading vmlinux BTF",
        "cause",
        ("btf.vmlinux",),
        "No BTF of the running kernel was found anywhere. The kernel was built without DEBUG_INFO_BTF, or "
        "/sys is not mounted here.",
    ),
    Message(
        "kernel.module-btf",
        r"failed to validate module \[(?P<module>[^\]]+)\] BTF: -22",
        "cause",
        ("btf.vmlinux",),
        "The module was built against another kernel image than the running one; its types are not usable.",
    ),
    Message(
        "libbpf.btf-malformed",
        r"in-kernel BTF is malformed|Invalid name_offset|\(-4001\)|error: -4001",
        "cause",
        ("tools.bpftrace", "btf.vmlinux"),
        "The tool's libbpf does not understand this kernel's BTF, probably because it is older.",
    ),
)

# bpftrace src/attached_probe.cpp, tracepoint_format_parser.cpp, probe_matcher.cpp; bcc src/cc/libbpf.c.
_PROBES = (
    Message(
        "bpftrace.tracepoint-not-found",
        r"[Tt]racepoints? not found: (?P<tracepoint>\S+)",
        "cause",
        ("tracing.tracefs",),
        "There is no such event in tracefs, or tracefs is not mounted in this mount namespace (usual in "
        "containers, even privileged ones), or the kernel lacks the tracepoint (FTRACE_SYSCALLS for "
        "syscalls:).",
    ),
    Message(
        "bpftrace.kprobe-events",
        r"open\((?P<path>[^\s()]*kprobe_events)\): (?P<reason>.+)",
        "cause",
        ("tracing.tracefs", "tracing.kprobes"),
        "perf could not create the kprobe, and the fallback through tracefs failed too.",
    ),
    Message(
        "libbpf.legacy-kprobe",
        r"failed to add legacy kprobe event for '(?P<function>[^']+)'",
        "cause",
        ("tracing.kprobes", "tracing.tracefs"),
        "The kernel has no kprobe PMU and tracefs did not take the kprobe: KPROBE_EVENTS is off, tracefs "
        "is not mounted, or the function does not exist.",
    ),
    Message(
        "bpftrace.not-traceable",
        r"(?<!\S)(?P<function>\S+) is not traceable \(",
        "consequence",
        ("tracing.kprobes", "tracing.tracefs"),
        "The function is not in available_filter_functions, or that file could not be read. A warning: "
        "attaching is tried all the same.",
        since=(0, 13, 0),
    ),
    Message(
        "bpftrace.functions-unreadable",
        r"([Cc]ould not read( traceable)? functions from|Could not read symbols from) "
        r"(?P<path>[^\s:]+)",
        "cause",
        ("tracing.tracefs", "privileges.capabilities"),
        "A list in tracefs could not be read: tracefs is not mounted, reading is denied, or the kernel "
        "has no ftrace. Only wildcards, listing and fentry need it.",
    ),
    Message(
        "libbpf.tracepoint-id",
        r"failed to determine tracepoint '(?P<tracepoint>[^']+)' perf event ID",
        "cause",
        ("tracing.tracefs",),
        "libbpf found no such event in tracefs: not mounted here, or the kernel does not have it.",
    ),
    Message(
        "bcc.event-denied",
        r"perf_event_open\((?P<path>/\S+)\): (Permission denied|Operation not permitted)",
        "cause",
        ("privileges.capabilities",),
        "Opening the event was refused: CAP_PERFMON or CAP_SYS_ADMIN is missing, or perf_event_paranoid "
        "is strict.",
    ),
    Message(
        "bcc.perf-denied",
        r"perf_event_open(\(\))?( failed)?: (Permission denied|Operation not permitted)",
        "cause",
        ("privileges.capabilities",),
        "Opening a perf event was refused: CAP_PERFMON or CAP_SYS_ADMIN is missing, perf_event_paranoid "
        "is strict, or a container's seccomp filter forbids the call.",
    ),
    Message(
        "bcc.perf-output",
        r"check your kernel for PERF_COUNT_SW_BPF_OUTPUT support|Failed to open perf buffer",
        "consequence",
        ("privileges.capabilities",),
        "The output buffer could not be opened; the hint about old kernels is a guess, the errno above "
        "decides.",
    ),
    Message(
        "libbpf.direct-calls",
        r"failed to attach: -(ENOTSUPP|524)|Unknown error 524",
        "cause",
        (),
        "The kernel cannot attach fentry on this architecture: no BPF trampoline or ftrace direct calls "
        "(arm64 before 6.x). Use a kprobe.",
    ),
    Message(
        "bpftrace.attach-failed",
        r"Unable to attach probe: (?P<probe>\S+?)\.? |Error attaching probe: '?(?P<name>[^'\s]+)",
        "consequence",
        ("tracing.kprobes", "privileges.capabilities", "tracing.tracefs"),
        "The kernel refused this probe. The line above says why where the reason is known; otherwise the "
        "function or event is missing, or a privilege is.",
    ),
)

# bpftrace src/bpfmap.cpp, src/bpfbytecode.cpp; libbpf src/libbpf.c.
_LOADING = (
    Message(
        "bpftrace.map-denied",
        r"([Ff]ailed to create|Error creating) .{0,60}map\b.{0,200}: (Operation not permitted|Permission denied)",
        "cause",
        ("privileges.capabilities", "privileges.userns", "kernel.lockdown"),
        "bpf() refused to create a map: no CAP_BPF or CAP_SYS_ADMIN in the initial user namespace, or a "
        "seccomp or LSM policy forbids it. Root of a user namespace (rootless container, unshare -U) is "
        "not enough.",
        until=(0, 21, 3),
    ),
    Message(
        "bpftrace.map-invalid",
        r"[Ff]ailed to create .{0,60}map\b.{0,200}: Invalid argument",
        "cause",
        ("tracing.tracefs",),
        "Seen where /sys is not mounted: the number of CPUs could not be read, and a map without size is "
        "refused.",
        until=(0, 21, 3),
    ),
    Message(
        "bpftrace.no-sysfs",
        r"Assertion .num_possible_cpus > 0. failed",
        "stop",
        ("tracing.tracefs",),
        "/sys is not mounted here, so the number of CPUs is unknown and bpftrace aborts.",
    ),
    Message(
        "bpftrace.map-hint",
        r"Creation of the required BPF maps has failed",
        "consequence",
        ("privileges.capabilities", "privileges.userns"),
        "Follows the refusal above. The words about snapcraft are printed on every machine.",
        since=(0, 9, 4),
        until=(0, 21, 3),
    ),
    Message(
        "bpftrace.load-unknown",
        r"Unknown BPF object load failure",
        "cause",
        ("privileges.capabilities", "privileges.userns", "kernel.lockdown"),
        "bpf() refused a map or program without a verifier log. Mostly a missing capability: a user "
        "namespace, a container, or root without CAP_BPF and CAP_SYS_ADMIN. -d libbpf shows the errno.",
        since=(0, 22, 0),
    ),
    Message(
        "bpftrace.load-failed",
        r"Loading BPF object\(s\) failed",
        "consequence",
        ("privileges.capabilities",),
        "The sum of the errors above.",
        since=(0, 22, 0),
        until=(0, 24, 2),
    ),
    Message(
        "llvm.memset",
        r"A call to built-in function '?(?P<function>memset|memcpy)'? is not supported",
        "cause",
        ("privileges.capabilities",),
        "The compiler made code that BPF has no call for. Seen when bpftrace could not probe the kernel "
        "for lack of CAP_BPF; otherwise a string or buffer too large for the stack.",
    ),
    Message(
        "kernel.helper-denied",
        r"(unknown func|program of this type cannot use helper) bpf_probe_read",
        "cause",
        ("kernel.lockdown",),
        "The kernel does not let the program read kernel memory: probably lockdown at confidentiality.",
    ),
    Message(
        "bpftrace.feature",
        r"Missing required kernel feature: (?P<feature>\S+)",
        "cause",
        ("tools.bpftrace",),
        "The script needs a BPF helper that this kernel does not have (or that could not be probed "
        "without privileges).",
        since=(0, 21, 0),
    ),
    Message(
        "bpftrace.program-refused",
        r"Error loading (BPF )?program(:| for) (?P<program>[^\s(]+)",
        "consequence",
        (),
        "The verifier refused the program; run with -v for its log. Usually the script or a too old kernel.",
    ),
    Message(
        "libbpf.memlock-guess",
        r"try raising 'ulimit -l'|Couldn't load trivial BPF program",
        "consequence",
        ("privileges.capabilities", "privileges.userns", "privileges.memlock"),
        "libbpf guesses at the memory limit after any EPERM. On kernels since 5.11 a missing privilege is "
        "likelier.",
    ),
    Message(
        "bpftrace.proc-ns",
        r"Failed to stat /proc/self/ns/pid",
        "cause",
        (),
        "The kernel has no PID namespaces or /proc is not mounted; this release needs it for the builtin "
        "pid.",
    ),
)

# kmod's modprobe, bcc's frontends, sudo's shell.
_OTHERS = (
    Message(
        "modprobe.kheaders-absent",
        r"modprobe: (FATAL|ERROR)?:? ?[Mm]odule kheaders not found",
        "cause",
        ("kheaders.archive",),
        "No kheaders module in /lib/modules of this root: the kernel was built without IKHEADERS=m, has "
        "it built in (then /sys/kernel/kheaders.tar.xz is there already), or the modules of the running "
        "kernel are not here.",
    ),
    Message(
        "modprobe.kheaders-denied",
        r"could not insert 'kheaders': Operation not permitted",
        "cause",
        ("privileges.capabilities", "kheaders.archive"),
        "Loading a module needs root with CAP_SYS_MODULE, and kernel.modules_disabled must be 0.",
    ),
    Message(
        "modprobe.kheaders-foreign",
        r"could not insert 'kheaders': (Exec format error|Invalid argument|Key was rejected)",
        "cause",
        ("kheaders.archive", "kernel.lockdown"),
        "The module file belongs to another kernel, or its signature is not accepted; the kernel log "
        "says which.",
    ),
    Message(
        "modprobe.kheaders-file",
        r"could not insert 'kheaders': Unknown symbol in module",
        "cause",
        ("kheaders.archive",),
        "modules.dep lists kheaders but the file is gone or unreadable: the kernel's package is damaged.",
    ),
    Message(
        "bcc.no-headers",
        r"Unable to find kernel headers",
        "cause",
        ("headers.tree", "kheaders.archive"),
        "bcc found neither a header tree in /lib/modules nor kheaders.",
    ),
    Message(
        "bcc.build-directory",
        rf"chdir\((?P<path>/lib/modules/{_R}/build)\): No such file or directory",
        "cause",
        ("headers.tree",),
        "The link to the header tree of the running kernel is absent or leads nowhere: its headers "
        "package is not installed in this root.",
    ),
    Message(
        "bpftool.wrapper",
        r"bpftool not found for kernel",
        "cause",
        ("tools.bpftrace",),
        "Ubuntu's wrapper looks for the linux-tools package of exactly this kernel.",
    ),
    Message(
        "shell.bpftrace-absent",
        r"bpftrace: (command )?not found|No such file or directory: 'bpftrace'",
        "stop",
        ("tools.bpftrace",),
        "bpftrace is not installed, or not in the PATH of this user (sudo has its own).",
    ),
)

MESSAGES: tuple[Message, ...] = (*_START, *_HEADERS, *_TYPES, *_PROBES, *_LOADING, *_OTHERS)
"""All known messages; for one line the first that fits counts."""
