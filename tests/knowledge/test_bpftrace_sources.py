"""The table of releases against what was read in the sources, and the reading itself on small trees.

The sources are not here; `python -m tests.support.bpftrace_sources CLONE` holds the table against them.
"""

from __future__ import annotations

import re
import subprocess
from itertools import groupby
from pathlib import Path

import pytest

from kdiag.knowledge.tools.behaviour import Behaviour
from kdiag.knowledge.tools.bpftrace import behaviour, parse_version
from kdiag.knowledge.tools.bpftrace_history import ROWS
from tests.support.bpftrace_markers import COUNTED, SIGNS
from tests.support.bpftrace_scripts import clauses
from tests.support.bpftrace_sources import OLDEST, differences, main, read, shown

DOCUMENT = Path(__file__).parents[2] / "docs" / "bpftrace-sources.md"
FIELDS = set(Behaviour._fields) - {"version", "since", "known"}


def test_every_field_can_be_read_in_a_source() -> None:
    assert set(SIGNS) | set(COUNTED) == FIELDS


def test_what_was_read_is_what_the_table_says() -> None:
    """A changed row requires the sources to be read again: the document has each answer since which release."""
    text = DOCUMENT.read_text()
    rows = [line.split(" | ") for line in text.splitlines() if re.match(r"\| \w+ \| v\d", line)]
    said = {(row[0][2:], parse_version(row[1]), row[2]) for row in rows}
    table = [behaviour(OLDEST), *(row for row in ROWS if row.since > OLDEST)]
    expected = set()
    for field in FIELDS:
        for value, group in groupby(table, key=lambda row: getattr(row, field)):
            expected.add((field, next(group).since, shown(value)))
    assert said == expected


@pytest.mark.parametrize(
    ("files", "field", "value"),
    [
        ({"src/btf.cpp": "x = btf__load_vmlinux_btf();"}, "btf_source", "libbpf"),
        ({"src/btf.cpp": "bpf_btf_get_next_id(id, &id)"}, "btf_source", "kernel-id"),
        ({"src/utils.cpp": ""}, "unpacks_kheaders", "never"),
        ({"src/bpftrace.cpp": "setrlimit(RLIMIT_NOFILE, &rl)"}, "raises_nofile", True),
        ({"src/bpftrace.cpp": ""}, "raises_nofile", False),
        ({"tools/a.bt": "#include <linux/fs.h>\n"}, "tools_including_kernel", frozenset({"a"})),
        (
            {"tools/a.bt": "#ifndef BPFTRACE_HAVE_BTF\n#include <linux/fs.h>\n#endif\n"},
            "tools_including_kernel",
            frozenset(),
        ),
        (
            {
                "tools/a.bt": "#ifndef BPFTRACE_HAVE_BTF\n#include <linux/fs.h>\n#else\n#include <net/sock.h>\n#endif\n"
            },
            "tools_including_kernel",
            frozenset({"a"}),
        ),
    ],
)
def test_signs(files: dict[str, str], field: str, value: object) -> None:
    answer = read(files)[field]
    assert answer is not None and answer.value == value


def test_a_source_without_any_sign_is_no_agreement() -> None:
    """A file that moved away takes its signs along: that is said, and nothing passes for read."""
    said = list(differences((0, 26, 0), read({})))
    assert any(line.startswith("btf_source: the source has none of the signs") for line in said)
    assert any(line.startswith("privileges: ") for line in said)


def test_a_clone_is_read_release_by_release(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(
            ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments],
            check=True,
            capture_output=True,
        )

    git("init", "-q")
    for directory in ("src", "tools", "cmake"):
        (tmp_path / directory).mkdir()
        (tmp_path / directory / "empty").write_text("")
    (tmp_path / "CMakeLists.txt").write_text("set(MIN_LLVM_MAJOR 6)\n")
    (tmp_path / "tools" / "tcpdrop.bt").write_text("kprobe:tcp_drop\n{\n}\n")
    (tmp_path / "src" / "btf.cpp").write_text("BTF::BTF()\n{\n  load(vmlinux_locs);\n}\n")
    git("add", ".")
    git("commit", "-q", "-m", "all")
    for tag in ("v0.10.0", "v0.11.0", "v0.17.0", "v0.24-rc0"):
        git("tag", tag)
    assert main([str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert (
        "v0.17.0: btf_source: the source says 'file-list' (src/btf.cpp:3 BTF::BTF()), the table 'kernel-id'"
        in lines
    )
    assert not any(line.startswith("v0.11.0: btf_source") for line in lines)
    assert "v0.17.0: tcpdrop.bt: the source says tcp_drop, the table nothing" in lines
    assert "v0.11.0: swapin.bt: the source says nothing, the table swap_readpage" in lines
    assert not any(line.startswith(("v0.11.0: tcpdrop.bt", "v0.11.0: llvm_oldest")) for line in lines)
    assert lines[-1].startswith("2 releases")


def test_the_clauses_of_a_script() -> None:
    text = "// kprobe:no\nBEGIN { }\nkprobe:a,\nkprobe:b /x/ { }\ntracepoint:c:d { }\nkretprobe:e { }\n"
    assert clauses(text) == {frozenset({"a", "b"}), frozenset({"e"})}
