"""The format files of tracepoints: made ones of the kinds of fields that exist, and those of this machine."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kdiag.parse.event_format import not_for_user_space
from tests.support.needs import need, need_program

PLACES = ("/sys/kernel/tracing/events", "/sys/kernel/debug/tracing/events")


def line(field: str, size: int) -> str:
    return f"\tfield:{field};\toffset:8;\tsize:{size};\tsigned:0;\n"


@pytest.mark.parametrize(
    ("field", "size", "missing"),
    [
        ("int a", 4, ()),
        ("int a", 8, ("s64",)),
        ("unsigned int a", 8, ("u64",)),
        ("pid_t a", 4, ("pid_t",)),
        ("pid_t a", 8, ("u64",)),
        ("unsigned long a", 8, ()),
        ("unsigned long long a", 8, ()),
        ("const char * a", 8, ()),
        ("char *a", 8, ()),
        ("__u16 a", 2, ()),
        ("__be32 a", 4, ()),
        ("u8 a[16]", 16, ("u8",)),
        ("char a[16]", 16, ()),
        ("char a[TASK_COMM_LEN]", 16, ("TASK_COMM_LEN",)),
        ("__data_loc char[] a", 4, ()),
        ("__data_loc u32[] a", 4, ()),
        ("struct sock * a", 8, ()),
        ("struct timespec64 a", 16, ("struct timespec64",)),
        ("enum hrtimer_mode a", 4, ("enum hrtimer_mode",)),
        ("const struct pt_regs * a", 8, ()),
        ("__kernel_pid_t a", 4, ()),
        ("bool a", 1, ("bool",)),
        ("_Bool a", 1, ()),
    ],
)
def test_a_field(field: str, size: int, missing: tuple[str, ...]) -> None:
    assert not_for_user_space(f'name: x\nformat:\n{line(field, size)}\nprint fmt: ""\n') == missing


def test_what_is_no_format() -> None:
    assert not_for_user_space("") == ()
    assert not_for_user_space("field:;size:;\n field: ;size:9999999999;\n" * 100) == ()


@pytest.mark.parametrize(
    "field", ["__u16 a", "__le64 a", "__wsum a", "__kernel_size_t a", "u64 a", "pid_t a", "gfp_t a"]
)
def test_a_compiler_says_the_same(field: str, tmp_path: Path) -> None:
    compiler = shutil.which("clang") or need_program("cc")
    need(Path("/usr/include/linux/types.h").exists(), "linux-libc-dev")
    source = tmp_path / "a.c"
    source.write_text(f"#include <linux/types.h>\nstruct x {{ {field}; }} y;\n")
    told = subprocess.run((compiler, "-fsyntax-only", source), capture_output=True, text=True, check=False)
    assert (told.returncode == 0) == (not_for_user_space(line(field, 4)) == ()), told.stderr


def test_the_tracepoints_of_this_kernel() -> None:
    """Every format file of this machine is read, and what is missing are words."""
    root = next((Path(place) for place in PLACES if Path(place, "sched").is_dir()), None)
    if root is None:
        pytest.skip("tracefs is not mounted")
    for path in sorted(root.glob("s*/*/format"))[:300]:
        for name in not_for_user_space(path.read_text()):
            assert re.fullmatch(r"[\w ]+", name), (path, name)
