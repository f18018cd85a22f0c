"""For each tool: which tags are releases, which files print, and by which calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from tests.support.message_sources import python
from tests.support.message_sources.calls import Call, Stream, read
from tests.support.message_sources.formats import braces, go, plain, printf
from tests.support.message_sources.template import Template
from tests.support.message_sources.trees import Release


class Tool(NamedTuple):
    """tags: of releases, with the release as first group; files: those that are read, by their paths."""

    tags: str
    oldest: Release
    files: str
    read: Callable[[str, str], Iterator[Template]]


def _calls(language: str, *known: Call | Stream) -> Callable[[str, str], Iterator[Template]]:
    return lambda text, path: read(text, path, language, known)


def _bcc(text: str, path: str) -> Iterator[Template]:
    return python.read(text, path) if path.endswith(".py") else read(text, path, "c", _BCC)


_BPFTRACE = (
    # src/log.h; DEBUG, V1 and INFO are no complaints.
    Call("LOG", first="(ERROR|WARNING|HINT|FATAL|BUG)", stream=True),
    # src/ast/context.h, src/diagnostic.h.
    Call(r"add(Error|Warning|Hint)", stream=True),
    Call(r"addContext", plain, stream=True),
    Call("ERR|WARN", plain),
    Call("error|warning|errorf|warnf|argument_count_error|log_type_error", plain),
    Call(r"throw [\w:]+|make_error<[\w:]+>|runtime_error", plain),
    Call("perror", plain, behind=": %s"),
    Call("fprintf", printf, first="stderr"),
    Call("std::format", braces),
    Stream(r"std::cerr|err|err_|errs_|errmsg|err_buf|buf|OS"),
)
_LIBBPF = (
    Call("pr_warn|pr_info|pr_warn_ratelimited"),
    Call("pr_warn_elf", behind=": %s"),
    # src/libbpf.c up to 0.4: the macro's older shape.
    Call("__pr", first="LIBBPF_WARN"),
)
_BCC = (
    Call("fprintf", first="stderr"),
    Call("perror", plain, behind=": %s"),
    Call("warn|p_err|p_info|warning|error"),
    Call(r"StatusTuple|throw std::\w+|setErrorStr|print_error|emit_error|set_error"),
    Stream(r"std::cerr|(?<=llvm::errs\(\))|errs"),
    Call(r"(llvm::)?errs", plain, stream=True),
)
_BPFTOOL = (
    Call("p_err|p_info|pr_warn"),
    Call("fprintf", first="stderr"),
    Call("perror", plain, behind=": %s"),
    Call("usage", plain),
)
_KMOD = (
    Call("ERR|CRIT|WRN|NOTICE|LOG|INFO|SHOW"),
    Call("fprintf", first="stderr"),
    Call("kmod_log"),
)
_EBPF = (Call(r"fmt\.Errorf|xerrors\.Errorf", go), Call(r"errors\.New|xerrors\.New", plain))
_RUST = (
    Call(r"#\[error(?=\()", braces),
    Call(r"bail!|anyhow!|eprintln!|warn!|error!", braces),
    Call(
        r"(context|with_context|with_invalid_data|with_invalid_input|InvalidInput|InvalidData|Internal)",
        braces,
    ),
    Call(r"Error::(System|new|other)", braces),
)
_VERIFIER = (
    Call(r"verbose(_linfo)?|bpf_log|btf_verifier_log(_type|_member|_basic|_vsi|_hdr)?"),
    Call(r"bpf_diag\w*|verifier_bug\w*"),
    Call(r"pr_(warn|err|info)(_once|_ratelimited)?"),
)

TOOLS: Mapping[str, Tool] = {
    "bpftrace": Tool(
        r"v(\d+\.\d+(?:\.\d+)?)",
        (0, 11),
        r"^src/(?!.*(stdlib|benchmarks|/tests?/|libbpf/)).*\.(cpp|h|yy|ll|l)$",
        _calls("c", *_BPFTRACE),
    ),
    "libbpf": Tool(r"v(\d+\.\d+(?:\.\d+)?)", (0, 3), r"^src/[^/]*\.[ch]$", _calls("c", *_LIBBPF)),
    "bcc": Tool(
        r"v?(\d+\.\d+(?:\.\d+)?)",
        (0, 8),
        r"^(src/cc/(?!libbpf/|compat/).*\.(c|cc|h)|src/python/.*\.py|libbpf-tools/(?!.*vmlinux|.*\.bpf\.c)[^/]*\.[ch]"
        r"|tools/[^/]*\.py)$",
        _bcc,
    ),
    "bpftool": Tool(r"v(\d+\.\d+(?:\.\d+)?)", (6, 7), r"^src/[^/]*\.[ch]$", _calls("c", *_BPFTOOL)),
    "ebpf": Tool(
        r"v(\d+\.\d+(?:\.\d+)?)",
        (0, 1),
        r"^(?!.*(_test\.go|_windows\.go|_other\.go|internal/efw|/testutils|/testdata|^examples/|/examples/|^cmd/|internal/cmd)).*\.go$",
        _calls("go", *_EBPF),
    ),
    "libbpf-rs": Tool(
        r"v(\d+\.\d+(?:\.\d+)?)", (0, 19), r"^libbpf-rs/src/(?!error\.rs).*\.rs$", _calls("rust", *_RUST)
    ),
    "aya": Tool(
        r"aya-v(\d+\.\d+(?:\.\d+)?)",
        (0, 10),
        r"^(aya|aya-obj|aya-log)/src/(?!test_helpers).*\.rs$",
        _calls("rust", *_RUST),
    ),
    "kernel": Tool(
        r"v(\d+\.\d+)",
        (4, 9),
        r"^kernel/(bpf/.*|trace/bpf_trace|trace/trace_kprobe|trace/trace_uprobe|events/core|module/.*|module)\.c$",
        _calls("c", *_VERIFIER),
    ),
    "kmod": Tool(
        r"v(\d+(?:\.\d+)?)",
        (18,),
        r"^(tools|libkmod)/(?!.*(depmod|test)).*\.[ch]$",
        _calls("c", *_KMOD),
    ),
}


def names() -> Sequence[str]:
    """The tools that are known."""
    return tuple(TOOLS)
