"""Another root's files: whatever its links say and whoever changes it meanwhile, nothing outside of it is read."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from kdiag.machine import Machine
from kdiag.system import Unavailable, syscalls
from kdiag.system.live import Live
from kdiag.system.recorder import Recorder
from kdiag.system.rooted import READ, open_below, walk_below
from tests.support.needs import need, need_program, need_root
from tests.support.waiting import HANG

SECRET = b"ID=secret\nPRETTY_NAME=OUTSIDE\n"
_LOOK = os.O_PATH | os.O_CLOEXEC
Opener = Callable[[int, str, int], int]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An empty root with a secret beside it."""
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "tree/etc").mkdir(parents=True)
    (tmp_path / "tree/usr/lib").mkdir(parents=True)
    return tmp_path / "tree"


@pytest.fixture(params=["by the kernel", "hop by hop"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to stay inside: the second is that of kernels before 5.6 and of strict seccomp filters."""
    if request.param == "hop by hop":
        monkeypatch.setattr(syscalls, "openat2", lambda *_: -errno.ENOSYS)
    return str(request.param)


OUTWARDS = {
    "absolute": "{secret}",
    "relative": "../../secret",
    "far up": "../../../../../../../../../../..{secret}",
    "by proc": "/proc/self/root{secret}",
    "by the task": "/proc/thread-self/root{secret}",
    "by a descriptor": "/dev/fd/0",
}


@pytest.mark.parametrize("how", OUTWARDS)
def test_no_link_shows_what_is_outside(tree: Path, way: str, how: str) -> None:
    target = OUTWARDS[how].format(secret=tree.parent / "secret")
    (tree / "etc/os-release").symlink_to(target)
    live = Live(str(tree))
    assert live.read("/etc/os-release") is None
    assert live.stat("/etc/os-release") is None
    assert live.distribution() is None
    assert Machine(live).kernel.os_release is None
    found = live.lstat("/etc/os-release")
    assert found is not None
    assert found.target == target


def test_an_absolute_link_is_followed_inside(tree: Path, way: str) -> None:
    """As on NixOS: /etc/os-release is a link to /etc/static, and that to the store."""
    (tree / "nix/store/x-etc/etc").mkdir(parents=True)
    (tree / "nix/store/x-etc/etc/os-release").write_text('ID=nixos\nPRETTY_NAME="NixOS"\n')
    (tree / "etc/static").symlink_to("/nix/store/x-etc/etc")
    (tree / "etc/os-release").symlink_to("/etc/static/os-release")
    system = Machine(Live(str(tree))).kernel.os_release
    assert system is not None
    assert system.id == "nixos"


def test_a_directory_whose_link_climbs_out(tree: Path, way: str) -> None:
    (tree / "lib").symlink_to("../../../../..")
    (tree / "usr/up").symlink_to("..")
    live = Live(str(tree))
    assert live.listdir("/lib") == live.listdir("/") == ("etc", "lib", "usr")
    assert live.listdir("/usr/up/usr/up/lib/../..") == live.listdir("/")


def test_release_files_of_older_systems_are_read_inside(tree: Path, way: str) -> None:
    """What the package `distro` opens by name, it opens wherever a link of the tree leads."""
    (tree / "etc/centos-release").write_text("CentOS release 6.10 (Final)\n")
    (tree / "etc/a-release").symlink_to(tree.parent / "secret")
    (tree / "etc/redhat-release").symlink_to("centos-release")
    assert Live(str(tree)).distribution() == ("centos", "6.10", "CentOS 6.10 (Final)")


@pytest.mark.parametrize("path", ["/devel/linux", "/process", "/system", "/procfs/version", "/dev.old/x"])
def test_a_name_that_only_begins_like_a_directory_of_the_kernel(tree: Path, way: str, path: str) -> None:
    live = Live(str(tree))
    assert live.stat(path) is None
    (tree / path[1:]).parent.mkdir(exist_ok=True)
    (tree / path[1:]).write_text("a file")
    assert live.read(path) == b"a file"


@pytest.mark.parametrize(
    "path", ["/proc", "/proc/version", "//proc/version", "/./sys/kernel", "/../dev/null"]
)
def test_the_kernels_directories_are_not_the_trees(tree: Path, way: str, path: str) -> None:
    for name in ("proc", "sys/kernel", "dev"):
        (tree / name).mkdir(parents=True)
    (tree / "proc/version").write_text("a left-over")
    with pytest.raises(Unavailable, match="running kernel"):
        Live(str(tree)).stat(path)


def test_a_kernels_file_system_in_the_tree_is_that_of_this_machine(way: str) -> None:
    """With proc mounted below the root, /etc/mtab -> ../proc/self/mounts shows this machine's mounts; so does a path
    by way of `..`. This machine's own `/` by another name is such a root.
    """
    live = Live("/proc/self/root")
    assert not live.live
    for path in ("/etc/../proc/version", "/usr/../sys/kernel"):
        with pytest.raises(Unavailable):
            live.stat(path)


def test_what_a_link_to_proc_leads_to(tmp_path: Path, way: str) -> None:
    need_root()
    unshare = need_program("unshare")
    script = (
        "mkdir -p $0/etc $0/proc; mount -t proc proc $0/proc || exit 77\n"
        "ln -s ../proc/version $0/etc/os-release; ln -s /proc/self/mounts $0/etc/mtab\n"
        'ln -s /proc/1/root/etc/passwd $0/etc/passwd; exec $1 -c "$2" $0\n'
    )
    code = (
        "import sys; from kdiag.system import Unavailable; from kdiag.system.live import Live\n"
        "from kdiag.system import syscalls\n"
        f"if {way == 'hop by hop'}: syscalls.openat2 = lambda *_: -38\n"
        "for path in ('/etc/os-release', '/etc/mtab', '/etc/passwd'):\n"
        "    try: print(path, Live(sys.argv[1]).read(path))\n"
        "    except Unavailable as gap: print(path, 'unavailable')\n"
    )
    command = [unshare, "-m", "sh", "-c", script, str(tmp_path / "r"), sys.executable, code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=HANG)
    need(done.returncode != 77, "a mount namespace")
    assert done.stdout.split() == [
        "/etc/os-release", "unavailable", "/etc/mtab", "unavailable", "/etc/passwd", "unavailable",
    ]  # fmt: skip


def test_a_device_in_a_tree_is_not_opened(tree: Path, way: str) -> None:
    need_root()
    device = tree / "etc/os-release"
    try:
        os.mknod(device, 0o600 | 0o020000, os.makedev(10, 130))  # a watchdog: opening it starts it
    except OSError as error:
        pytest.skip(f"no device nodes here: {error}")
    with pytest.raises(Unavailable, match="char"):
        Live(str(tree)).read("/etc/os-release")


def made(tree: Path, chance: random.Random) -> None:
    """Directories, files, and links to anywhere."""
    places = [tree]
    for _ in range(14):
        place = chance.choice(places) / chance.choice("abcxy")
        if place.is_symlink() or place.exists():
            continue
        kind = chance.random()
        if kind < 0.4:
            place.mkdir()
            places.append(place)
        elif kind < 0.55:
            place.write_text(str(place))
        else:
            place.symlink_to("/".join(chance.choices(HOPS, k=chance.randint(1, 4))) or "z")


HOPS = ("a", "b", "c", "x", "y", "..", ".", "")


@pytest.mark.parametrize("seed", range(12))
def test_both_ways_agree(tmp_path: Path, seed: int) -> None:
    """openat2(2) is the judge of the walk: same file, or same errno, for any path in any tree."""
    chance = random.Random(seed)
    made(tmp_path, chance)
    top = os.open(tmp_path, _LOOK)
    need(syscalls.openat2(top, ".", _LOOK, 0x10) >= 0, "openat2(2)")

    def answer(opener: Opener, path: str, flags: int) -> object:
        try:
            fd = opener(top, path, flags)
        except OSError as error:
            return error.errno
        try:
            return os.fstat(fd).st_ino
        finally:
            os.close(fd)

    for _ in range(150):
        path = "/".join(chance.choices(HOPS, k=chance.randint(1, 5)))
        for flags in (_LOOK, _LOOK | os.O_NOFOLLOW, READ, READ | os.O_DIRECTORY):
            assert answer(walk_below, path, flags) == answer(open_below, path, flags), path
    os.close(top)


def test_no_descriptor_is_left_open(tree: Path, way: str) -> None:
    (tree / "etc/loop").symlink_to("loop")
    (tree / "etc/there").write_text("x")
    live = Live(str(tree))
    live.listdir("/")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        for path in ("/etc/loop", "/etc/there", "/etc/there/x", "/etc", "/no/such", "/proc/version"):
            for ask in (live.read, live.stat, live.lstat, live.listdir):
                with suppress(Unavailable):
                    ask(path)
    assert len(os.listdir("/proc/self/fd")) == before


# -- while another user changes it -------------------------------------------------------------------------------------

FLIPS = {
    # os-release is a file of the tree, then a link out of it, and so on
    "a link": """
open('n', 'w').write('ID=inside'); os.rename('n', 'etc/os-release'); rest()
os.symlink(secret, 'l'); os.rename('l', 'etc/os-release'); rest()""",
    # the directory that a `..` is taken in is moved out of the tree and back
    "a directory": """
os.rename('etc/deep/er', outside); rest()
os.rename(outside, 'etc/deep/er'); rest()""",
    # the tree's top itself becomes a link to its parent
    "the top": """
os.rename(tree, tree + '.away'); os.symlink(parent, tree); rest()
os.remove(tree); os.rename(tree + '.away', tree); rest()""",
}


@contextmanager
def flipping(tree: Path, how: str) -> Iterator[Callable[[], bool]]:
    """Another process that changes the tree 150 times and back; whether it still does."""
    code = (
        "import os, random, sys, time\n"
        "def rest(): time.sleep(random.random() / 1000)\n"
        f"tree = {str(tree)!r}; parent = {str(tree.parent)!r}; secret = parent + '/secret'\n"
        "outside = parent + '/outside'; os.chdir(tree); print('go', flush=True)\n"
        f"for _ in range(150):{FLIPS[how].replace(chr(10), chr(10) + '    ')}\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"go\n"
        try:
            yield lambda: other.poll() is None
            assert other.returncode == 0, "it was to flip until the end"
        finally:
            other.kill()


@pytest.mark.parametrize("how", FLIPS)
def test_nothing_of_the_outside_comes_in_while_the_tree_changes(tree: Path, way: str, how: str) -> None:
    (tree / "etc/deep/er").mkdir(parents=True)
    (tree / "etc/os-release").write_text("ID=inside")
    (tree.parent / "etc").mkdir()
    (tree.parent / "etc/os-release").write_bytes(SECRET)
    climbing = "/etc/deep/er/../../../../secret"
    if how == "a directory":
        (tree / "usr/lib/os-release").symlink_to(climbing)
    live = Live(str(tree))
    live.listdir("/")
    seen = Counter[bytes | None]()
    with flipping(tree, how) as it_changes:
        while it_changes():
            recorder = Recorder(live)
            for path in ("/etc/os-release", "/usr/lib/os-release", climbing, "/etc/deep/../../secret"):
                with suppress(Unavailable):
                    seen[recorder.read(path)] += 1
            with suppress(Unavailable):
                recorder.distribution()
    assert seen[b"ID=inside"]
    assert set(seen) <= {b"ID=inside", b"", None}


# -- the root itself ---------------------------------------------------------------------------------------------------


def test_another_users_link_does_not_choose_the_root(tree: Path) -> None:
    """In their directory a `tree` that was meant to be a directory is a link to `/`."""
    need_root()
    theirs = tree.parent / "theirs"
    theirs.mkdir()
    (theirs / "tree").symlink_to("/")
    (theirs / "real").mkdir()
    for path in (theirs, theirs / "tree", theirs / "real"):
        os.chown(path, 12345, 12345, follow_symlinks=False)
    for command in ("check", "record"):
        done = subprocess.run(
            [sys.executable, "-m", "kdiag", command, "--root", str(theirs / "tree")],
            capture_output=True,
            text=True,
            timeout=HANG,
            check=False,
            cwd=tree,
        )
        assert done.returncode == 2
        assert "symbolic link and belongs to uid 12345" in done.stderr
        assert done.stderr.count("\n") == 1
    assert Live(str(theirs / "real")).listdir("/") == (), "their directory may be looked at"
    (tree.parent / "mine").symlink_to(tree)
    assert Live(str(tree.parent / "mine")).listdir("/etc") == (), "so may what root's link leads to"


def test_a_container_is_a_root() -> None:
    """`--root /proc/PID/root`: the link reads `/` and leads elsewhere."""
    need_root()
    hide = "mount -t tmpfs none /var/tmp || exit 77; mkdir -p /var/tmp/r/etc; echo ID=inside >/var/tmp/r/etc/os-release"
    command = [
        need_program("unshare"),
        "-m",
        "sh",
        "-c",
        f"{hide}; echo go; exec cat",
    ]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as other:
        assert other.stdout is not None and other.stdin is not None
        need(other.stdout.readline(), "a mount namespace")
        try:
            assert Live(f"/proc/{other.pid}/root/var/tmp/r").read("/etc/os-release") == b"ID=inside\n"
            assert Live("/proc/self/root").listdir("/var/tmp") is not None
        finally:
            other.stdin.close()
