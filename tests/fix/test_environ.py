"""The environment for tools: what is set and unset, how shells read it back, and `kdiag env` and `kdiag run`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from kdiag.commands import env as command
from kdiag.commands import run as running
from kdiag.fix import environment as environ
from kdiag.fix.environment import BCC, BTF, BUILD, SOURCE
from kdiag.fix.errors import FixError
from kdiag.machine.kernel import source_arch_of
from tests.support.headers_archive import write_tree
from tests.support.needs import need, need_program
from tests.support.waiting import HANG

RELEASE = os.uname().release
RAW_BTF = b"\x9f\xeb\x01\x00" if sys.byteorder == "little" else b"\xeb\x9f\x01\x00"
AWKWARD = [
    "/plain",
    "/with space",
    "/it's",
    '/a"b',
    "/$HOME `id` $(id)",
    "/back\\slash\\",
    "/ü",
    "/a;b&c|d",
    "/*",
    "/!x",
    "-n",
]


@pytest.fixture
def bases(tmp_path: Path) -> tuple[Path]:
    """A store with a sound tree for the running kernel."""
    srcarch = source_arch_of(os.uname().machine)
    need(srcarch, "an architecture whose name in the kernel's source is known")
    assert srcarch is not None
    write_tree(tmp_path / "headers" / f"{RELEASE}-0123456789ab", RELEASE, srcarch)
    return (tmp_path / "headers",)


@pytest.fixture
def tree(bases: tuple[Path]) -> Path:
    return bases[0] / f"{RELEASE}-0123456789ab"


# -- which variables ---------------------------------------------------------------------------------------------


def test_variables() -> None:
    tree, btf = Path("/t"), Path("/b")
    assert environ.variables(tree, btf) == {SOURCE: "/t", BUILD: "/t", BCC: "/t", BTF: "/b"}
    assert environ.variables(tree, None) == {SOURCE: "/t", BUILD: "/t", BCC: "/t"}
    assert environ.variables(None, btf) == {BTF: "/b"}
    assert environ.variables(None, None) == {}


def test_settings(tree: Path, tmp_path: Path) -> None:
    ours = {SOURCE: str(tree), BUILD: str(tree), BCC: str(tree)}
    theirs = str(write_tree(tmp_path / "theirs", RELEASE))
    foreign = str(write_tree(tmp_path / "foreign", "5.10.0-9-amd64"))
    gone = str(tmp_path / "gone")

    def changes(env: Mapping[str, str], prepared: Path | None = tree) -> dict[str, str | None]:
        return environ.settings(env, prepared, None, RELEASE)

    assert changes({}) == ours
    assert changes({name: str(tree) for name in ours}) == ours
    for wrong in (gone, "", foreign, str(tree / "include"), str(tree / "include/linux/types.h")):
        assert changes({SOURCE: wrong, BUILD: wrong, BCC: wrong}) == ours, wrong
        assert changes({SOURCE: wrong, BUILD: wrong, BCC: wrong}, None) == dict.fromkeys(ours), wrong
    # A tree of somebody's choice that fits stays, and is not mixed with ours.
    assert changes({SOURCE: theirs}) == {BCC: str(tree)}
    assert changes({SOURCE: theirs, BUILD: theirs, BCC: theirs}) == {}
    assert changes({SOURCE: theirs, BUILD: gone}) == ours
    assert changes({SOURCE: theirs, BUILD: gone}, None) == {BUILD: None}
    assert changes({BUILD: gone}, None) == {BUILD: None}
    assert changes({}, None) == changes({SOURCE: theirs}, None) == {}


def test_settings_for_btf(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.btf", tmp_path / "vmlinux"
    good.write_bytes(RAW_BTF)
    bad.write_bytes(b"\x7fELF")
    ours = tmp_path / "ours.btf"
    ours.write_bytes(RAW_BTF)

    def changes(value: str, btf: Path | None) -> dict[str, str | None]:
        return environ.settings({BTF: value}, None, btf, RELEASE)

    assert changes(str(good), ours) == changes(str(good), None) == {}
    # bpftrace wants bare BTF there, not an ELF file.
    for wrong in (str(bad), str(tmp_path), str(tmp_path / "gone"), ""):
        assert changes(wrong, ours) == {BTF: str(ours)}
        assert changes(wrong, None) == {BTF: None}
    os.mkfifo(tmp_path / "fifo")
    assert changes(str(tmp_path / "fifo"), None) == {BTF: None}


def test_a_pristine_source_that_does_not_say_its_release(tmp_path: Path) -> None:
    """As Debian's: the source half has no include/generated."""
    half = write_tree(tmp_path / "common")
    (half / "include/generated/utsrelease.h").unlink()
    assert environ.problem(SOURCE, str(half), RELEASE) == ""
    assert environ.problem(SOURCE, f"{half}/include/../gone", RELEASE).endswith("is not there")


