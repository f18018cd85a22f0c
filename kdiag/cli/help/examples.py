"""Two examples or more for every command, for its help and its manual page; imported when one of these is made.

A test parses each of them.
"""

from __future__ import annotations

from typing import NamedTuple


class Example(NamedTuple):
    """line: what is typed; what: what it does, as a sentence without its stop."""

    line: str
    what: str


def _of(*pairs: tuple[str, str]) -> tuple[Example, ...]:
    return tuple(Example(*pair) for pair in pairs)


#: By the words of the command; () is kdiag itself.
EXAMPLES: dict[tuple[str, ...], tuple[Example, ...]] = {
    (): _of(
        ("kdiag check", "what can be traced here"),
        ("sudo kdiag fix", "repair what can be repaired, after a question"),
    ),
    ("check",): _of(
        ("kdiag check --verbose", "every finding, with all that was looked at"),
        (
            "kdiag check --require fentry,uprobe --format json -o report.json",
            "exit status 1 if one does not work",
        ),
        ("kdiag check --from kdiag-host.tar.zst", "the machine of a recording"),
    ),
    ("list",): _of(
        ("kdiag list", "the names that --only, --require and --profile take"),
        ("kdiag list --no-plugins", "without the checks of other packages"),
    ),
    ("schema",): _of(
        ("kdiag schema", "of the report that kdiag check --format json writes"),
        ("kdiag schema comparison", "of the document of kdiag compare"),
        ("kdiag schema fleet", "of that of kdiag compare --fleet"),
    ),
    ("explain",): _of(
        ("kdiag explain CONFIG_IKHEADERS CAP_BPF", "what they are, and how they stand here"),
        ("kdiag explain kprobe:tcp_v4_connect", "what a probe requires, and its arguments"),
        ("kdiag explain opensnoop.bt", "whether a script will run here"),
        ("kdiag explain -e 'kprobe:vfs_read { @[comm] = count(); }'", "the same of one that is typed"),
    ),
    ("why",): _of(
        ("bpftrace -e 'kprobe:nosuch { }' 2>&1 | kdiag why", "the message of a program"),
        ("kdiag why 'Kernel headers not found'", "a message that was copied"),
    ),
    ("btf",): _of(
        ("kdiag btf struct task_struct", "a struct with the offsets of its members"),
        ("kdiag btf", "how many types this kernel describes, in how many bytes"),
    ),
    ("btf", "struct"): _of(
        ("kdiag btf struct task_struct se.vruntime 'comm[3]' mm.pgd", "where these members lie"),
        ("kdiag btf struct nft_chain --module nf_tables --format c", "as C that a compiler takes"),
    ),
    ("btf", "func"): _of(
        ("kdiag btf func vfs_read", "the prototype"),
        ("kdiag btf func tcp_v4_connect --format json", "the same for a program"),
    ),
    ("btf", "find"): _of(
        ("kdiag btf find 'tcp_*connect*' --kind func", "functions by a pattern"),
        ("kdiag btf find '*_struct' --kind struct,union", "structs and unions by a pattern"),
    ),
    ("btf", "diff"): _of(
        ("kdiag btf diff kdiag-old.tar.zst here", "a recorded kernel and this one"),
        ("kdiag btf diff here vmlinux-6.12 task_struct sock -v", "two structs, moved members too"),
    ),
    ("learn",): _of(
        ("sudo kdiag learn", "the four programs, run for real where they work"),
        ("kdiag learn --from kdiag-host.tar.zst --no-pause", "about a recorded machine: nothing is run"),
    ),
    ("fix",): _of(
        ("kdiag fix --dry-run", "the plan, and nothing is changed"),
        ("sudo kdiag fix --yes", "without a question"),
        ("sudo kdiag fix --undo", "take everything back"),
    ),
    ("smoke",): _of(
        ("sudo kdiag smoke", "all programs of the installed tools"),
        ("sudo kdiag smoke --tool bpftrace --format json", "of one tool, for a program"),
    ),
    ("env",): _of(
        ('eval "$(kdiag env)"', "for sh, bash and zsh"),
        ("kdiag env --format fish | source", "for fish"),
    ),
    ("run",): _of(
        ("sudo kdiag run -- bpftrace opensnoop.bt", "with the headers that kdiag put in place"),
        ("kdiag run --no-why -- make", "without a word of kdiag where it fails"),
    ),
    ("record",): _of(
        ("kdiag record -o kdiag-host.tar.zst", "to send it, or to compare"),
        ("kdiag record --list", "what would be in it"),
    ),
    ("collector",): _of(
        ("kdiag collector > collect.sh", "for machines without Python: sh collect.sh -o FILE.tar"),
        ("kdiag collector | ssh HOST sh -s | kdiag check --from -", "ask such a machine over ssh"),
    ),
    ("compare",): _of(
        ("kdiag compare laptop.tar.zst server.tar.zst", "two machines side by side"),
        ("kdiag compare --baseline good.json now.json", "exit status 1 if something got worse"),
        ("kdiag compare reports/ --group-by kernel,distribution", "thousands of machines, counted"),
        ("kdiag compare reports/ --history fleet.db --fail-above not-ready=5%", "kept, and judged"),
    ),
    ("history",): _of(
        ("kdiag history fleet.db", "the collections that kdiag compare --history kept"),
        ("kdiag history fleet.db web-17", "since when a machine answers as it does"),
    ),
    ("report",): _of(
        ("kdiag report report.json", "a kept report, as kdiag check prints it"),
        ("kdiag report report.json --format html -o report.html", "the same as a page"),
    ),
    ("mcp",): _of(
        ("kdiag mcp", "started by the program that asks"),
        ("kdiag mcp </dev/null", "whether the extra kdiag[mcp] is there: then it prints nothing"),
    ),
}
