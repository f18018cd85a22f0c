"""Kernel configurations: real ones, and the traps that real ones set."""

from __future__ import annotations

import contextlib
import gzip
from pathlib import Path

import pytest

from kdiag.parse import kconfig
from kdiag.parse.errors import ParseError
from kdiag.parse.kconfig import parse
from tests.support.patterns import count_patterns
from tests.support.steps import linear

LAB = Path(__file__).parents[3] / "shared" / "kernels" / "6.12-ikheaders-m" / "config"
PROC = Path("/proc/config.gz")

HEAD = b"#\n# Automatically generated file; DO NOT EDIT.\n# Linux/x86_64 6.12.107 Kernel Configuration\n#\n"
MANY = b"".join(b"CONFIG_FILLER_%d=y\n" % number for number in range(300))


def test_values_of_every_kind() -> None:
    config = parse(
        b'CONFIG_BPF=y\nCONFIG_IKHEADERS=m\n# CONFIG_KPROBES is not set\nCONFIG_LSM="lockdown,yama,bpf"\n'
        b'CONFIG_HZ=250\nCONFIG_SHIFT=-5\nCONFIG_PHYSICAL_START=0x1000000\nCONFIG_LOCALVERSION=""\n'
    )
    assert config.get("BPF") == "y"
    assert config.get("IKHEADERS") == "m"
    assert config.get("KPROBES") == "n"
    assert config.get("FPROBE") is None
    assert config.get("LSM") == "lockdown,yama,bpf"
    assert config.get("HZ") == 250
    assert config.get("SHIFT") == -5
    assert config.get("PHYSICAL_START") == 0x1000000
    assert config.get("LOCALVERSION") == ""
    assert config.get("CONFIG_BPF") == "y"
    assert config.values["PHYSICAL_START"] == "0x1000000"


def test_a_quoted_y_is_told_from_a_yes_in_the_raw_values() -> None:
    config = parse(b'CONFIG_A="y"\nCONFIG_B=y\n')
    assert (config.values["A"], config.values["B"]) == ('"y"', "y")
    assert config.get("A") == config.get("B") == "y"


def test_escapes_in_strings() -> None:
    assert parse(rb'CONFIG_A="say \"hi\" \\ bye"' + b"\n").get("A") == r'say "hi" \ bye'


def test_a_cut_string_loses_only_its_quote() -> None:
    assert parse(b'CONFIG_A="abc').get("A") == "abc"
    assert parse(b'CONFIG_A="').get("A") == ""


def test_the_last_mention_counts() -> None:
    assert parse(b"CONFIG_A=y\n# CONFIG_A is not set\n").get("A") == "n"
    assert parse(b"# CONFIG_A is not set\nCONFIG_A=m\n").get("A") == "m"


@pytest.mark.parametrize(
    "line",
    [
        b"# CONFIG_A=y",
        b"# CONFIG_A is not set, because",
        b"#CONFIG_A is not set",
        b"config_A=y",
        b" CONFIG_A=y",
    ],
)
def test_what_only_looks_like_an_option(line: bytes) -> None:
    config = parse(b"CONFIG_B=y\nCONFIG_C=y\n" + line + b"\n")
    assert config.get("A") is None
    assert len(config.values) == 2


def test_windows_line_ends_and_a_byte_order_mark() -> None:
    config = parse(b'\xef\xbb\xbfCONFIG_A=y\r\n# CONFIG_B is not set\r\nCONFIG_C="x"\r\n')
    assert (config.get("A"), config.get("B"), config.get("C")) == ("y", "n", "x")


def test_trailing_blanks() -> None:
    config = parse(b"CONFIG_A=y \n# CONFIG_B is not set \t\n")
    assert (config.get("A"), config.get("B")) == ("y", "n")


def test_the_banner_and_completeness() -> None:
    config = parse(HEAD + MANY)
    assert (config.banner_arch, config.banner_version, config.complete) == ("x86_64", "6.12.107", True)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (MANY, "no banner: a defconfig"),
        (HEAD + b"CONFIG_A=y\n", "too few options"),
        (HEAD + MANY + b"CONFIG_LAST_ONE=", "the last line is cut"),
    ],
)
def test_fragments_are_not_complete(data: bytes, why: str) -> None:
    assert parse(data).complete is False, why


def test_invalid_utf8_stays_in_its_value() -> None:
    config = parse(b'CONFIG_A="caf\xe9"\nCONFIG_B=y\n')
    assert config.get("A") == "caf\ufffd"
    assert config.get("B") == "y"


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", None),
        (b" \n\n", None),
        (HEAD, None),
        (b"\x7fELF\x02\x01\x01\x00", 1),
        (b"CONFIG_A=y\nCONFIG_B=y\nCONFIG_\0", 3),
        (gzip.compress(b"CONFIG_A=y\n", mtime=0), 1),
        (b"<html>\n<body>CONFIG_A=y</body>\n", 1),
        (b"# how to\n\nset these:\nCONFIG_A=y\nand reboot\n", 3),
        ("CONFIG_A=y\n".encode("utf-16"), 1),
    ],
)
def test_not_a_configuration(data: bytes, line: int | None) -> None:
    with pytest.raises(ParseError) as error:
        parse(data)
    assert error.value.offset == line


def test_a_stray_line_is_forgiven() -> None:
    assert parse(b"CONFIG_A=y\nCONFIG_B=y\n>>>>>>> merge\n").get("B") == "y"


@pytest.mark.slow
@pytest.mark.parametrize("unit", [b"CONFIG_", b"# CONFIG_A is not set ", b"#", b" ", b'CONFIG_A="', b"\r"])
def test_long_lines_take_linear_time(unit: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    patterns = count_patterns(kconfig, monkeypatch.setattr)

    def steps(size: int) -> int:
        before = sum(pattern.steps for pattern in patterns)
        with contextlib.suppress(ParseError):
            parse(b"CONFIG_A=y\n" + unit * (size // len(unit)) + b"!\n")
        return sum(pattern.steps for pattern in patterns) - before

    linear(steps, 4_000)


@pytest.mark.skipif(not LAB.exists(), reason="no lab kernel beside this tree")
def test_the_lab_kernel() -> None:
    config = parse(LAB.read_bytes())
    assert (config.banner_arch, config.banner_version, config.complete) == ("x86", "6.12.107", True)
    assert (config.get("IKHEADERS"), config.get("DEBUG_INFO_BTF"), config.get("PID_NS")) == ("m", "y", "y")
    assert config.get("XFS_FS") == "n"
    assert config.get("SQUASHFS") is None  # hidden: MISC_FILESYSTEMS is off
    lines = LAB.read_text().splitlines()
    assert len(config.values) == sum(" is not set" in line or line.startswith("CONFIG_") for line in lines)


@pytest.mark.skipif(not PROC.exists(), reason="the running kernel has no /proc/config.gz")
def test_the_running_kernel() -> None:
    text = gzip.decompress(PROC.read_bytes())
    config = parse(text)
    assert config.complete
    assert config.get("IKCONFIG_PROC") == "y"
    lines = text.decode().splitlines()
    assert len(config.values) == sum(
        line.startswith("CONFIG_") or line.endswith(" is not set") for line in lines
    )