# -- how they are written ----------------------------------------------------------------------------------------


def read_back(shell: list[str], text: str, env: Mapping[str, str]) -> dict[str, str]:
    """The variables that a shell's children have once it has evaluated the text."""
    code = "import os, json; print(json.dumps({k: v for k, v in os.environ.items() if 'KERNEL' in k or 'BTF' in k}))"
    done = subprocess.run(
        [*shell, 'eval "$TEXT"; "$PYTHON" -c "$CODE"'],
        env={
            **env,
            "TEXT": text,
            "PYTHON": sys.executable,
            "CODE": code,
            "PATH": os.environ["PATH"],
            "HOME": "/",
            "LC_ALL": "C.UTF-8",
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=HANG,
    )
    assert done.stderr == ""
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "zsh", "fish", "busybox"])
def test_shells_read_it_back(shell: str) -> None:
    need_program(shell)
    start = {"busybox": ["busybox", "sh", "-c"], "zsh": ["zsh", "-fc"], "fish": ["fish", "--no-config", "-c"]}
    form = shell if shell in environ.FORMATS else "sh"
    for value in AWKWARD:
        text = environ.render({SOURCE: value, BUILD: None, BTF: value}, form)
        found = read_back(start.get(shell, [shell, "-c"]), text, {BUILD: "/gone", BCC: "/stays"})
        assert found == {SOURCE: value, BTF: value, BCC: "/stays"}
    nothing = environ.comment("nothing to set: it's `not` there\n; touch /x", form)
    assert read_back(start.get(shell, [shell, "-c"]), nothing, {BUILD: "/x"}) == {BUILD: "/x"}


def test_without_the_quotes_around_it() -> None:
    """eval $(kdiag env): all in one line."""
    need_program("sh")
    text = environ.render({SOURCE: "/a b", BUILD: None, BCC: "/c"}, "sh")
    found = read_back(["sh", "-c"], " ".join(text.split()), {BUILD: "/gone"})
    assert found == {SOURCE: "/a b", BCC: "/c"}


def test_github_and_json() -> None:
    values = {SOURCE: "/a b'\"", BUILD: None}
    assert environ.render(values, "github") == f"{SOURCE}=/a b'\"\n"
    assert json.loads(environ.render(values, "json")) == {
        "schema": "kdiag.env/1",
        "set": {SOURCE: "/a b'\""},
        "unset": [BUILD],
    }
    assert environ.render({}, "github") == environ.render({}, "sh") == ""
    assert json.loads(environ.render({}, "json"))["set"] == {}
    assert environ.comment("x", "github") == environ.comment("x", "json") == ""


@pytest.mark.parametrize("form", environ.FORMATS)
@pytest.mark.parametrize(
    "value", ["/a\nPATH=/evil", "/a\rb", "/a\0b", "/a\x1b[2J", "/a\u2028b", "/a\x85b", "/a\udcffb"]
)
def test_values_that_would_break_out_of_their_line(form: str, value: str) -> None:
    with pytest.raises(FixError, match=SOURCE):
        environ.render({SOURCE: value}, form)


