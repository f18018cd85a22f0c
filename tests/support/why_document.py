"""docs/why.md: what `kdiag why` prints for ten messages on recorded machines, and how often it is right.

    python -m tests.support.why_document

writes both anew; tests/why holds them against what is printed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache, partial
from typing import NamedTuple

from kdiag.btf.sources import of_kernel
from kdiag.cli.examination import report_on
from kdiag.commands.why import explain, log_in, rendered
from kdiag.console.terminal import Terminal
from tests.support.paths import FIXTURES, REPOSITORY
from tests.support.why_agreement import counted, table

DOCUMENT = REPOSITORY / "docs" / "why.md"
_RELEASE = "6.12.107+deb13-cloud-amd64"
WARNING = (
    "WARNING: Could not find kernel headers in /lib/modules/6.15.11/source or /lib/modules/6.15.11/build. To specify a "
    "particular path to kernel headers, set the env variables BPFTRACE_KERNEL_SOURCE and, optionally, "
    "BPFTRACE_KERNEL_BUILD if the kernel was built in a different directory than its source."
)


class Transcript(NamedTuple):
    """A message on a recorded machine."""

    fixture: str
    text: str


TRANSCRIPTS = {
    "harmless": Transcript("orbstack-container", WARNING),
    "not-harmless": Transcript("lab-6.12-nobtf-kheaders", WARNING),
    "log": Transcript(
        "user-namespace",
        'ERROR: Unknown BPF object load failure. Try using the "-d libbpf" option to see the full loading log.\n'
        "ERROR: Loading BPF object(s) failed.",
    ),
    "tracefs": Transcript(
        "container-without-tracefs", "stdin:1:1-35: ERROR: tracepoint not found: syscalls:sys_enter_openat"
    ),
    "no-bpf": Transcript(
        "gvisor",
        "libbpf: Error in bpf_object__probe_loading():Function not implemented(38). Couldn't load trivial BPF program. "
        "Make sure your kernel supports BPF (CONFIG_BPF_SYSCALL=y) and/or that RLIMIT_MEMLOCK is set to big enough "
        "value.",
    ),
    "half-a-tree": Transcript(
        "debian-6.12-half-headers",
        f"<built-in>:1:10: fatal error: '/lib/modules/{_RELEASE}/build/include/linux/kconfig.h' file not found",
    ),
    "lockdown": Transcript(
        "debian-6.12-lockdown",
        "Kernel lockdown is enabled and set to 'confidentiality'. Lockdown mode blocks parts of BPF which makes it "
        "impossible for bpftrace to function.",
    ),
    "kheaders": Transcript(
        "wsl2-5.15",
        "modprobe: FATAL: Module kheaders not found in directory /lib/modules/5.15.167.4-microsoft-standard-WSL2",
    ),
    "python": Transcript("kind-node", "ModuleNotFoundError: No module named 'bcc'"),
    "unknown": Transcript("minimal", "error: failed to make the map: Invalid argument"),
}


def printed(name: str) -> str:
    """The command and what it prints."""
    one = TRANSCRIPTS[name]
    path = f"fixtures/{one.fixture}"
    report, system = report_on(str(FIXTURES / one.fixture), "")
    types = partial(of_kernel, system, "the recorded kernel")
    explanation = explain(log_in(one.text.encode()), report, types, recorded=True)
    words, _ = rendered(explanation, "text", Terminal(80, color=False, unicode=True), verbose=False)
    if "\n" in one.text:
        return f"$ cat log\n{one.text}\n$ kdiag why --from {path} log\n{words}"
    return f"$ kdiag why --from {path} {shlex.quote(one.text)}\n{words}"


@cache
def agreement() -> str:
    """The table of what is right."""
    return table(counted()[0])


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """The transcripts in a document, by name."""
    for found in re.finditer(r"<!-- why: (\S+) -->\n```text\n(.*?)```\n", text, re.DOTALL):
        yield found[1], found[2]


def _renewed(text: str) -> str:
    def block(found: re.Match[str]) -> str:
        return f"<!-- why: {found[1]} -->\n```text\n{printed(found[1])}```\n"

    text = re.sub(r"<!-- why: (\S+) -->\n```text\n.*?```\n", block, text, flags=re.DOTALL)
    return re.sub(
        r"(<!-- agreement -->\n).*?(<!-- end -->\n)",
        lambda found: found[1] + agreement() + found[2],
        text,
        flags=re.DOTALL,
    )


def write() -> None:
    """Write them anew."""
    DOCUMENT.write_text(_renewed(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write()
