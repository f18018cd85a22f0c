"""The CO-RE objects: what is in them, that they are made from the source beside them, and what the loader says."""

from __future__ import annotations

import base64
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

import kdiag.smoke
from kdiag.smoke.programs import core
from tests.support.waiting import HANG

HOME = Path(kdiag.smoke.__file__).parent
OBJECTS = sorted((HOME / "objects").glob("*.bpf.o"))
LIBBPF = next(iter(sorted(Path("/usr/lib").glob("**/libbpf.so.*.*"))), None)


def sections(path: Path) -> set[str]:
    file = ELFFile(io.BytesIO(path.read_bytes()))
    assert file["e_machine"] == "EM_BPF"
    return {section.name for section in file.iter_sections()}


def test_every_program_has_its_object() -> None:
    assert {f"{path.name}" for path in OBJECTS} == {one.shown[0] for one in core.PROGRAMS if not one.alone}


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: path.name)
def test_an_object_is_whole(path: Path) -> None:
    """Types and relocations for CO-RE, maps, a licence that the helpers accept, one program, no debug information."""
    found = sections(path)
    assert {".BTF", ".BTF.ext", ".maps", "license"} <= found
    assert not [name for name in found if name.startswith(".debug")]
    assert b"Dual MIT/GPL" in path.read_bytes()
    kinds = ("tracepoint/", "kprobe/", "fentry/", "raw_tracepoint/", "tp_btf/", "iter/")
    assert len([name for name in found if name.startswith(kinds)]) == 1


@pytest.mark.skipif(shutil.which("clang") is None or shutil.which("llvm-strip") is None, reason="no clang")
def test_the_objects_are_made_from_the_source(tmp_path: Path) -> None:
    """Another clang gives other bytes; the same sections and program it has to give."""
    for name in ("core.bpf.c", "build.sh"):
        shutil.copy(HOME / "objects" / name, tmp_path / name)
    subprocess.run(["sh", str(tmp_path / "build.sh")], check=True, capture_output=True, timeout=HANG)
    made = sorted(tmp_path.glob("*.bpf.o"))
    assert [path.name for path in made] == [path.name for path in OBJECTS]
    ours = {".strtab", ".llvm_addrsig"}
    for new, old in zip(made, OBJECTS, strict=True):
        assert sections(new) - ours == sections(old) - ours


def load(*arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-I", "-S", "-B", str(HOME / "loader.py"), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=HANG, check=False)


def test_a_library_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = load(str(tmp_path / "libbpf.so.9"), "version")
    assert done.returncode == 1
    assert str(tmp_path / "libbpf.so.9") in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(LIBBPF is None, reason="no libbpf is installed")
def test_what_libbpf_refuses_is_told_with_its_errno() -> None:
    """No object at all, and one that is cut short."""
    for image in (b"", b"\x7fELF", OBJECTS[0].read_bytes()[:700]):
        done = load(str(LIBBPF), base64.b64encode(image).decode(), "nosuch")
        assert done.returncode == 1
        assert "bpf_object__open_mem: " in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.skipif(LIBBPF is None, reason="no libbpf is installed")
def test_the_library_tells_its_release() -> None:
    done = load(str(LIBBPF), "version")
    assert done.returncode == 0
    assert done.stdout.startswith("libbpf ")


@pytest.mark.skipif(LIBBPF is None or os.geteuid() == 0, reason="no libbpf, or root")
def test_without_rights_the_kernel_refuses_it() -> None:
    done = load(str(LIBBPF), base64.b64encode(OBJECTS[0].read_bytes()).decode(), "nosuch")
    assert done.returncode == 1
    assert "Operation not permitted (1)" in done.stderr
