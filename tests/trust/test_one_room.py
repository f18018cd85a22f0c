"""Names are written to, and programs launched, in one room: a walk through the source finds every other place.

A new one fails here. What it needs is in `kdiag.trust` (`write`, `scratch`, `names`, `program`); a place that works on
descriptors which the room gave it is added to the list below, with a reason.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.support.paths import REPOSITORY

#: Functions of `os` that change what a name stands for. With dir_fd they act in a directory that is open.
_OS = frozenset(
    [
        "chmod",
        "chown",
        "lchown",
        "link",
        "makedirs",
        "mkdir",
        "mkfifo",
        "mknod",
        "remove",
        "removedirs",
        "removexattr",
        "rename",
        "renames",
        "replace",
        "rmdir",
        "setxattr",
        "symlink",
        "truncate",
        "unlink",
        "utime",
    ]
)
_LAUNCH = frozenset(
    [
        "execl",
        "execle",
        "execlp",
        "execlpe",
        "execv",
        "execve",
        "execvp",
        "execvpe",
        "fork",
        "forkpty",
        "popen",
        "posix_spawn",
        "posix_spawnp",
        "spawnl",
        "spawnle",
        "spawnlp",
        "spawnlpe",
        "spawnv",
        "spawnve",
        "spawnvp",
        "spawnvpe",
        "startfile",
        "system",
    ]
)
#: Methods of pathlib.Path that no other object of ours has.
_PATH = frozenset(
    [
        "hardlink_to",
        "mkdir",
        "rmdir",
        "symlink_to",
        "touch",
        "unlink",
        "write_bytes",
        "write_text",
        "chmod",
        "lchmod",
        "rename",
    ]
)
_MODULES = {
    "tempfile": "write",
    "shutil": "write",
    "subprocess": "launch",
    "pty": "launch",
    "multiprocessing": "launch",
}
_HARMLESS = frozenset(
    {"shutil.which", "shutil.get_terminal_size", "subprocess.TimeoutExpired", "subprocess.SubprocessError"}
)
_WRITING = frozenset(["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND", "O_TMPFILE"])


def calls(source: str) -> Iterator[tuple[int, str]]:
    """Line and kind of everything that writes by name (`write`), in an open directory (`below`), or `launch`es."""
    module = ast.parse(source)
    reading = {
        target.id
        for node in module.body
        if isinstance(node, ast.Assign) and not _flags(node.value) & _WRITING
        for target in node.targets
        if isinstance(target, ast.Name) and _flags(node.value)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and (kind := _kind(node, reading)):
            yield node.lineno, kind
        elif isinstance(node, (ast.Import, ast.ImportFrom)) and _hides(node):
            yield node.lineno, "import"


def _hides(node: ast.Import | ast.ImportFrom) -> bool:
    """Whether a function or module of interest gets another name, by which it would not be found."""
    if isinstance(node, ast.Import):
        return any(alias.asname and alias.name in (*_MODULES, "os") for alias in node.names)
    names = {alias.name for alias in node.names}
    return node.module in _MODULES or (node.module == "os" and bool(names & (_OS | _LAUNCH | {"open", "*"})))


def _flags(node: ast.AST) -> set[str]:
    return {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute) and n.attr.startswith("O_")}


def _kind(call: ast.Call, reading: set[str]) -> str:
    function = call.func
    keywords = {keyword.arg for keyword in call.keywords}
    if isinstance(function, ast.Name):
        return "write" if function.id == "open" and _mode(call, 1) else ""
    if not isinstance(function, ast.Attribute):
        return ""
    owner = function.value.id if isinstance(function.value, ast.Name) else ""
    name = function.attr
    if owner == "os":
        if name in _LAUNCH:
            return "launch"
        if name in _OS or (name == "open" and _writes(call, reading)):
            return "below" if "dir_fd" in keywords or {"src_dir_fd", "dst_dir_fd"} <= keywords else "write"
        return ""
    if owner in _MODULES:
        return "" if f"{owner}.{name}" in _HARMLESS else _MODULES[owner]
    if name == "open":
        receiver = function.value.attr if isinstance(function.value, ast.Attribute) else owner
        if "fileobj" in keywords or receiver.endswith(("system", "_files")):
            return ""  # in memory; a `System`, which only reads
        return "write" if _mode(call, 1 if owner in ("io", "codecs") else 0) else ""
    if name in _PATH or (name == "replace" and len(call.args) == 1 and not keywords):
        return "" if owner in ("write", "names", "room", "read", "self") else "write"
    return ""


def _writes(call: ast.Call, reading: set[str]) -> bool:
    """Whether open(2) gets flags for writing, or flags that cannot be read off."""
    if len(call.args) < 2:
        return True
    names = {n.id for n in ast.walk(call.args[1]) if isinstance(n, ast.Name)} - {"os"}
    return bool(_flags(call.args[1]) & _WRITING or names - reading)


def _mode(call: ast.Call, position: int) -> bool:
    """Whether a mode for writing is given, or one that cannot be read off."""
    given = [k.value for k in call.keywords if k.arg == "mode"] or call.args[position : position + 1]
    mode = given[0].value if given and isinstance(given[0], ast.Constant) else "" if not given else "w"
    return isinstance(mode, str) and bool(set(mode) & set("wax+"))


#: Where else, and why. `below` is what works in a directory that the room has opened and judged.
ALLOWED: dict[str, set[str]] = {
    # header trees: made, renamed and removed by descriptor, in a directory from `trust.directory`
    "kdiag/fix/store/extract.py": {"below"},
    "kdiag/fix/store/unpack.py": {"below"},
    "kdiag/fix/store/trees.py": {"below"},
    "kdiag/fix/store/made.py": {"below"},
    # /dev/null in the place of a standard stream that is closed
    "kdiag/console/ending.py": {"write"},
    "kdiag/console/output.py": {"write"},
    # a copy of this very process
    "kdiag/checking/prefetch.py": {"launch"},
    # programs that are judged first, and this interpreter
    # opens for reading, with flags that are passed on
    "kdiag/system/rooted.py": {"below"},
    # what the user asks to be run: `kdiag run -- COMMAND`
    "kdiag/commands/run.py": {"launch"},
    # the same, and /dev/null for a process that only goes on copying
    "kdiag/console/child.py": {"launch", "write"},
    # a program of its own, without kdiag: it causes the events that are traced
    "kdiag/smoke/events.py": {"write", "launch"},
    # a program of its own, under the interpreter of BCC's tools, without kdiag: it makes a directory of a random name
    # (mkdtemp, 0700) and writes below that only
    "kdiag/smoke/bcc_loader.py": {"write"},
}


def found() -> dict[str, dict[str, list[int]]]:
    places: dict[str, dict[str, list[int]]] = {}
    for top in ("kdiag", "checks"):
        for path in sorted((REPOSITORY / top).rglob("*.py")):
            name = str(path.relative_to(REPOSITORY))
            if not name.startswith("kdiag/trust/"):
                for line, kind in calls(path.read_text(encoding="utf-8")):
                    places.setdefault(name, {}).setdefault(kind, []).append(line)
    return places


@pytest.mark.slow
def test_nothing_else_writes_or_launches() -> None:
    wrong = {
        f"{name}:{line}": kind
        for name, kinds in found().items()
        for kind, lines in kinds.items()
        for line in lines
        if kind not in ALLOWED.get(name, set())
    }
    assert not wrong, wrong


@pytest.mark.slow
def test_the_list_has_nothing_that_is_gone() -> None:
    assert {name: {*kinds} for name, kinds in found().items()} == ALLOWED


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("open(path, 'w')", "write"),
        ("open(path, mode=mode)", "write"),
        ("open(path)", ""),
        ("open(path, 'rb')", ""),
        ("path.open('ab')", "write"),
        ("path.open()", ""),
        ("system.open(path)", ""),
        ("io.open(path, 'x')", "write"),
        ("os.open(path, os.O_RDONLY | os.O_CLOEXEC)", ""),
        ("os.open(path, os.O_WRONLY | os.O_CREAT)", "write"),
        ("os.open(path, _FLAGS)", "write"),
        ("os.open(name, _FLAGS, dir_fd=at)", "below"),
        ("F = os.O_RDONLY | os.O_NOFOLLOW\nos.open(path, F | os.O_CLOEXEC)", ""),
        ("F = os.O_RDWR\nos.open(path, F | os.O_CLOEXEC)", "write"),
        ("os.replace(a, b)", "write"),
        ("os.rename(a, b, src_dir_fd=x, dst_dir_fd=x)", "below"),
        ("os.rename(a, b, dst_dir_fd=x)", "write"),
        ("path.replace(other)", "write"),
        ("text.replace('a', 'b')", ""),
        ("path.write_text('x')", "write"),
        ("shutil.rmtree(path)", "write"),
        ("shutil.which('x')", ""),
        ("tempfile.mkstemp()", "write"),
        ("os.chmod(path, 0o644)", "write"),
        ("os.fchmod(fd, 0o644)", ""),
        ("subprocess.run(['x'])", "launch"),
        ("os.execvp('x', ['x'])", "launch"),
        ("names.unlink(path)", ""),
        ("write.erase(at, name)", ""),
        ("tarfile.open(fileobj=out, mode='w')", ""),
        ("from os import rename", "import"),
        ("from subprocess import run", "import"),
        ("from os import path", ""),
        ("import subprocess as s", "import"),
    ],
)
def test_the_walk_sees(source: str, kind: str) -> None:
    assert [k for _, k in calls(source)] == ([kind] if kind else [])
