"""The table behind `kdiag.knowledge.tools.bpftrace`: releases that changed something, and the commit that did it.

Every row is the row before it with some answers changed, so that a reader sees what is new in a release. Read
from a full clone of bpftrace/bpftrace up to e1b7c3934 (2026-08-08), tag by tag; 0.27 has no tag there and
stands for that commit. What was read where is in docs/bpftrace-sources.md; `python -m tests.support.bpftrace_sources
CLONE` reads it again, and the next release. "Inferred" marks what was concluded from the code without having been seen
running.
"""

from __future__ import annotations

from kdiag.knowledge.tools.behaviour import Behaviour

OLDEST_READ = (0, 9, 0)
NEWEST_READ = (0, 27, 1)

_DEBUG_TRACING = "/sys/kernel/debug/tracing"
_TCP_LIBC = frozenset({"tcpaccept", "tcpconnect", "tcpdrop", "tcplife", "tcpretrans"})
_TOOLS_09 = frozenset(
    {
        "dcsnoop",
        "mdflush",
        "oomkill",
        "runqlat",
        "runqlen",
        "tcpaccept",
        "tcpconnect",
        "tcpdrop",
        "tcpretrans",
    }
)

_0_9_0 = Behaviour(
    version=(0, 9, 0),
    since=(0, 9, 0),
    known=True,
    unpacks_kheaders="never",
    checks_kheaders_owner=False,
    header_warning="never",
    honours_kernel_build=False,
    kconfig_include="always",
    clang_runs="with-definitions",
    clang_shell=False,
    types_header="tracepoints",
    defines_have_btf=False,
    btf_source="none",
    btf_types="none",
    honours_btf_variable=False,
    bad_btf_variable="ignored",
    module_btf=False,
    args_need_btf=False,
    args_operators=("->",),
    fentry_names=(),
    begin_program="uprobe",
    output="perf-events",
    pids="initial",
    pids_swapped=False,
    interval_on_cpu0=True,
    attaches_by="libbcc",
    usdt_needs_types=False,
    usdt_multi=False,
    usdt_semaphores="by-pid",
    rawtracepoint="absent",
    fentry_check="none",
    fentry_test="",
    iterators="none",
    stack_entries=4096,
    kprobe_multi=False,
    uprobe_multi=False,
    kprobe_session=False,
    llvm_oldest=5,
    llvm_newest=None,
    raises_nofile=False,
    privileges="euid",
    needs_dev_null=False,
    needs_dev_fd=False,
    needs_tracefs_at_start=False,
    needs_meminfo=False,
    needs_proc_modules=False,
    tracefs_paths=(_DEBUG_TRACING,),
    min_kernel_warning=None,
    memlock_prefix="",
    tools_including_kernel=_TOOLS_09,
    tools_loop=False,
    tools_including_libc=frozenset(),
)

