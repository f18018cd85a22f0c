"""The archive that becomes the initramfs, read back with the cpio program and with a reader of its own."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from . import cpio
from .cpio import Node


def _read(data: bytes) -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    at = 0
    while True:
        assert data[at : at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        name_at = at + 110
        name = data[name_at : name_at + fields[11] - 1].decode()
        body = (name_at + fields[11] + 3) & ~3
        if name == "TRAILER!!!":
            return nodes
        nodes[name] = Node(data[body : body + fields[6]], fields[1])
        at = (body + fields[6] + 3) & ~3


names = st.text("abc-.é", min_size=1, max_size=8).filter(lambda name: name not in {".", ".."})


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(names, st.binary(max_size=40), max_size=6))
def test_what_goes_in_comes_out(files: dict[str, bytes]) -> None:
    nodes = {f"top/{name}": Node(data) for name, data in files.items()}
    read = _read(cpio.archive(nodes))
    assert {name: node for name, node in read.items() if name != "top"} == nodes


def test_parents_come_before_their_children() -> None:
    read = list(_read(cpio.archive({"a/b/c": Node(b"x")})))
    assert read == ["a", "a/b", "a/b/c"]


def test_a_tree_keeps_links_and_permissions(tmp_path: Path) -> None:
    (tmp_path / "tool").write_bytes(b"#!/bin/sh\n")
    (tmp_path / "tool").chmod(0o755)
    (tmp_path / "link").symlink_to("tool")
    read = _read(cpio.archive(cpio.from_tree(tmp_path, "opt")))
    assert stat.S_IMODE(read["opt/tool"].mode) == 0o755
    assert stat.S_ISLNK(read["opt/link"].mode)
    assert read["opt/link"].data == b"tool"


def test_the_cpio_program_reads_it(tmp_path: Path) -> None:
    program = shutil.which("cpio")
    if program is None:
        pytest.skip("no cpio program")
    data = cpio.archive(
        {"a/file": Node(b"content"), "a/link": cpio.link("file"), "run": cpio.executable(b"#!")}
    )
    subprocess.run([program, "-i", "--quiet"], input=data, cwd=tmp_path, check=True)
    assert (tmp_path / "a/link").read_bytes() == b"content"
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o755
