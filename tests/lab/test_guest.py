"""What the guest starts from: the order of modules, the command line, the job."""

from __future__ import annotations

import dataclasses
import gzip
import lzma
import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from . import guest
from .errors import LabError
from .kernels import Kernel

KERNEL = Kernel("k", "6.1.0", "amd64", Path("bzImage"), None)


def _index(tmp_path: Path, text: str) -> guest.ModuleIndex:
    (tmp_path / "modules.dep").write_text(text)
    return guest.read_index(tmp_path)


def test_a_module_comes_after_what_it_needs(tmp_path: Path) -> None:
    # in modules.dep a module's needs are listed with the last-needed first: here ext4's needs are unordered on purpose
    index = _index(
        tmp_path,
        "kernel/fs/ext4/ext4.ko.xz: kernel/lib/crc16.ko.xz kernel/fs/jbd2/jbd2.ko.xz\n"
        "kernel/fs/jbd2/jbd2.ko.xz: kernel/fs/mbcache.ko.xz\n"
        "kernel/fs/mbcache.ko.xz:\n"
        "kernel/lib/crc16.ko.xz:\n"
        "kernel/drivers/block/virtio_blk.ko.xz: kernel/drivers/virtio/virtio.ko.xz\n"
        "kernel/drivers/virtio/virtio.ko.xz:\n"
        "kernel/drivers/net/dummy.ko.xz:\n",
    )
    order = [guest.module_name(str(path)) for path in guest.boot_modules(index)]
    assert order == ["virtio", "virtio_blk", "crc16", "mbcache", "jbd2", "ext4"]


def test_a_kernel_with_everything_built_in_needs_no_module(tmp_path: Path) -> None:
    assert guest.boot_modules(_index(tmp_path, "kernel/drivers/net/dummy.ko:\n")) == []


def test_names_of_modules() -> None:
    assert guest.module_name("kernel/drivers/virtio/virtio-pci.ko.zst") == "virtio_pci"


@pytest.mark.parametrize(
    ("suffix", "packed"),
    [("", b"ELF"), (".xz", lzma.compress(b"ELF")), (".gz", gzip.compress(b"ELF", mtime=0))],
)
def test_modules_are_decompressed(tmp_path: Path, suffix: str, packed: bytes) -> None:
    path = tmp_path / f"m.ko{suffix}"
    path.write_bytes(packed)
    assert guest.plain(path) == b"ELF"


def test_the_command_line_has_what_is_appended() -> None:
    line = guest.command_line(KERNEL, ["lockdown=integrity"])
    assert line.startswith("console=ttyS0 ")
    assert line.endswith(" lockdown=integrity")


def test_a_command_line_that_the_kernel_would_cut_is_refused() -> None:
    with pytest.raises(LabError):
        guest.command_line(KERNEL, ["x" * 2048])


def test_one_word_is_a_script_and_several_are_arguments() -> None:
    assert guest.script_of(["echo $HOME; ls"]) == "echo $HOME; ls"
    assert guest.script_of(["echo", "$HOME", "a b"]) == "echo '$HOME' 'a b'"


@settings(deadline=None, max_examples=25)
@given(
    st.lists(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=2, max_size=4
    )
)
def test_arguments_survive_the_shell(words: list[str]) -> None:
    script = guest.script_of(["printf", "%s\\n", *words])
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    assert done.stdout.decode() == "".join(f"{word}\n" for word in words)


def test_the_job_is_told_in_words_a_shell_reads() -> None:
    job = guest.Job("true", user="us er", limit=12.5, interactive=True, size=(40, 132))
    text = guest.environment(KERNEL, job)
    values = dict(line.split("=", 1) for line in text.splitlines())
    assert shlex.split(values["user"]) == ["us er"]
    assert (values["limit"], values["mode"], values["rows"], values["cols"]) == ("12", "shell", "40", "132")


def test_every_architecture_has_its_lines() -> None:
    for arch, ports in guest.PORTS.items():
        assert len(set(dataclasses.astuple(ports))) == 4, arch
