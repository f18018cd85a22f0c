"""kdiag.toml and [tool.kdiag]: what they may say, and that every mistake is told with its line."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.checking.registry import discover
from kdiag.config.file import check_names, find, load
from kdiag.config.toml_lines import line_of, lines
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
            Named("capability", "fentry", 2),
            Named("capability", "tracepoint-*", 3),
            Named("check", "config.*", 5),
            Named("finding", "btf.modules", 12),
            Named("capability", "hardware", 17),
        ),
    )
    check_names(config, discover(plugins=False))


def test_the_same_in_pyproject(tmp_path: Path) -> None:
    inner = GOOD.replace("[[waiver]]", "[[tool.kdiag.waiver]]")
    path = write(tmp_path, f'[project]\nname = "x"\n\n[tool.kdiag]\n{inner}', "pyproject.toml")
    own = load(write(tmp_path, GOOD), TODAY)
    config = load(path, TODAY)
    assert config.waivers == own.waivers and config.require == own.require
    assert [n.line for n in config.names] == [n.line + 4 for n in own.names]


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, "")
    assert load(path, TODAY) == Config(path=str(path))


WAIVER = 'finding = "btf.modules"\nreason = "r"\nuntil = "2030-01-01"\n'


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("verbos = true", 1, "no option is called 'verbos'; did you mean verbose?"),
        ("\n\nzzz = 1", 3, "no option is called 'zzz' (there are require, only, skip, "),
        ('output = "/etc/passwd"', 1, "no option is called 'output'"),
        ("[waivers]", 1, "no option is called 'waivers'; did you mean waiver?"),
        ('require = "fentry"', 1, "require: expected a list of names, found 'fentry'"),
        ('require = [\n "a",\n\n 3]', 4, "require: expected a name, found the number 3"),
        ('only = [""]', 1, "only: expected a name, found ''"),
        ("\nverbose = 1", 2, "verbose: expected true or false, found the number 1"),
        ('plugins = "no"', 1, "plugins: expected true or false, found 'no'"),
        ("format = true", 1, "format: expected a text, found true"),
        ('format = "htm"', 1, "format: no format is called 'htm'; did you mean html?"),
        ("baseline = [1]", 1, "baseline: expected a text, found a list"),
        ("verbose = false\nverbose = true", 2, "not TOML: "),
        ("require = [", 1, "not TOML: "),
        ('a = "\n"', 1, "not TOML: "),
        ("waiver = 1", 1, "waivers are written as [[waiver]], with finding, reason and until"),
        ("[waiver]\nfinding = 'x'", 1, "waivers are written as [[waiver]]"),
        (W + WAIVER + W + WAIVER, 5, "btf.modules is waived in line 2 already"),
        ("[[waiver]]\nreason = 'r'\nuntil = '2030-01-01'", 1, "a waiver names either a finding or a capability"),
        ("[[waiver]]\ncapability = 'x'\n" + WAIVER, 1, "a waiver names either a finding or a capability"),
        ("[[waiver]]\nfinding = 'x'\nuntil = '2030-01-01'", 1, "a waiver needs 'reason'"),
        ("\n[[waiver]]\nfinding = 'x'\nreason = 'r'", 2, "a waiver needs 'until'"),
        (W + WAIVER + "untill = 1", 5, "no key of a waiver is called 'untill'; did you mean until?"),
        (W + WAIVER.replace('"r"', '" "'), 3, "reason: expected a text, found ' '"),
        (W + WAIVER.replace("btf.modules", "btf.*"), 2, "finding: a waiver names one finding, not a pattern"),
        (W + WAIVER.replace("2030-01-01", "soon"), 4, "until: expected a day as YYYY-MM-DD, found 'soon'"),
        (W + WAIVER.replace("2030-01-01", "2030-02-30"), 4, "until: there is no day 2030-02-30"),
        (W + WAIVER.replace('"2030-01-01"', "2030-01-01T00:00:00Z"), 4, "until: expected a day as"),
        (W + WAIVER.replace('"2030-01-01"', "20300101"), 4, "until: expected a day as YYYY-MM-DD, found "),
        (W + WAIVER.replace("2030-01-01", "2028-12-31"), 4, "the waiver for btf.modules ended on 2028-12-31: repair"),
        ("\n\nwaiver = [\n {finding='x', reason='r', until=3},\n]", 4, "until: expected a day as YYYY-MM-DD"),
    ],
)  # fmt: skip
def test_every_mistake_names_its_line(text: str, line: int, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(path, TODAY)
    assert str(caught.value).startswith(f"{path}:{line}: {message}")
    assert (caught.value.path, caught.value.line) == (str(path), line)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("[tool.kdiag]\nverbos = 1", 5, "no option is called 'verbos'"),
        ("[tool]\nkdiag.require = [\n'a',\n1]", 7, "require: expected a name"),
        (
            "[[tool.kdiag.waiver]]\nfinding = 'x'\nreason = 'r'\nuntil = '2000-01-01'",
            7,
            "the waiver for x ended",
        ),
        ("[tool.kdiag]\nwaiver = 1", 5, "waivers are written as [[waiver]]"),
    ],
)
def test_every_mistake_in_pyproject_names_its_line(
    text: str, line: int, message: str, tmp_path: Path
) -> None:
    path = write(tmp_path, f"[project]\nname = 'x'\n# kdiag\n{text}", "pyproject.toml")
    with pytest.raises(ConfigError) as caught:
        load(path, TODAY)
    assert str(caught.value).startswith(f"{path}:{line}: {message}")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("require = ['fentry',\n 'fentri']", 2, "no capability is called 'fentri'; did you mean fentry?"),
        ("\nskip = ['btf.vmlinx']", 2, "no check is called 'btf.vmlinx'; did you mean btf.vmlinux?"),
        ("only = ['zzz*']", 1, "no check is called 'zzz*'"),
        (W + WAIVER.replace("modules", "modulez"), 2, "no check makes a finding 'btf.modulez'; did you"),
        (W + WAIVER.replace('finding = "btf.modules"', 'capability = "usd"'), 2, "no capability is called"),
    ],
)  # fmt: skip
def test_names_are_looked_up(text: str, line: int, message: str, tmp_path: Path) -> None:
    config = load(write(tmp_path, text), TODAY)
    with pytest.raises(ConfigError) as caught:
        check_names(config, discover(plugins=False))
    assert caught.value.line == line and caught.value.message.startswith(message)


def test_findings_that_have_no_check_of_their_own_may_be_waived(tmp_path: Path) -> None:
    registry = discover(plugins=False)
    for name in ("config.ANYTHING", "plugin.broken_package", "tracing.tracefs"):
        check_names(load(write(tmp_path, W + WAIVER.replace("btf.modules", name)), TODAY), registry)


def test_the_last_day_still_counts(tmp_path: Path) -> None:
    path = write(tmp_path, W + WAIVER)
    assert load(path, date(2030, 1, 1)).waivers
    with pytest.raises(ConfigError, match=r"kdiag\.toml:4: .*: repair it, or give it a new date"):
        load(path, date(2030, 1, 2))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a = 1\n\xff\n", ":2: not UTF-8"),
        (b"a = " + b"[" * 100_000, ": nested too deeply"),
        (b"a = " + b"9" * 5000, ": a number has too many digits"),
        (b"verbose = 0x" + b"f" * 5000, ":1: verbose: expected true or false, found a very large number"),
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


# -- lines -------------------------------------------------------------------------------------------------

DOCUMENT = """\
# [not.a.table]
"quo\\"ted" . x = '''
[nor.this]
key = "no"
''' # one
lit = ''''quoted''''
[ "a b".c ]   # two
list = [ # three
  1, [ 2,
  3 ], "x,]#", { y = 1, "z" = [
  4 ] },
]
date = 2030-01-01 10:00:00
[[t]]
k.l = 1
k.m = {n.o = 2}
[[t.sub]]
p = ""
[[t]]
[[t.sub]]
[[t.sub]]
q = 1
"""


def test_lines_of_a_document_with_everything_in_it() -> None:
    found = lines(DOCUMENT)
    expected: dict[tuple[str | int, ...], int] = {
        ('quo"ted', "x"): 2,
        ("lit",): 6,
        ("a b", "c"): 7,
        ("a b", "c", "list"): 8,
        ("a b", "c", "list", 0): 9,
        ("a b", "c", "list", 1): 9,
        ("a b", "c", "list", 1, 0): 9,
        ("a b", "c", "list", 1, 1): 10,
        ("a b", "c", "list", 2): 10,
        ("a b", "c", "list", 3, "y"): 10,
        ("a b", "c", "list", 3, "z"): 10,
        ("a b", "c", "list", 3, "z", 0): 11,
        ("a b", "c", "date"): 13,
        ("t",): 14,
        ("t", 0): 14,
        ("t", 0, "k", "l"): 15,
        ("t", 0, "k", "m", "n", "o"): 16,
        ("t", 0, "sub", 0): 17,
        ("t", 0, "sub", 0, "p"): 18,
        ("t", 1): 19,
        ("t", 1, "sub", 0): 20,
        ("t", 1, "sub", 1, "q"): 22,
    }
    assert {path: found.get(path) for path in expected} == expected
    assert not any("no" in path or "nor" in path or "not" in path for path in found)
    assert line_of(found, ("t", 1, "sub", 1, "missing")) == 21
    assert line_of(found, ("missing",)) == 1


def test_windows_line_ends() -> None:
    assert lines("a = 1\r\n\r\nb = '''x\r\ny'''\r\nc = 1\r\n") == {("a",): 1, ("b",): 3, ("c",): 5}


words = st.text("abc-_", min_size=1, max_size=4)
scalars = st.one_of(
    st.integers(-5, 5).map(str),
    st.text('ab[]{}#,="\n\\ é', max_size=8).map(
        lambda s: '"' + s.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    ),
    st.text("ab[]{}#,=\n ", max_size=8).map(lambda s: f'"""{s}"""'),
    st.text("ab[]{}#,=\\\n ", max_size=8).map(lambda s: f"'''{s}'''"),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3).map(lambda v: "[ # c\n" + ",\n".join(v) + "]"),
    max_leaves=6,
)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(words, values), max_size=6, unique_by=lambda pair: pair[0]))
def test_every_key_is_found_where_it_was_written(pairs: list[tuple[str, str]]) -> None:
    text, expected = "", {}
    for key, value in pairs:
        expected[key] = text.count("\n") + 1
        text += f"{key} = {value} # end\n"
    found = lines(text)
    assert {path[0]: line for path, line in found.items() if len(path) == 1} == expected


@settings(deadline=None, max_examples=150)
@given(st.text("ab=[]{}\"'#.,\n\\ 1", max_size=60))
def test_no_text_at_all_makes_it_hang_or_fail(text: str) -> None:
    """It trusts its input, but must end."""
    assert all(line >= 1 for line in lines(text).values())
