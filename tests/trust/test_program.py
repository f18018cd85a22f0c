"""Programs: every hop to one is judged, and what was judged is what is started."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest

from kdiag.fix.changes.command import run as run_of_fix
from kdiag.fix.context import Context
from kdiag.fix.errors import FixError
from kdiag.fix.store.places import Places
from kdiag.smoke.cause import start as start_cause
from kdiag.smoke.model import SmokeError
from kdiag.system import Unavailable
from kdiag.system.commands import launch
from kdiag.system.live import Live
from kdiag.trust.owner import Untrusted
from kdiag.trust.program import closed_path, distrusted, start
from tests.support.needs import need, need_root
from tests.support.paths import REPOSITORY

MALLORY = 12345


@pytest.fixture
def sh(tmp_path: Path) -> Path:
    """A script of root's in a directory of root's; it says its name and what it was given."""
    (tmp_path / "sound").mkdir()
    return script(tmp_path / "sound" / "tool", 'echo "$0 $*"')


def script(path: Path, text: str, interpreter: str = "/bin/sh") -> Path:
    path.write_text(f"#!{interpreter}\n{text}\n")
    path.chmod(0o755)
    return path


def given(path: Path, uid: int = MALLORY) -> None:
    os.chown(path, uid, uid, follow_symlinks=False)


def output(*argv: str | Path, **more: bool) -> str:
    with start([str(word) for word in argv], **more) as process:  # type: ignore[arg-type]
        assert process.stdout is not None
        return process.stdout.read().decode()


# -- hops --------------------------------------------------------------------------------------------------------------


def a_directory_on_the_way(tmp: Path, tool: Path) -> Path:
    (tmp / "theirs").mkdir()
    (tmp / "theirs/bin").mkdir()
    shutil.copy2(tool, tmp / "theirs/bin/tool")
    given(tmp / "theirs")
    return tmp / "theirs/bin/tool"


def a_link_to_the_directory(tmp: Path, tool: Path) -> Path:
    """The real directory is root's, and another user decides which one it is."""
    (tmp / "bin").symlink_to(tool.parent)
    given(tmp / "bin")
    return tmp / "bin/tool"


def a_link_to_the_program(tmp: Path, tool: Path) -> Path:
    (tmp / "theirs").mkdir()
    (tmp / "theirs/tool").symlink_to(tool)
    given(tmp / "theirs")
    return tmp / "theirs/tool"


def a_link_in_the_middle(tmp: Path, tool: Path) -> Path:
    """Root's link to a directory of root's by way of another user's link."""
    (tmp / "theirs").mkdir()
    (tmp / "theirs/sound").symlink_to(tool.parent)
    given(tmp / "theirs")
    given(tmp / "theirs/sound")
    (tmp / "bin").symlink_to("theirs/sound/../sound")
    return tmp / "bin/tool"


def a_directory_for_everybody(tmp: Path, tool: Path) -> Path:
    tool.parent.chmod(0o777)
    return tool


def a_hard_link_where_everybody_may_make_one(tmp: Path, tool: Path) -> Path:
    """Another user's name for root's file (fs.protected_hardlinks = 0): the owner is root, the name is not."""
    (tmp / "sticky").mkdir()
    (tmp / "sticky").chmod(0o1777)
    os.link(tool, tmp / "sticky/tool")
    return tmp / "sticky/tool"


def the_file(tmp: Path, tool: Path) -> Path:
    given(tool)
    return tool


def its_interpreter(tmp: Path, tool: Path) -> Path:
    (tmp / "theirs").mkdir()
    shutil.copy2("/bin/sh", tmp / "theirs/sh")
    given(tmp / "theirs")
    return script(tool, "exit", str(tmp / "theirs/sh"))


def the_interpreter_of_its_interpreter(tmp: Path, tool: Path) -> Path:
    its_interpreter(tmp, tool)
    return script(tool.with_name("outer"), "exit", str(tool))


def an_interpreter_of_the_current_directory(tmp: Path, tool: Path) -> Path:
    return script(tool, "exit", "sh")


def a_group_with_a_user_in_it(tmp: Path, tool: Path) -> Path:
    os.chown(tool.parent, 0, 12345)  # not in the database: who is in it cannot be told
    tool.parent.chmod(0o775)
    return tool


def a_descriptor(tmp: Path, tool: Path) -> Path:
    return Path("/proc/self/fd/0")


