"""modules.dep, modules.builtin and /proc/modules."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.parse.errors import ParseError
from kdiag.parse.modules import (
    LoadedModule,
    ModuleFile,
    find,
    find_builtin,
    name_of,
    parse_builtin,
    parse_dep,
    parse_loaded,
)

PROC = Path("/proc/modules")

DEP = b"""\
kernel/arch/x86/kvm/kvm-intel.ko.xz: kernel/arch/x86/kvm/kvm.ko.xz kernel/virt/lib/irqbypass.ko.xz
kernel/drivers/not_kheaders.ko.xz: kernel/kernel/kheaders.ko.xz
kernel/kernel/kheaders.ko.xz:
kernel/net/plain.ko:
updates/dkms/some_thing-else.ko.zst: kernel/net/plain.ko
extra.ko.gz:
"""
BUILTIN = b"kernel/kernel/configs.ko\nkernel/fs/ext4/ext4.ko\nkernel/lib/crc-t10dif.ko\n"


def test_find_a_module() -> None:
    assert find(DEP, "kheaders") == ModuleFile("kheaders", "kernel/kernel/kheaders.ko.xz", ())
    assert find(DEP, "plain") == ModuleFile("plain", "kernel/net/plain.ko", ())
    assert find(DEP, "extra") == ModuleFile("extra", "extra.ko.gz", ())


def test_dashes_and_underscores_are_equal() -> None:
    expected = ModuleFile(
        "kvm_intel",
        "kernel/arch/x86/kvm/kvm-intel.ko.xz",
        ("kernel/arch/x86/kvm/kvm.ko.xz", "kernel/virt/lib/irqbypass.ko.xz"),
    )
    assert find(DEP, "kvm_intel") == find(DEP, "kvm-intel") == expected
    assert find(DEP, "some-thing_else") == find(DEP, "some_thing-else")


@pytest.mark.parametrize(
    "name", ["", "configs", "headers", "kheader", "kheaders.ko", "irqbypass", "kernel", ".*", "plai."]
)
def test_not_in_modules_dep(name: str) -> None:
    assert find(DEP, name) is None
    assert find(b"", name) is None


def test_suffixes() -> None:
    assert [module.suffix for module in parse_dep(DEP).values()] == [
        ".ko.xz", ".ko.xz", ".ko.xz", ".ko", ".ko.zst", ".ko.gz",
    ]  # fmt: skip


def test_find_and_parse_agree() -> None:
    modules = parse_dep(DEP)
    assert list(modules) == ["kvm_intel", "not_kheaders", "kheaders", "plain", "some_thing_else", "extra"]
    assert all(find(DEP, name) == module for name, module in modules.items())


def test_absolute_paths_and_windows_line_ends() -> None:
    module = find(b"/lib/modules/6.1/extra/a.ko: /lib/modules/6.1/b.ko\r\n", "a")
    assert module == ModuleFile("a", "/lib/modules/6.1/extra/a.ko", ("/lib/modules/6.1/b.ko",))


def test_not_modules_dep() -> None:
    with pytest.raises(ParseError) as error:
        parse_dep(b"kernel/a.ko:\n<html>\n")
    assert error.value.offset == 2


def test_builtin() -> None:
    assert find_builtin(BUILTIN, "configs") == "kernel/kernel/configs.ko"
    assert find_builtin(BUILTIN, "crc_t10dif") == "kernel/lib/crc-t10dif.ko"
    assert find_builtin(BUILTIN, "kheaders") is None
    assert find_builtin(BUILTIN, "config") is None
    assert parse_builtin(BUILTIN) == {
        "configs": "kernel/kernel/configs.ko",
        "ext4": "kernel/fs/ext4/ext4.ko",
        "crc_t10dif": "kernel/lib/crc-t10dif.ko",
    }


def test_name_of() -> None:
    assert name_of("/lib/modules/6.1/kernel/kernel/kheaders.ko.zst") == "kheaders"
    assert name_of("some-module.ko") == "some_module"


def test_loaded() -> None:
    text = (
        b"kheaders 4362240 0 - Live 0x0000000000000000\n"
        b"kvm 1327104 1 kvm_intel, Live 0xffffffffc0a00000\n"
        b"nvidia 100 3 nvidia_uvm,nvidia_modeset, Loading 0x0 (POE)\n"
        b"forever 100 -1 [permanent], Live 0x0\n"
        b"old 5 - - Live 0xc0\n"
    )
    loaded = parse_loaded(text)
    assert loaded["kheaders"] == LoadedModule("kheaders", 4362240, 0, (), "Live", "")
    assert loaded["kvm"].used_by == ("kvm_intel",)
    assert loaded["nvidia"] == LoadedModule(
        "nvidia", 100, 3, ("nvidia_uvm", "nvidia_modeset"), "Loading", "POE"
    )
    assert loaded["forever"].used_by == ()
    assert loaded["old"].references is None
    assert parse_loaded(b"") == {}


@pytest.mark.parametrize(
    "line",
    [
        b"kheaders",
        b"Module Size Used by",
        b"a x 0 - Live 0x0",
        b"a 1 0 - Live",
        b"a " + b"9" * 5000 + b" 0 - Live 0x0",
    ],
)
def test_not_proc_modules(line: bytes) -> None:
    with pytest.raises(ParseError) as error:
        parse_loaded(b"a 1 0 - Live 0x0\n" + line + b"\n")
    assert error.value.offset == 2


@pytest.mark.skipif(not PROC.exists(), reason="the running kernel has no modules")
def test_loaded_modules_of_the_running_kernel() -> None:
    text = PROC.read_bytes()
    assert len(parse_loaded(text)) == len(text.splitlines())


LINES = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from([b"kernel/a.ko", b".ko.xz:", b"a 1 0 - Live 0x0", b":", b"\n", b" ", b"/", b"\r\n"]),
    ),
    max_size=15,
).map(b"".join)


@settings(deadline=None, max_examples=200)
@given(LINES, st.text(max_size=5))
def test_junk_gives_parse_errors_only(data: bytes, name: str) -> None:
    found = find(data, name)
    assert found is None or found.name == name.replace("-", "_")
    find_builtin(data, name)
    parse_builtin(data)
    for parse in (parse_dep, parse_loaded):
        with contextlib.suppress(ParseError):
            parse(data)
