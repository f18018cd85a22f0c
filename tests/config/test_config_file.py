"""kdiag.toml and [tool.kdiag]: what they may say, and that every mistake is told with its key."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest

from kdiag.checking.registry import discover
from kdiag.config.file import check_names, find, load
from kdiag.config.values import Config, ConfigError, Named
from kdiag.config.waivers import Waiver

TODAY = date(2029, 1, 1)
W = "[[waiver]]\n"

GOOD = """\
require = [
  "fentry",   # a comment
  "tracepoint-*",
]
skip = ["config.*"]
verbose = true
plugins = false
format = "markdown"
baseline = "ci/base.json"

[[waiver]]
finding = "btf.modules"
reason = "the lab's kernels have no modules"
until = "2030-06-30"

[[waiver]]
capability = "hardware"
reason = "no counters in this VM"
until = 2029-01-01
"""


def write(tmp_path: Path, text: str, name: str = "kdiag.toml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_all_of_it(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    config = load(path, TODAY)
    assert config == Config(
        path=str(path),
        require=("fentry", "tracepoint-*"),
        skip=("config.*",),
        verbose=True,
        plugins=False,
        format="markdown",
        baseline=str(tmp_path / "ci/base.json"),
        waivers=(
            Waiver("btf.modules", "the lab's kernels have no modules", date(2030, 6, 30)),
            Waiver("hardware", "no counters in this VM", date(2029, 1, 1)),
        ),
        names=(
            Named("capability", "fentry", "require 1"),
            Named("capability", "tracepoint-*", "require 2"),
            Named("check", "config.*", "skip 1"),
            Named("finding", "btf.modules", "waiver 1, finding"),
            Named("capability", "hardware", "waiver 2, capability"),
        ),
    )
    check_names(config, discover(plugins=False))


def test_the_same_in_pyproject(tmp_path: Path) -> None:
    inner = GOOD.replace("[[waiver]]", "[[tool.kdiag.waiver]]")
    path = write(tmp_path, f'[project]\nname = "x"\n\n[tool.kdiag]\n{inner}', "pyproject.toml")
    own = load(write(tmp_path, GOOD), TODAY)
    config = load(path, TODAY)
    assert config.waivers == own.waivers and config.require == own.require
    assert config.names == own.names


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, "")
    assert load(path, TODAY) == Config(path=str(path))


WAIVER = 'finding = "btf.modules"\nreason = "r"\nuntil = "2030-01-01"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("verbos = true", "no option is called 'verbos'; did you mean verbose?"),
        ("\n\nzzz = 1", "no option is called 'zzz' (there are require, tool, only, skip, "),
        ('output = "/etc/passwd"', "no option is called 'output'"),
        ("[waivers]", "no option is called 'waivers'; did you mean waiver?"),
        ('require = "fentry"', "require: expected a list of names, found 'fentry'"),
        ('require = [\n "a",\n\n 3]', "require 2: expected a name, found the number 3"),
        ('only = [""]', "only 1: expected a name, found ''"),
        ("\nverbose = 1", "verbose: expected true or false, found the number 1"),
        ('plugins = "no"', "plugins: expected true or false, found 'no'"),
        ("format = true", "format: expected a text, found true"),
        ("baseline = [1]", "baseline: expected a text, found a list"),
        ("waiver = 1", "waivers are written as [[waiver]], with finding, reason and until"),
        ("[waiver]\nfinding = 'x'", "waivers are written as [[waiver]]"),
        (W + WAIVER + W + WAIVER, "waiver 2: waiver 1 is for btf.modules already"),
        ("[[waiver]]\nreason = 'r'\nuntil = '2030-01-01'", "waiver 1: a waiver names either a finding or a cap"),
        ("[[waiver]]\ncapability = 'x'\n" + WAIVER, "waiver 1: a waiver names either a finding or a capability"),
        ("[[waiver]]\nfinding = 'x'\nuntil = '2030-01-01'", "waiver 1: a waiver needs 'reason'"),
        ("\n[[waiver]]\nfinding = 'x'\nreason = 'r'", "waiver 1: a waiver needs 'until'"),
        (W + WAIVER + "untill = 1", "waiver 1: no key of a waiver is called 'untill'; did you mean until?"),
        (W + WAIVER.replace('"r"', '" "'), "waiver 1, reason: expected a text, found ' '"),
        (W + WAIVER.replace("btf.modules", "btf.*"), "waiver 1, finding: a waiver names one finding, not a pat"),
        (W + WAIVER.replace("2030-01-01", "soon"), "waiver 1, until: expected a day as YYYY-MM-DD, found 'soon'"),
        (W + WAIVER.replace("2030-01-01", "2030-02-30"), "waiver 1, until: there is no day 2030-02-30"),
        (W + WAIVER.replace('"2030-01-01"', "2030-01-01T00:00:00Z"), "waiver 1, until: expected a day as"),
        (W + WAIVER.replace('"2030-01-01"', "20300101"), "waiver 1, until: expected a day as YYYY-MM-DD, found "),
        (W + WAIVER.replace("2030-01-01", "2028-12-31"), "waiver 1, until: the waiver for btf.modules ended on 2028"),
        ("waiver = [{finding='x', reason='r', until=3}]", "waiver 1, until: expected a day as YYYY-MM-DD"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("file", ["kdiag.toml", "pyproject.toml"])
def test_every_mistake_names_its_key(text: str, message: str, file: str, tmp_path: Path) -> None:
    if file == "pyproject.toml":
        text = "[tool.kdiag]\n" + text.replace("[waiver", "[tool.kdiag.waiver")
    path = write(tmp_path, text, file)
    with pytest.raises(ConfigError) as caught:
        load(path, TODAY)
    assert str(caught.value).startswith(f"{path}: {message}")


@pytest.mark.parametrize(
    ("text", "line"), [("verbose = false\nverbose = true", 2), ("require = [", 1), ('a = "\n"', 1)]
)
def test_what_is_no_toml_names_its_line(text: str, line: int, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(path, TODAY)
    assert str(caught.value).startswith(f"{path}:{line}: not TOML: ")
    assert (caught.value.path, caught.value.line) == (str(path), line)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("require = ['fentry',\n 'fentri']", "require 2: no capability is called 'fentri'; did you mean fentry?"),
        ("tool = ['bpftrac']", "tool 1: no tool is called 'bpftrac'; did you mean bpftrace?"),
        ("tool = ['perf']", "tool 1: no tool is called 'perf' (there are bpftrace, bcc, libbpf, bpftool)"),
        ("\nskip = ['btf.vmlinx']", "skip 1: no check is called 'btf.vmlinx'; did you mean btf.vmlinux?"),
        ("only = ['zzz*']", "only 1: no check is called 'zzz*'"),
        (W + WAIVER.replace("modules", "modulez"), "waiver 1, finding: no check makes a finding 'btf.modulez'; did"),
        (W + WAIVER.replace('finding = "btf.modules"', 'capability = "usd"'), "waiver 1, capability: no capability"),
    ],
)  # fmt: skip
def test_names_are_looked_up(text: str, message: str, tmp_path: Path) -> None:
    config = load(write(tmp_path, text), TODAY)
    with pytest.raises(ConfigError) as caught:
        check_names(config, discover(plugins=False))
    assert caught.value.message.startswith(message)


def test_findings_that_have_no_check_of_their_own_may_be_waived(tmp_path: Path) -> None:
    registry = discover(plugins=False)
    for name in ("config.ANYTHING", "plugin.broken_package", "tracing.tracefs"):
        check_names(load(write(tmp_path, W + WAIVER.replace("btf.modules", name)), TODAY), registry)


def test_the_last_day_still_counts(tmp_path: Path) -> None:
    path = write(tmp_path, W + WAIVER)
    assert load(path, date(2030, 1, 1)).waivers
    with pytest.raises(
        ConfigError, match=r"kdiag\.toml: waiver 1, until: .*: repair it, or give it a new date"
    ):
        load(path, date(2030, 1, 2))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a = 1\n\xff\n", ":2: not UTF-8"),
        (b"a = " + b"[" * 100_000, ": nested too deeply"),
        (b"a = " + b"9" * 5000, ": a number has too many digits"),
        (b"verbose = 0x" + b"f" * 5000, ": verbose: expected true or false, found a very large number"),
        (b"#" * 300_000, ": longer than 256 KiB"),
    ],
    ids=["bytes", "nested", "digits", "hex", "long"],
)
def test_files_that_mean_harm(data: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "kdiag.toml"
    path.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        load(path, TODAY)
    assert str(caught.value).startswith(f"{path}{message}")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"kdiag\.toml: cannot be read: Is a directory"):
        (tmp_path / "kdiag.toml").mkdir()
        load(tmp_path / "kdiag.toml")
    with pytest.raises(ConfigError, match=r"x\.toml: cannot be read: No such file"):
        load(tmp_path / "x.toml")
    with pytest.raises(ConfigError, match=r"pyproject\.toml: there is no \[tool\.kdiag\] in it"):
        load(write(tmp_path, "[project]\nname = 'kdiag'", "pyproject.toml"))


# -- finding it --------------------------------------------------------------------------------------------


def test_the_file_is_found_up_to_the_top_of_the_repository(tmp_path: Path) -> None:
    inner = tmp_path / "repository" / "a" / "b"
    inner.mkdir(parents=True)
    write(tmp_path, "")
    assert find(inner) is None, "no repository: only the directory itself"
    (tmp_path / "repository" / ".git").mkdir()
    assert find(inner) is None, "what is above the repository does not count"
    top = write(tmp_path / "repository", "")
    assert find(inner) == top
    nearer = write(inner.parent, "[tool.kdiag]\nverbose = true\n", "pyproject.toml")
    assert find(inner) == nearer
    own = write(inner.parent, "")
    assert find(inner) == own, "kdiag.toml before pyproject.toml"


def test_without_a_repository_only_the_directory_counts(tmp_path: Path) -> None:
    assert find(tmp_path) is None
    path = write(tmp_path, "")
    assert find(tmp_path) == path


@pytest.mark.parametrize("text", ["", "[project]\nname = 'kdiag'", "[tool.kdiag", "[tool]\nkdiag = 1"])
def test_a_pyproject_of_others_is_not_ours(text: str, tmp_path: Path) -> None:
    write(tmp_path, text, "pyproject.toml")
    assert find(tmp_path) is None


def test_an_unreadable_pyproject_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").mkdir()
    os.symlink("nowhere", tmp_path / "kdiag.toml")
    assert find(tmp_path) is None