def test_shell_of() -> None:
    shells = ["/bin/bash", "/usr/bin/zsh", "/usr/bin/fish", "/bin/dash", "", "/bin/tcsh", "fish"]
    assert [environ.shell_of(path) for path in shells] == ["bash", "zsh", "fish", "sh", "sh", "sh", "fish"]
    with pytest.raises(FixError, match="no format called tcsh"):
        environ.render({}, "tcsh")


def test_sudo_line() -> None:
    values = environ.variables(Path("/t"), None)
    assert environ.sudo_line(values) == f"sudo --preserve-env={SOURCE},{BUILD},{BCC}"
    assert environ.sudo_line({SOURCE: None}) == environ.sudo_line({}) == "sudo"


# -- kdiag env ---------------------------------------------------------------------------------------------------


def test_env_with_a_tree(bases: tuple[Path], tree: Path) -> None:
    answer = command.env("sh", bases, {})
    assert answer.text == "".join(f"export {name}='{tree}';\n" for name in (SOURCE, BUILD, BCC))
    assert (answer.status, answer.note) == (0, "")
    assert command.env(None, bases, {"SHELL": "/usr/bin/fish"}).text.startswith(f"set -gx {SOURCE} '")
    assert json.loads(command.env("json", bases, {}).text)["set"][SOURCE] == str(tree)


def test_env_replaces_a_wrong_variable_and_says_so(bases: tuple[Path], tree: Path) -> None:
    answer = command.env("sh", bases, {SOURCE: "/gone"})
    assert f"export {SOURCE}='{tree}';\n" in answer.text and answer.status == 0
    assert answer.note == f"{SOURCE} is wrong (/gone is not there) and replaced"


def test_env_with_nothing_prepared(tmp_path: Path) -> None:
    need(not Path(f"/lib/modules/{RELEASE}/build/include").exists(), "a kernel without installed headers")
    answer = command.env("bash", (tmp_path,), {})
    assert answer.status == 1
    assert answer.note.startswith(f"no headers are prepared for {RELEASE}")
    (line,) = answer.text.splitlines()
    assert line.startswith("# kdiag: nothing to set")
    assert command.env("github", (tmp_path,), {}).text == ""
    assert json.loads(command.env("json", (tmp_path,), {}).text)["set"] == {}


def test_env_unsets_what_is_wrong_when_nothing_is_prepared(tmp_path: Path) -> None:
    answer = command.env("sh", (tmp_path,), {SOURCE: "/gone", BTF: ""})
    assert answer.text == f"unset {SOURCE};\nunset {BTF};\n"
    assert f"{SOURCE} is wrong (/gone is not there) and unset" in answer.note
    github = command.env("github", (tmp_path,), {SOURCE: "/gone"})
    assert github.text == "" and "GITHUB_ENV cannot unset it" in github.note


def test_env_leaves_a_right_variable_alone(tmp_path: Path) -> None:
    theirs = write_tree(tmp_path / "theirs", RELEASE)
    answer = command.env("sh", (tmp_path,), {SOURCE: str(theirs)})
    assert answer.status == 0 and f"{SOURCE} is right as it is" in answer.note
    assert "export" not in answer.text


def test_env_with_recovered_btf(tmp_path: Path) -> None:
    kept = tmp_path / "btf" / f"{RELEASE}-0123456789ab.btf"
    kept.parent.mkdir()
    kept.write_bytes(RAW_BTF)
    kept.chmod(0o644)
    answer = command.env("sh", (tmp_path / "headers",), {})
    assert answer.text == f"export {BTF}='{kept}';\n" and answer.status == 0


