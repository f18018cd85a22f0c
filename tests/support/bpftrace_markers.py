"""What bpftrace's source says where a release behaves so and not otherwise: the signs behind each field of the table.

For every field of `Behaviour` its answers in order; the first whose signs all hold is the release's. A sign is a
regular expression for a file's path and one for its text; what is absent is a sign, too. `tests.support.
bpftrace_sources` reads a tree by them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from kdiag.knowledge.tools.behaviour import Behaviour

Files = Mapping[str, str]
"""The text files of a tree by their path in it."""


class Sign(NamedTuple):
    """A text that is in one of the files, or in none of them."""

    where: str
    what: str
    there: bool = True


class Read(NamedTuple):
    """An answer, and the first place that says so."""

    value: object
    place: str


def has(where: str, what: str) -> Sign:
    return Sign(where, what)


def no(where: str, what: str) -> Sign:
    return Sign(where, what, there=False)


#: Where what it does has moved to in the course of the releases.
UTIL = r"^src/(utils|util/kernel|symbols/kernel)\.cpp$"
CLANG = r"^src/(ast/passes/)?clang_parser\.cpp$"
START = r"^src/(main|run_bpftrace)\.cpp$"
TYPES = r"^src/(probe_)?types\.(h|cpp)$"
FEATURE = r"^src/bpffeature\.(h|cpp)$"
EVENT = r"^src/(ast/passes/)?tracepoint_format_parser\.cpp$"
STACKS = r"^src/(map|ast/passes/codegen_llvm)\.cpp$"
CODE = r"^src/.*\.cpp$"
TRACEFS = r"^src/(tracefs/)?tracefs\.cpp$"
EARLY_RETURN = r"c_definitions\.empty\(\) &&\s*bpftrace\.btf_set_\.empty\(\)"

SIGNS: Mapping[str, tuple[tuple[object, tuple[Sign, ...]], ...]] = {
    "unpacks_kheaders": (
        ("never", (no(UTIL, r"unpack_kheaders_tar_xz"),)),
        ("without-btf", (has(START, r"get_kernel_dirs\(utsname, !bpftrace\.feature_->has_btf\(\)\)"),)),
        ("always", (has(START, r"get_kernel_dirs\(utsname\)"),)),
    ),
    "checks_kheaders_owner": (
        (True, (has(UTIL, r"unpack_kheaders_tar_xz(?s:.*)st_uid|st_uid(?s:.*)unpack_kheaders_tar_xz"),)),
        (True, (no(UTIL, r"unpack_kheaders_tar_xz"),)),
        (False, (no(UTIL, r"st_uid"),)),
    ),
    "header_warning": (
        ("never", (no(CODE, r"Could not find kernel headers in"),)),
        ("before-parsing", (has(UTIL, r"Could not find kernel headers in"),)),
        ("after-failure", (has(START, r"Could not find kernel headers in"),)),
    ),
    "honours_kernel_build": (
        (True, (has(UTIL, r"BPFTRACE_KERNEL_BUILD"),)),
        (False, (no(CODE, r"BPFTRACE_KERNEL_BUILD"),)),
    ),
    "kconfig_include": (
        (
            "if-readable",
            (has(UTIL, r"access\([^)]*kconfig|kconfig(?s:.{0,300})access\(|exists\([^)]*kconfig"),),
        ),
        ("always", (has(UTIL, r"linux/kconfig\.h"),)),
    ),
    "clang_runs": (
        (
            "when-types",
            (has(CLANG, EARLY_RETURN), has(r"field_analyser\.cpp$", r"btf_set_\.insert\(cast\.cast_type")),
        ),
        ("with-definitions", (has(r"^src/(clang_parser|main)\.cpp$", EARLY_RETURN),)),
        (
            "with-definitions",
            (has(CLANG, r"c_definitions\.size\(\) == 0"), no(CLANG, r"c_definitions\.empty")),
        ),
        ("always", (has(CLANG, r"clang_parseTranslationUnit2"),)),
    ),
    "clang_shell": (
        (True, (has(CLANG, r"exec_system\(cmd\.c_str\(\)\)"), has(CODE, r"popen\(cmd, \"r\"\), pclose"))),
        (False, (no(CLANG, r"exec_system\(cmd"),)),
    ),
    "types_header": (
        ("never", (no(EVENT, r"linux/types\.h"),)),
        ("tracepoints-without-btf", (has(EVENT, r"linux/types\.h"), no(CLANG, r"clang_workarounds"))),
        ("definitions", (has(EVENT, r"force_btf_"),)),
        (
            "definitions-without-btf",
            (has(CLANG, r"clang_workarounds"), has(r"^src/(clang_parser|main)\.cpp$", EARLY_RETURN)),
        ),
        ("everything-without-btf", (has(CLANG, r"clang_workarounds"), has(CLANG, r"btf_\.has_data\(\)"))),
    ),
    "defines_have_btf": (
        (True, (has(CLANG, r"BPFTRACE_HAVE_BTF"),)),
        (False, (no(CODE, r"BPFTRACE_HAVE_BTF"),)),
    ),
    "btf_source": (
        ("libbpf", (has(r"^src/btf\.cpp$", r"btf__load_vmlinux_btf"),)),
        ("kernel-id", (has(r"^src/btf\.cpp$", r"bpf_btf_get_next_id"),)),
        ("file-list", (has(r"^src/btf\.cpp$", r"vmlinux_locs"),)),
    ),
    "btf_types": (
        ("without-definitions", (has(CLANG, r"force_btf_ && bpftrace\.btf_\.has_data"),)),
        ("always", (has(CLANG, r"has_(btf_)?data\(\)"), no(CLANG, r"force_btf_"))),
    ),
    "honours_btf_variable": ((True, (has(r"^src/btf\.cpp$", r'getenv\("BPFTRACE_BTF"\)'),)),),
    "bad_btf_variable": (
        ("warning", (has(r"^src/btf\.cpp$", r"BTF: failed to parse BTF from"),)),
        ("crash", (has(r"^src/btf\.cpp$", r"btf__parse_raw\(path\)"),)),
        ("ignored", (has(r"^src/btf\.cpp$", r"btf_open\(locs\)"),)),
    ),
    "module_btf": (
        (True, (has(r"^src/btf\.cpp$", r"btf__load_from_kernel_by_id_split"),)),
        (False, (no(r"^src/btf\.cpp$", r"by_id_split"),)),
    ),
    "args_need_btf": (
        (True, (has(EVENT, r"BTF is required for parsing tracepoint arguments"),)),
        (False, (has(EVENT, r"TracepointFormatParser::get_tracepoint_struct"),)),
    ),
    "args_operators": (
        ((".", "->"), (has(r"^tools/\w+\.bt$", r"\bargs\.\w"),)),
        (("->",), (has(r"^tools/\w+\.bt$", r"\bargs->\w"),)),
    ),
    "fentry_names": (
        (("fentry", "kfunc"), (has(TYPES, r'"fentry"'),)),
        (("kfunc",), (has(TYPES, r'"kfunc"'),)),
    ),
    "begin_program": (
        ("uprobe", (has(CODE, r"BEGIN_trigger"), no(FEATURE, r"test_run"))),
        ("either", (has(CODE, r"BEGIN_trigger"), has(FEATURE, r"bpf_prog_test_run_opts"))),
        (
            "raw-tracepoint",
            (no(CODE, r"BEGIN_trigger"), has(r"^src/bpftrace\.cpp$", r"bpf_prog_test_run_opts")),
        ),
    ),
    "output": (
        ("ring-buffer", (has(r"^src/run_bpftrace\.cpp$", r"BPF_MAP_TYPE_RINGBUF, which bpftrace requires"),)),
        ("ring-buffer", (has(r"^src/bpftrace\.cpp$", r"ring_buffer__new"), no(FEATURE, r"map_ringbuf"))),
        ("either", (has(FEATURE, r"map_ringbuf"), has(r"^src/bpftrace\.cpp$", r"bpf_open_perf_buffer"))),
        ("perf-events", (has(r"^src/bpftrace\.cpp$", r"bpf_open_perf_buffer"),)),
    ),
    "pids": (
        ("initial", (no(CODE, r"get_pidns_self_stat"),)),
        ("own", (has(CODE, r"optional<struct stat> &BPFtrace::get_pidns_self_stat"),)),
        ("own-or-fails", (has(CODE, r"const struct stat &BPFtrace::get_pidns_self_stat"),)),
    ),
    "pids_swapped": (
        (False, (no(CODE, r"bpf_pidns_info"),)),
        (
            True,
            (
                has(
                    r"irbuilderbpf\.cpp$",
                    r"CreateGetPid\((?s:.{0,900})\"bpf_pidns_info\"(?s:.{0,400})"
                    r"getInt32\(0\), b?_?\.?getInt32\(0\)(?s:.{0,400})return pid",
                ),
            ),
        ),
        (False, (has(r"irbuilderbpf\.cpp$", r"getInt32Ty\(\), // pid   \(TID in userspace\)"),)),
    ),
    "interval_on_cpu0": (
        (
            False,
            (
                has(
                    r"^src/attached_probe\.cpp$",
                    r"int cpu = 0;\n(?s:.{0,120})get_online_cpus\(\)(?s:.{0,120})cpu = cpus\[0\]",
                ),
            ),
        ),
        (True, (has(r"^src/attached_probe\.cpp$", r"interval(?s:.{0,600})int cpu = 0;"),)),
    ),
    "attaches_by": (
        ("libbcc", (has(r"^src/attached_probe\.cpp$", r"bpf_detach_kprobe"),)),
        (
            "libbpf",
            (
                has(r"^src/attached_probe\.cpp$", r"bpf_program__attach_uprobe_opts"),
                no(CODE, r"bpf_detach_kprobe"),
            ),
        ),
    ),
    "usdt_needs_types": (
        (True, (has(r"^src/stdlib/usdt/usdt\.bpf\.c$", r"usdt\.bpf\.h"),)),
        (False, (no(r"^src/stdlib/.*usdt.*$", "."),)),
    ),
    "usdt_multi": (
        (
            True,
            (
                has(
                    r"^src/bpfprogram\.cpp$",
                    r"probe\.type == ProbeType::usdt\)\) \{\n\s*attach_type = \S*UPROBE_MULTI",
                ),
            ),
        ),
        (False, (no(r"^src/bpfprogram\.cpp$", r"ProbeType::usdt"),)),
    ),
    "usdt_semaphores": (
        (
            "counted-or-by-pid",
            (
                has(r"^src/attached_probe\.cpp$", r"usdt_sem_up_manual|bcc_usdt_(addsem|enable)"),
                has(FEATURE, r"ref_ctr_offset"),
            ),
        ),
        ("by-pid", (has(r"^src/attached_probe\.cpp$", r"bcc_usdt_(addsem|enable)"),)),
        ("counted", (has(r"^src/attached_probe\.cpp$", r"semaphore_offset|bpf_program__attach_usdt"),)),
    ),
    "rawtracepoint": (
        ("needs-btf", (has(CODE, r"rawtracepoints require kernel BTF"),)),
        ("any", (has(TYPES, r"rawtracepoint"),)),
        ("absent", (no(TYPES, r"rawtracepoint"),)),
    ),
    "fentry_check": (
        (
            "attach",
            (
                has(r"^src/bpffeature\.cpp$", r"has_prog_(kfunc|fentry)(?s:.{0,500})bpf_raw_tracepoint_open"),
                has(CODE, r"(kfunc/kretfunc|fentry/fexit|fentry) not available for your kernel"),
            ),
        ),
        ("load", (has(CODE, r"kfunc/kretfunc not available for your kernel"),)),
        ("late", (no(CODE, r"fexit not available for your kernel|kretfunc not available for your kernel"),)),
    ),
    "fentry_test": (
        ("strlen", (has(FEATURE, r"kfunc__strlen"),)),
        ("", (no(FEATURE, r"kfunc__strlen"),)),
    ),
    "iterators": (
        ("any", (has(CODE, r"get_all_iters\(\)"),)),
        ("listed", (has(FEATURE, r"iter_task"),)),
        ("none", (no(CODE, r'provider == "iter"'),)),
    ),
    "stack_entries": (
        (131072, (has(STACKS, r"128 << 10"),)),
        (4096, (has(STACKS, r"max_entries = 4096"),)),
        (0, (no(STACKS, r"stackid_maps|StackType::name"),)),
    ),
    **{
        field: ((True, (has(FEATURE, rf"has_{field}"),)), (False, (no(FEATURE, field),)))
        for field in ("kprobe_multi", "uprobe_multi", "kprobe_session")
    },
    "raises_nofile": ((True, (has(CODE, r"RLIMIT_NOFILE"),)), (False, (no(CODE, r"RLIMIT_NOFILE"),))),
    "privileges": (
        ("capabilities", (has(START, r"check_privileges\(\)"), has(CODE, r"CAP_DAC_READ_SEARCH"))),
        (
            "euid",
            (has(START, r"currently only supports running as the root user"), has(START, r"geteuid\(\)")),
        ),
    ),
    "needs_dev_null": (
        (
            True,
            (
                has(r"^src/(utils|util/io)\.cpp$", r'throw \w+\("open\(\\"/dev/null'),
                has(CLANG, r"silencer\.silence"),
            ),
        ),
        (False, (no(r"^src/(utils|util/io)\.cpp$", r'throw \w+\("open\(\\"/dev/null'),)),
    ),
    "needs_dev_fd": (
        (True, (has(r"^src/stdlib/\w+\.bpf\.c$", "."), has(r"^src/util/memfd\.h$", r"/dev/fd/"))),
        (False, (no(r"^src/stdlib/\w+\.bpf\.c$", "."),)),
    ),
    "needs_tracefs_at_start": (
        (True, (has(r"^src/symbols/kernel\.cpp$", r"tracepoints_file\(tracefs::available_events\(\)\)"),)),
        (False, (no(r"^src/symbols/kernel\.cpp$", r"."),)),
    ),
    "needs_meminfo": ((True, (has(CODE, r"/proc/meminfo"),)), (False, (no(CODE, r"/proc/meminfo"),))),
    "needs_proc_modules": (
        (False, (no(r"^src/symbols/kernel\.cpp$", r"parse_modules\(\)"),)),
        (False, (has(r"^src/symbols/kernel\.cpp$", r"parse_modules\(\)\n\{(?s:.{0,600})ENOENT"),)),
        (True, (has(r"^src/symbols/kernel\.cpp$", r"parse_modules\(\)"),)),
    ),
    "tracefs_paths": (
        (
            ("/sys/kernel/debug/tracing", "/sys/kernel/tracing"),
            (has(TRACEFS, r'"/sys/kernel/debug/tracing"'), has(TRACEFS, r'"/sys/kernel/tracing"')),
        ),
        (
            ("/sys/kernel/debug/tracing",),
            (has(CODE, r"/sys/kernel/debug/tracing"), no(CODE, r"/sys/kernel/tracing")),
        ),
        (
            ("/sys/kernel/debug/tracing",),
            (has(r"^src/.*\.h$", r"/sys/kernel/debug/tracing"), no(CODE, r"/sys/kernel/tracing")),
        ),
    ),
    "min_kernel_warning": (
        (
            (5, 15, 0),
            (
                has(CODE, r"lower than the minimum supported kernel"),
                has(r"^cmake/Version\.cmake$", r"MIN_KERNEL_VERSION_MAJOR 5\)\n.*_MINOR 15\)\n.*_PATCH 0\)"),
            ),
        ),
        (None, (no(CODE, r"lower than the minimum supported kernel"),)),
    ),
    "memlock_prefix": (
        ("WARNING", (has(r"^src/main\.cpp$", r"RLIMIT_MEMLOCK(?s:.{0,60})LOG\(WARNING\)"),)),
        ("ERROR", (has(r"^src/main\.cpp$", r"RLIMIT_MEMLOCK(?s:.{0,60})LOG\(ERROR\)"),)),
        ("", (has(r"^src/main\.cpp$", r"RLIMIT_MEMLOCK(?s:.{0,60})std::cerr"),)),
    ),
    "tools_loop": (
        (True, (has(r"^tools/opensnoop\.bt$", r"^\s*for \$\w+ : .*\.\."),)),
        (False, (no(r"^tools/opensnoop\.bt$", r"^\s*for \$\w+ : .*\.\."),)),
    ),
}

_BTF_GUARD = re.compile(r"^#ifndef BPFTRACE_HAVE_BTF\n(?s:.*?)^(#else|#endif)", re.MULTILINE)
_KERNEL_HEADER = re.compile(r"^#include <(linux|net|asm|uapi)/", re.MULTILINE)
_LIBC_HEADER = re.compile(r"^#include <sys/socket\.h>", re.MULTILINE)


def _tools(files: Files, header: re.Pattern[str]) -> Read:
    """The stock tools that include such a header although there is BTF."""
    tools = {path: text for path, text in files.items() if re.fullmatch(r"tools/\w+\.bt", path)}
    unguarded = {path: _BTF_GUARD.sub("", text) for path, text in tools.items()}
    names = frozenset(path[6:-3] for path, text in unguarded.items() if header.search(text))
    return Read(names, f"{len(names)} of {len(tools)} tools/*.bt")


COUNTED: Mapping[str, Callable[[Files], Read]] = {
    "tools_including_kernel": lambda files: _tools(files, _KERNEL_HEADER),
    "tools_including_libc": lambda files: _tools(files, _LIBC_HEADER),
}


_OLDEST_LLVM = re.compile(r"set\(MIN_LLVM_MAJOR (\d+)\)|LLVM_VERSION_MAJOR\} VERSION_LESS (\d+)\)")
_NEWEST_LLVM = re.compile(r"set\(MAX_LLVM_MAJOR (?!999)(\d+)\)|LLVM_VERSION_MAJOR\} VERSION_GREATER (\d+)\)")


def _llvm(files: Files, number: re.Pattern[str]) -> Read:
    """A bound of LLVM's releases, beyond which the build stops with an error."""
    text = files.get("CMakeLists.txt", "")
    found = number.search(text)
    if found is None:
        return Read(None, f"no `{number.pattern}` in CMakeLists.txt")
    line = text.count("\n", 0, found.start()) + 1
    return Read(int(found[1] or found[2]), f"CMakeLists.txt:{line}")


COUNTED: Mapping[str, Callable[[Files], Read]] = {
    "tools_including_kernel": lambda files: _tools(files, _KERNEL_HEADER),
    "tools_including_libc": lambda files: _tools(files, _LIBC_HEADER),
    "llvm_oldest": lambda files: _llvm(files, _OLDEST_LLVM),
    "llvm_newest": lambda files: _llvm(files, _NEWEST_LLVM),
}

UNREAD = frozenset(Behaviour._fields) - {"version", "since", "known"} - set(SIGNS) - set(COUNTED)
"""Fields that no sign is known for: a test wants none."""