_0_9_1 = _0_9_0._replace(
    since=(0, 9, 1),
    types_header="definitions",  # 60263e171 clang_parser: workaround for asm goto in Kernel 5+ headers
)
_0_9_3 = _0_9_1._replace(
    since=(0, 9, 3),
    unpacks_kheaders="always",  # 896fafbe9 utils: unpack kheaders.tar.xz if necessary (#768)
    btf_source="file-list",  # 43530aa9c Add BTF class
    btf_types="without-definitions",  # the same; -b/--btf forces it
    tools_including_kernel=_TOOLS_09 | {"naptime", "tcplife", "tcpsynbl"},
)
_0_9_4 = _0_9_3._replace(
    since=(0, 9, 4),
    honours_btf_variable=True,  # 5bbeb31d5 Rename BPFTRACE_BTF_TEST to BPFTRACE_BTF
)
_0_10_0 = _0_9_4._replace(
    since=(0, 10, 0),
    fentry_names=("kfunc",),  # 69c8fd459 Add BTF::resolve_args function to resolve kfunc arguments
    fentry_check="load",
)
_0_11_0 = _0_10_0._replace(
    since=(0, 11, 0),
    llvm_oldest=6,  # CMakeLists.txt, as all that follow
    clang_runs="always",  # c6816f161 Don't rely on <linux/types.h> being present
    fentry_test="strlen",  # 9f2ff41f1 Add bpffeature test for func
)
_0_12_0 = _0_11_0._replace(
    since=(0, 12, 0),
    fentry_test="",  # 19e15bf7f Use kfunc__sched_fork instead of kfunc__strlen: every BTF has that
    unpacks_kheaders="without-btf",  # 17bbcd2b0 kheader: Do not unpack kheaders if system has BTF
    btf_types="always",  # ClangParser::parse: has_data() instead of force_btf_
    types_header="everything-without-btf",  # clang_workarounds.h; inferred for BEGIN
    iterators="listed",
    usdt_semaphores="counted-or-by-pid",  # 0.12: BPFfeature::has_uprobe_refcnt()
    memlock_prefix="ERROR",  # 693d407fa Logging: change error/warning info to use new logging infra
    tools_including_kernel=_0_9_3.tools_including_kernel | {"biosnoop"},
)
_0_13_0 = _0_12_0._replace(
    since=(0, 13, 0),
    llvm_newest=12,
    stack_entries=128 << 10,  # src/map.cpp, later generate_maps() in src/ast/passes/codegen_llvm.cpp
)
_0_14_0 = _0_13_0._replace(since=(0, 14, 0), llvm_newest=14)
_0_15_0 = _0_14_0._replace(
    since=(0, 15, 0),
    llvm_newest=15,
    honours_kernel_build=True,  # 8c08ca357 Add BPFTRACE_KERNEL_BUILD env var for out-of-tree kernel build
    defines_have_btf=True,
    needs_dev_null=True,  # StdioSilencer::silence() throws
    clang_shell=True,  # ClangParser::system_include_paths(): "clang-N -Wp,-v" by popen(3)
    tools_including_kernel=frozenset({"runqlat"}),
    tools_including_libc=_TCP_LIBC,
)
_0_16_0 = _0_15_0._replace(
    since=(0, 16, 0),
    # bpffeature.cpp, has_raw_tp_special: a raw tracepoint program run by BPF_PROG_TEST_RUN, a uprobe where that fails
    begin_program="either",
    kprobe_multi=True,  # 5ab53fad2 Add support for multi kprobe
    tools_including_kernel=frozenset({"runqlat", "undump"}),
)
_0_17_0 = _0_16_0._replace(
    since=(0, 17, 0),
    clang_runs="when-types",  # 14782d8fd Avoid running ClangParser if not necessary
    types_header="definitions-without-btf",
    btf_source="kernel-id",  # fea319398 Support BTF for kernel modules
    bad_btf_variable="crash",  # BTF::BTF(): result of btf__parse_raw() not tested; seen
    module_btf=True,
    tracefs_paths=(
        _DEBUG_TRACING,
        "/sys/kernel/tracing",
    ),  # f9dbbc8f0 use tracefs directly when debugfs is not
    tools_including_kernel=frozenset({"runqlat"}),
)
# 870e96bea bpftrace: Load vmlinux BTF using btf__load_vmlinux_btf() (cd8c1b188 of 0.18, taken over)
_0_17_1 = _0_17_0._replace(since=(0, 17, 1), btf_source="libbpf")
_0_18_0 = _0_17_1._replace(
    since=(0, 18, 0),
    llvm_newest=16,
    clang_runs="with-definitions",  # ded5b3116 Field analyser: resolve struct fields on deref
    rawtracepoint="any",
    fentry_check="attach",  # 292509aa8 fix kfunc detection
)
_0_19_0 = _0_18_0._replace(
    since=(0, 19, 0),
    unpacks_kheaders="always",  # 91db77c57 Decouple kheaders unpacking from BTF support; inferred
    output="either",  # has_map_ringbuf() in irbuilderbpf.cpp; 0.19 prints through BPF_MAP_TYPE_RINGBUF
    args_operators=(".", "->"),  # e73f0d5d4 Replace args->x by args.x in docs and tools; -> stays accepted
    iterators="any",  # 7b45ce9d2 get all iters from btf
)
_0_19_1 = _0_19_0._replace(since=(0, 19, 1), llvm_newest=17)
_0_20_0 = _0_19_1._replace(
    since=(0, 20, 0),
    fentry_names=("fentry", "kfunc"),  # 4151babaf Add fentry/fexit aliases for kfunc/kretfunc
    uprobe_multi=True,
)
_0_20_2 = _0_20_0._replace(
    since=(0, 20, 2), checks_kheaders_owner=True
)  # unpack_kheaders_tar_xz(), CVE-2024-2313
_0_20_4 = _0_20_2._replace(
    since=(0, 20, 4),
    unpacks_kheaders="never",  # d0a569254 Don't unpack kernel headers or look in tmp (#3156)
    header_warning="before-parsing",
)
_0_21_0 = _0_20_4._replace(
    since=(0, 21, 0),
    llvm_newest=18,
    memlock_prefix="WARNING",  # c8fd334f5 Update log messages (#3105)
    tools_including_libc=frozenset(),
)
_0_22_0 = _0_21_0._replace(
    since=(0, 22, 0),
    llvm_oldest=13,
    llvm_newest=19,
    begin_program="raw-tracepoint",  # bpftrace.cpp runs it and has nothing else
    header_warning="after-failure",  # 3e915ae21 kernel headers: only print kheaders not found warning if
    bad_btf_variable="warning",  # 05274e6a0 BTF: Handle btf__parse_raw() errors
    tools_including_kernel=frozenset(),
)
_0_23_0 = _0_22_0._replace(
    since=(0, 23, 0),
    types_header="tracepoints-without-btf",  # c26c57052 Drop clang_workarounds.h
    pids_swapped=True,  # the same; mended by 8b5102474
    llvm_oldest=16,
    llvm_newest=20,
    pids="own-or-fails",  # 793ef5f4a Codegen: Get correct PIDs/TIDs relative to bpftrace's PID namespace
)
_0_23_4 = _0_23_0._replace(
    since=(0, 23, 4),
    pids="own",  # a06904bf0 Don't crash if kernel is built without PID namespaces
)
_0_24_0 = _0_23_4._replace(
    since=(0, 24, 0),
    llvm_newest=21,
    output="ring-buffer",  # run_bpftrace(): "missing the BPF_MAP_TYPE_RINGBUF, which bpftrace requires"
    header_warning="never",  # 7839fa01a ast: use new PassManager when possible (#3869)
    clang_runs="always",  # the same: CreateClangParsePass has no condition; inferred
    attaches_by="libbpf",  # attached_probe.cpp: bpf_program__attach_uprobe_opts(); USDT still by bpf_attach_uprobe()
    rawtracepoint="needs-btf",  # 79e641407 Use correct prog and attach types for rawtracepoints
    kprobe_session=True,
    usdt_semaphores="counted",  # 0.24 requires uprobe reference counts (#4199)
)
_0_24_2 = _0_24_0._replace(
    since=(0, 24, 2),
    pids_swapped=False,  # c62dd7302 codegen: Fix tid/pid in non-init namespaces (#4813)
    clang_shell=False,  # ff000c232 Release/0.24.x backports (#4827): exec_system() by execvp(3)
)
_0_25_0 = _0_24_2._replace(
    since=(0, 25, 0),
    # src/stdlib/base.bpf.c goes through clang in every script (CreateClangBuildPass); 0.24 has no such file
    needs_dev_fd=True,
    # src/stdlib/usdt: bfd51f884 is among 0.24's ancestors, and so is its reversal, d089c0003
    usdt_needs_types=True,
    interval_on_cpu0=False,  # 373377985 Fix interval probe attachment when CPU 0 is offline (#4987)
    llvm_oldest=18,
    llvm_newest=22,
    usdt_multi=True,  # BpfProgram::set_expected_attach_type(), and libbpf's usdt_manager_attach_usdt()
    needs_dev_null=False,  # clang's errors are caught in a buffer
    kconfig_include="if-readable",  # eb81cb4c9 Only include the kconfig header if it exists (#5013)
    types_header="never",
    args_need_btf=True,  # 9dd37ee03 Parse tracepoint args from BTF (#4864)
    fentry_check="late",  # fe845e321 Remove old probe feature checks (#4549)
    needs_meminfo=True,  # get_buffer_pages() reads it; inferred
    raises_nofile=True,  # 0773ec682 Increase the RLIMIT_NOFILE if needed (#4716)
    privileges="capabilities",  # 5261e8e1f Replace root user check with capability checks (#4773)
    needs_tracefs_at_start=True,  # 4a3b4dec7 cleanup: aggregate function info into mockable interfaces
    needs_proc_modules=True,  # the same: parse_modules() takes no absence; inferred
    tools_loop=True,
    stack_entries=0,  # a stack is a value as any other
    min_kernel_warning=(5, 15, 0),  # be5522f47 Add warning for low kernel versions (#4553)
)
_0_26_0 = _0_25_0._replace(since=(0, 26, 0), needs_proc_modules=False)  # parse_modules(): ENOENT is no error

ROWS: tuple[Behaviour, ...] = (
    *(
        _0_9_0,
        _0_9_1,
        _0_9_3,
        _0_9_4,
        _0_10_0,
        _0_11_0,
        _0_12_0,
        _0_13_0,
        _0_14_0,
        _0_15_0,
        _0_16_0,
        _0_17_0,
        _0_17_1,
    ),
    *(
        _0_18_0,
        _0_19_0,
        _0_19_1,
        _0_20_0,
        _0_20_2,
        _0_20_4,
        _0_21_0,
        _0_22_0,
        _0_23_0,
        _0_23_4,
        _0_24_0,
        _0_24_2,
        _0_25_0,
        _0_26_0,
    ),
)
"""Oldest first; each holds from its `since` until the next."""