def test_env_imports_little() -> None:
    """It must start as fast as `kdiag --version`."""
    code = (
        "import sys; from kdiag.commands.env import env; env('sh', ());"
        "print([m for m in sys.modules if m.startswith(('kdiag.checks', 'kdiag_checks', 'kdiag.checking.registry',"
        "'rich',"
        "'ctypes', 'lzma', 'hashlib', 'subprocess', 'json', 'elftools', 'tabulate', 'distro', 'tarfile', 'shutil'))])"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(Path(command.__file__).parents[2]), "PATH": os.environ["PATH"]},
    )
    assert done.stdout.strip() == "[]", done.stderr


# -- kdiag run --no-why ------------------------------------------------------------------------------------------------

_RUN = (
    "import sys; from pathlib import Path; from kdiag.commands.run import become, command;"
    "answer = become(command(sys.argv[2:], (Path(sys.argv[1]),)));"
    "print(answer.note, file=sys.stderr); sys.exit(answer.status)"
)


def run(base: Path, *argv: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _RUN, str(base), *argv],
        env={"PATH": os.environ["PATH"], **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG,
    )


def test_run_sets_and_unsets(bases: tuple[Path], tree: Path, tmp_path: Path) -> None:
    done = run(
        bases[0],
        "sh",
        "-c",
        f'echo "${SOURCE} ${BUILD} ${BCC} ${{{BTF}-unset}} $OTHER"',
        OTHER="kept",
        **{BTF: "/gone"},
    )
    assert done.stdout == f"{tree} {tree} {tree} unset kept\n" and done.stderr == ""
    done = run(tmp_path / "none", "sh", "-c", f'echo "${{{SOURCE}-unset}}"', **{SOURCE: "/gone"})
    assert done.stdout == "unset\n"


def test_run_passes_the_exit_status_and_signals_on(bases: tuple[Path]) -> None:
    assert run(bases[0], "sh", "-c", "exit 7").returncode == 7
    assert run(bases[0], "sh", "-c", "kill -TERM $$").returncode == -signal.SIGTERM
    assert run(bases[0], "printf", "%s\n", "a b", "-e", "--", "*").stdout == "a b\n-e\n--\n*\n"


def test_run_is_the_command_itself(bases: tuple[Path]) -> None:
    """The same process: nobody stands between the command and its signals; and none is ignored that was not."""
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN, str(bases[0]), "sh", "-c", "echo $$; grep SigIgn /proc/self/status"],
        stdout=subprocess.PIPE,
        text=True,
    )
    said = process.communicate(timeout=HANG)[0].split()
    assert int(said[0]) == process.pid
    ignored = int(said[2], 16)
    assert not ignored & (1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1)


def test_run_that_cannot_start(bases: tuple[Path], tmp_path: Path) -> None:
    done = run(bases[0], "no-such-command-anywhere")
    assert (done.returncode, done.stderr) == (127, "no-such-command-anywhere: command not found\n")
    done = run(bases[0], str(tmp_path / "absent"))
    assert (done.returncode, done.stderr) == (127, f"{tmp_path}/absent: No such file or directory\n")
    plain = tmp_path / "plain"
    plain.write_text("#!/bin/sh\n")
    done = run(bases[0], str(plain))
    assert (done.returncode, done.stderr) == (126, f"{plain}: Permission denied\n")
    assert run(bases[0], str(tmp_path)).returncode == 126
    assert run(bases[0]).returncode == 2
    before = {number: signal.getsignal(number) for number in (signal.SIGPIPE, signal.SIGXFSZ)}
    answer = running.become(running.command(["a\0b"], bases))
    for number, handler in before.items():
        signal.signal(number, handler)
    assert answer.status == 126 and "null" in answer.note


def test_run_looks_along_the_path(bases: tuple[Path], tmp_path: Path) -> None:
    tool = tmp_path / "bin" / "tool"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho ours\n")
    tool.chmod(0o755)
    assert run(bases[0], "tool", PATH=f"{tool.parent}:{os.environ['PATH']}").stdout == "ours\n"
