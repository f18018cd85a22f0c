"""The behaviour of one bpftrace release as a value: the questions that a prediction asks of its source.

Does clang run, which headers does it need, where do types come from, who may run it, what is opened before the script
starts.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Version = tuple[int, int, int]


class Behaviour(NamedTuple):
    """What one bpftrace release does. Paths and functions in comments are those of bpftrace's repository.

    `version` is the release asked for, `since` the oldest release that behaves the same in every field,
    `known` is False for releases older or newer than those whose source was read (they get the nearest row).
    """

    version: Version
    since: Version
    known: bool

    # Headers: get_kernel_dirs() in src/utils.cpp, later src/util/kernel.cpp (0.24), src/symbols/kernel.cpp.
    unpacks_kheaders: Literal["never", "without-btf", "always"]
    """Whether it runs `modprobe kheaders` and unpacks to ${TMPDIR:-/tmp}/kheaders-R when it finds no header
    directory; happens even for scripts that need no header."""
    checks_kheaders_owner: bool
    """Whether an existing /tmp/kheaders-R must belong to root (CVE-2024-2313)."""
    header_warning: Literal["never", "before-parsing", "after-failure"]
    """When it prints "Could not find kernel headers in"; "before-parsing" also for scripts that then work."""
    honours_kernel_build: bool
    """Whether BPFTRACE_KERNEL_BUILD counts (only beside BPFTRACE_KERNEL_SOURCE, read by all)."""
    kconfig_include: Literal["always", "if-readable"]
    """Whether clang is told `-include <dir>/include/linux/kconfig.h` even where the directory lacks it."""

    # clang: ClangParser::parse() and its caller in src/main.cpp or AllParsePasses (src/ast/passes/parser.h).
    clang_runs: Literal["with-definitions", "always", "when-types"]
    """Which scripts reach clang: those with C definitions (any tracepoint adds one before 0.11; also 0.18-0.23, where
    struct fields come straight from BTF), all of them, or those with C definitions or types required from BTF."""
    clang_shell: bool
    """Whether clang's directories are asked for through a shell wherever clang runs (query_clang_include_dirs()).
    Without /bin/sh popen(3) returns NULL, which a shared_ptr hands to pclose(3): a segmentation fault."""
    types_header: Literal[
        "tracepoints",
        "definitions",
        "everything-without-btf",
        "definitions-without-btf",
        "tracepoints-without-btf",
        "never",
    ]
    """Which scripts get `#include <linux/types.h>` from bpftrace itself and so need headers although they do
    not ask for any. Tracepoint scripts count as "definitions", with or without `args`, up to 0.22."""
    defines_have_btf: bool
    """Whether scripts can test BPFTRACE_HAVE_BTF (stock tools guard their includes with it)."""

    # Types: src/btf.cpp.
    btf_source: Literal["none", "file-list", "kernel-id", "libbpf"]
    """Where vmlinux BTF comes from unless BPFTRACE_BTF says: its own list of files; kernel object ids through
    bpf() (needs CAP_SYS_ADMIN and a kernel that lists vmlinux, 5.11+, no /sys); btf__load_vmlinux_btf()."""
    btf_types: Literal["none", "without-definitions", "always"]
    """When types are taken from BTF; "without-definitions": in scripts without C definitions or with -b."""
    honours_btf_variable: bool
    """Whether BPFTRACE_BTF (a raw BTF file, never an ELF) counts."""
    bad_btf_variable: Literal["ignored", "crash", "warning"]
    """What an unparsable BPFTRACE_BTF does ("crash": a segmentation fault of every script, seen with 0.17.0)."""
    module_btf: bool
    """Whether types of modules are found (through object ids: needs CAP_SYS_ADMIN)."""
    args_need_btf: bool
    """Whether `args` of a tracepoint needs BTF; before, clang read the tracefs format file."""

    # Syntax.
    args_operators: tuple[str, ...]
    """Accepted spellings of tracepoint argument access, the preferred first."""
    fentry_names: tuple[str, ...]
    """Accepted spellings of fentry, the preferred first; empty where it does not exist."""

    # Probes.
    begin_program: Literal["uprobe", "either", "raw-tracepoint"]
    """What BEGIN is: a uprobe on bpftrace's own binary, a raw tracepoint program, or that and the uprobe where the
    kernel cannot run it on demand."""
    output: Literal["perf-events", "either", "ring-buffer"]
    """How a program's output reaches bpftrace; "either": through perf events where the kernel has no ring buffers."""
    pids: Literal["initial", "own-or-fails", "own"]
    """Whose ids `pid` and `tid` are: the first PID namespace's, or those of bpftrace's own (get_pidns_self_stat(),
    src/bpftrace.cpp); "own-or-fails": a script with one of them fails where the kernel has no PID namespaces."""
    pids_swapped: bool
    """Whether `pid` and `tid` change places in a PID namespace that is not the first (CreateGetPid())."""
    interval_on_cpu0: bool
    """Whether an interval probe is opened on CPU 0, whether it is online or not."""
    attaches_by: Literal["libbcc", "libbpf"]
    """What attaches and detaches single kprobes and uprobes. libbcc goes on to tracefs where perf_event_open(2) is
    refused, and looks into it and complains without when it detaches."""
    usdt_needs_types: bool
    """Whether a USDT probe brings a piece of C that needs the kernel's types."""
    usdt_multi: bool
    """Whether USDT probes attach through uprobe.multi links where the kernel has them: those are no perf events."""
    usdt_semaphores: Literal["by-pid", "counted-or-by-pid", "counted"]
    """How a USDT probe behind a semaphore is switched on: in the memory of the process that -p names, by the kernel
    (ref_ctr_offset of the uprobe event source, 4.20) with that as a way out, or by the kernel only."""
    rawtracepoint: Literal["absent", "any", "needs-btf"]
    fentry_check: Literal["none", "load", "attach", "late"]
    """How it is decided that fentry works: not at all (absent), loading a test program, loading and attaching
    one (both also need BTF and a readable available_filter_functions), or when the real one is loaded."""
    fentry_test: str
    """The function that its test program is for, where kernels exist whose BTF lacks it; else empty."""
    iterators: Literal["none", "listed", "any"]
    stack_entries: int
    """Of the map that stacks are kept in, with room for 127 frames each, made as a whole at start; 0 without one."""
    kprobe_multi: bool
    uprobe_multi: bool
    kprobe_session: bool

    # Build: CMakeLists.txt.
    llvm_oldest: int
    llvm_newest: int | None
    """The LLVM between which it is built, None where no newest is named: with another one the build stops."""

    # Start: main() in src/main.cpp.
    raises_nofile: bool
    """Whether it raises RLIMIT_NOFILE to what its probes and maps need."""
    privileges: Literal["euid", "capabilities"]
    """"euid": effective uid 0, capabilities not looked at. "capabilities": CAP_SYS_ADMIN, or CAP_BPF and
    CAP_PERFMON; a user who is not root needs CAP_DAC_READ_SEARCH and CAP_DAC_OVERRIDE as well."""
    needs_dev_null: bool
    """Whether running clang ends where /dev/null cannot be opened (StdioSilencer::silence())."""
    needs_dev_fd: bool
    """Whether it compiles its library of C through /dev/fd (src/util/memfd.h)."""
    needs_tracefs_at_start: bool
    """Whether available_events must be readable even for BEGIN (KernelInfoImpl::open)."""
    needs_meminfo: bool
    """Whether /proc/meminfo must be readable: the output buffer is sized by it (get_available_mem_kb())."""
    needs_proc_modules: bool
    """Whether a kernel without /proc/modules is refused at start."""
    tracefs_paths: tuple[str, ...]
    """Directories in order; the first that exists is used, mounted or not."""
    min_kernel_warning: Version | None
    """Kernels older than this get a warning (nothing more)."""
    memlock_prefix: Literal["", "ERROR", "WARNING"]
    """Label of the harmless "couldn't set RLIMIT_MEMLOCK" line."""

    # tools/*.bt of the release (not tools/old), includes outside `#ifndef BPFTRACE_HAVE_BTF`.
    tools_including_kernel: frozenset[str]
    tools_loop: bool
    """Whether opensnoop and others loop over ranges, which needs bpf_loop()."""
    tools_including_libc: frozenset[str]
    """Tools that include <sys/socket.h>, a header of libc's development package."""

    @property
    def release(self) -> str:
        """`version` as its tag has it: `0.17.0`."""
        return ".".join(map(str, self.version))

    @property
    def args_operator(self) -> str:
        """The operator to write: `->` before 0.19, `.` since."""
        return self.args_operators[0]

    @property
    def fentry_spelling(self) -> str | None:
        """The preferred name of the fentry probe, None where the release has none."""
        return self.fentry_names[0] if self.fentry_names else None