Plant = Callable[[Path, Path], Path]
FOREIGN: tuple[Plant, ...] = (
    a_directory_on_the_way,
    a_link_to_the_directory,
    a_link_to_the_program,
    a_link_in_the_middle,
    a_directory_for_everybody,
    a_hard_link_where_everybody_may_make_one,
    the_file,
    its_interpreter,
    the_interpreter_of_its_interpreter,
    an_interpreter_of_the_current_directory,
    a_group_with_a_user_in_it,
    a_descriptor,
)


@pytest.mark.parametrize("plant", FOREIGN, ids=lambda plant: plant.__name__)
def test_another_users_hop_is_refused(plant: Plant, tmp_path: Path, sh: Path) -> None:
    need_root()
    assert distrusted(str(sh)) == ""
    path = plant(tmp_path, sh)
    assert distrusted(str(path)) != ""
    with pytest.raises(Untrusted):
        start([str(path)])
    with pytest.raises(
        Unavailable, match=f"^{path} was not run as root: .*(uid|writ|link|descriptor|absolute)"
    ):
        launch((str(path),), 5.0).result()
    with pytest.raises((SmokeError, Untrusted)):
        start_cause(str(path))


def test_the_reason_names_the_hop_and_its_owner(tmp_path: Path, sh: Path) -> None:
    need_root()
    path = a_link_in_the_middle(tmp_path, sh)
    assert f"{tmp_path}/theirs belongs to uid {MALLORY}" in distrusted(str(path))


def test_a_fix_runs_nothing_of_another_users(tmp_path: Path, sh: Path) -> None:
    need_root()
    path = a_link_to_the_directory(tmp_path, sh)
    with pytest.raises(FixError, match=f"is not run: .*uid {MALLORY}"):
        run_of_fix(
            ("tool",), Context(Live(), cast("Places", None), "6.1", "x86", "boot", str(path.parent)), 5.0
        )


def test_root_is_not_refused_its_own(tmp_path: Path, sh: Path) -> None:
    """Links, also through directories where everybody may make names, as long as nobody else made them."""
    need_root()
    (tmp_path / "sticky").mkdir()
    (tmp_path / "sticky").chmod(0o1777)
    (tmp_path / "sticky/mine").mkdir()
    (tmp_path / "sticky/mine/up").symlink_to("../..")
    (tmp_path / "bin").symlink_to(tmp_path / "sticky/mine/up/sound/.")
    assert distrusted(str(tmp_path / "bin/tool")) == ""


def empty_group() -> int:
    import grp
    import pwd

    used = {user.pw_gid for user in pwd.getpwall()}
    return next((one.gr_gid for one in grp.getgrall() if not one.gr_mem and one.gr_gid not in used), 0)


def test_a_group_that_has_no_members_is_nobody(tmp_path: Path, sh: Path) -> None:
    """Debian's /usr/local/bin: root:staff, mode 2775; and group 0 is root's own."""
    need_root()
    group = empty_group()
    need(group, "a group without members")
    for gid in (0, group):
        os.chown(sh.parent, 0, gid)
        sh.parent.chmod(0o2775)
        assert distrusted(str(sh)) == ""


def test_an_access_control_list_is_not_the_group(tmp_path: Path, sh: Path) -> None:
    """The mode shows what the list's entries allow at most: that may be another user's entry."""
    need_root()
    sh.parent.chmod(0o775)
    # struct posix_acl_xattr_header and entries (include/uapi/linux/posix_acl_xattr.h): user:12345:rwx
    entries = ((1, 7, -1), (2, 7, MALLORY), (4, 5, -1), (16, 7, -1), (32, 5, -1))
    acl = b"\2\0\0\0" + b"".join(
        tag.to_bytes(2, "little") + mode.to_bytes(2, "little") + (uid & 0xFFFFFFFF).to_bytes(4, "little")
        for tag, mode, uid in entries
    )
    try:
        os.setxattr(sh.parent, "system.posix_acl_access", acl)
    except OSError as error:
        pytest.skip(f"no access control lists here: {error}")
    assert "writable by the group 0" in distrusted(str(sh))


# -- what was judged is what is started --------------------------------------------------------------------------------


def test_a_script_sees_its_own_name(tmp_path: Path, sh: Path) -> None:
    """Wrappers look at $0: at its last part for what they are, at the rest for their parts."""
    (tmp_path / "other-name").symlink_to(sh)
    assert output(tmp_path / "other-name", "a", "b") == f"{tmp_path}/other-name a b\n"
    assert output(tmp_path / "other-name", "a", judge=True) == f"{tmp_path}/other-name a\n"


@pytest.mark.parametrize("judge", [True, False])
def test_a_program_that_is_several_by_its_name(tmp_path: Path, judge: bool) -> None:
    """kmod, busybox and snap look at argv[0]; python shows it, and the kernel's name for the process."""
    (tmp_path / "modprobe").symlink_to(os.path.realpath("/usr/bin/python3"))
    need(os.path.exists("/usr/bin/python3"), "/usr/bin/python3")
    code = "import sys; print(sys.orig_argv[0], open('/proc/self/comm').read().strip())"
    said = output(tmp_path / "modprobe", "-ISc", code, judge=judge)
    assert said == f"{tmp_path}/modprobe modprobe\n"


def test_no_descriptor_of_ours_is_inherited(tmp_path: Path, sh: Path) -> None:
    script(sh, "ls /proc/self/fd | wc -l")
    assert output(sh, judge=True) == output(sh, judge=False)


def test_it_starts_without_proc(sh: Path) -> None:
    need_root()
    need(shutil.which("unshare"), "unshare")
    code = f"from kdiag.trust.program import start; print(start([{str(sh)!r}, 'x']).stdout.read())"
    hidden = 'mount -t tmpfs none /proc || exit 77; exec "$@"'
    command = ["unshare", "-m", "sh", "-c", hidden, "sh", sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)
    need(done.returncode != 77, "a mount namespace")
    assert f"{sh} x" in done.stdout, done.stderr


def test_a_link_of_proc_does_not_lead_where_it_points(tmp_path: Path, sh: Path) -> None:
    """/proc/self/root of a process in another mount namespace reads `/`. Such a link is told from a path by the file
    that it opens.
    """
    need_root()
    need(shutil.which("unshare"), "unshare")
    hide = f"mount -t tmpfs none {sh.parent} || exit 77; cp /bin/true {sh}; echo go; exec cat"
    command = ["unshare", "-m", "sh", "-c", hide]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        if not other.stdout.readline():
            pytest.skip("no mount namespace")
        path = f"/proc/{other.pid}/root{sh}"
        assert os.path.exists(path)
        assert "does not lead where its links point" in distrusted(path)
        assert other.stdin is not None
        other.stdin.close()


# -- what the program starts -------------------------------------------------------------------------------------------


def test_a_program_looks_for_others_only_where_they_are_judged(
    tmp_path: Path, sh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bpftrace runs `tar`, a wrapper `uname`, /usr/bin/env an interpreter: along the PATH that they are given."""
    need_root()
    (tmp_path / "theirs").mkdir()
    script(tmp_path / "theirs/uname", f"touch {tmp_path}/mark; echo theirs")
    script(tmp_path / "theirs/perl", f"touch {tmp_path}/mark; echo theirs")
    given(tmp_path / "theirs")
    monkeypatch.setenv("PATH", f"{tmp_path}/theirs:.::{os.environ['PATH']}:{tmp_path}/none")
    script(sh, "uname; echo $PATH")
    assert launch((str(sh),), 60.0).result().stdout.splitlines()[0] == os.uname().sysname
    assert "theirs" not in launch((str(sh),), 60.0).result().stdout
    script(sh, "print 1", "/usr/bin/env perl")
    launch((str(sh),), 60.0).result()
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("name", ["LD_LIBRARY_PATH", "LD_PRELOAD", "LD_AUDIT"])
def test_a_library_that_another_user_can_change_is_not_loaded(name: str, tmp_path: Path, sh: Path) -> None:
    """A variable for the linker reaches what root starts only if all that it names was judged."""
    need_root()
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/lib.so").write_bytes(b"")
    given(tmp_path / "theirs")
    (tmp_path / "own.so").write_bytes(b"")
    (tmp_path / "own.so").chmod(0o755)
    file = name != "LD_LIBRARY_PATH"
    own, theirs = (
        (tmp_path / "own.so", tmp_path / "theirs/lib.so") if file else (tmp_path, tmp_path / "theirs")
    )
    script(sh, f'echo "[${name}]"')
    for value in (f"{theirs}", f"{own}:{theirs}", "lib:", "./lib", f"{own}/$ORIGIN"):
        assert launch((str(sh),), 60.0, {**os.environ, name: value}).result().stdout == "[]\n", value
    assert launch((str(sh),), 60.0, {**os.environ, name: f"{own}"}).result().stdout == f"[{own}]\n"


def test_which_directories_of_a_path_are_kept(tmp_path: Path, sh: Path) -> None:
    need_root()
    (tmp_path / "theirs").mkdir()
    given(tmp_path / "theirs")
    (tmp_path / "linked").symlink_to("theirs")
    (tmp_path / "sticky").mkdir()
    (tmp_path / "sticky").chmod(0o1777)
    value = ":".join(
        (f"{tmp_path}/theirs", f"{tmp_path}/linked", f"{tmp_path}/sticky", ".", "", "bin", f"{sh}")
    )
    assert closed_path(value) == os.defpath
    assert closed_path(f"{value}:{sh.parent}:{tmp_path}/absent:/usr/bin") == f"{sh.parent}:/usr/bin"


def test_an_ordinary_users_programs_are_the_users(
    tmp_path: Path, sh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As another user than root nothing is judged, and the environment stays as it is."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    tmp_path.chmod(0o777)
    script(sh, "echo $PATH")
    assert output(sh, judge=False) == f"{tmp_path}:/usr/bin:/bin\n"


# -- while another user changes it -------------------------------------------------------------------------------------

_FLIP = """
import ctypes, os, random, time
os.chdir({place!r})
libc = ctypes.CDLL(None)
print("go", flush=True)
for _ in range(300):
    libc.renameat2(-100, b"bin", -100, b"alt", 2) and os._exit(3)  # RENAME_EXCHANGE
    time.sleep(random.random() / 1000)
"""


@contextmanager
def flipping(place: Path) -> Iterator[Callable[[], bool]]:
    """Another user who exchanges `bin` and `alt` 300 times; whether that still goes on."""
    code = _FLIP.format(place=str(place))
    command = [
        "setpriv",
        f"--reuid={MALLORY}",
        f"--regid={MALLORY}",
        "--clear-groups",
        "/usr/bin/python3",
        "-ISc",
    ]
    need(shutil.which("setpriv") and os.path.exists("/usr/bin/python3"), "setpriv, /usr/bin/python3")
    with subprocess.Popen([*command, code], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        if other.stdout.readline() != b"go\n":
            pytest.skip("another user cannot get there")
        try:
            yield lambda: other.poll() is None
            assert other.returncode == 0
        finally:
            other.kill()


@pytest.mark.parametrize("deeper", [False, True], ids=["their own link", "root's link by way of theirs"])
def test_a_name_that_changes_between_judgement_and_start(
    deeper: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a mount namespace would be the same; a directory that other users can search is needed."""
    need_root()
    import tempfile

    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        top = Path(name)
        top.chmod(0o755)
        for place in ("m", "m/alt", "sound"):
            (top / place).mkdir()
        mark = top / "m/mark"
        script(top / "m/alt/tool", f"touch {mark}; echo theirs")
        script(top / "sound/tool", "echo sound")
        (top / "m/bin").symlink_to(top / "sound")
        for place in ("m", "m/bin", "m/alt", "m/alt/tool"):
            given(top / place)
        (top / "root").symlink_to("m/bin")
        tool = top / ("root/tool" if deeper else "m/bin/tool")
        tries = 0
        with flipping(top / "m") as it_changes:
            while it_changes():
                tries += 1
                with pytest.raises(Unavailable, match=r"was not run as root|ENOENT|ELOOP"):
                    launch((str(tool), "--version"), 60.0).result()
        assert tries
        assert not mark.exists()


# -- the one way to start a program ------------------------------------------------------------------------------------

_STARTS = re.compile(
    r"\bsubprocess\.(Popen|run|call|check_call|check_output|getoutput)\(|\bos\.(system|popen|exec\w+|spawn\w+|posix_spawn\w*)\("
)
#: `kdiag run` runs or becomes the caller's command; `events` executes a file that does not exist, to be seen failing.
_OTHER_STARTS = {
    "kdiag/commands/run.py": 1,
    "kdiag/console/child.py": 1,
    "kdiag/smoke/events.py": 1,
    "kdiag/trust/program.py": 1,
}


def test_programs_are_started_in_one_place() -> None:
    found = {
        str(path.relative_to(REPOSITORY)): len(_STARTS.findall(path.read_text(encoding="utf-8")))
        for folder in ("kdiag", "checks")
        for path in (REPOSITORY / folder).rglob("*.py")
    }
    assert {path: count for path, count in found.items() if count} == _OTHER_STARTS
