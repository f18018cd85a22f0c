"""The environment variables that lead tools to prepared headers and BTF, and the shells' ways of setting them."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path

from kdiag.fix.errors import FixError
from kdiag.parse import utsrelease
from kdiag.trust import read

SOURCE, BUILD, BCC, BTF = NAMES = (
    "BPFTRACE_KERNEL_SOURCE",
    "BPFTRACE_KERNEL_BUILD",
    "BCC_KERNEL_SOURCE",
    "BPFTRACE_BTF",
)

#: How an environment can be written. The first five change a shell's or a workflow's environment when evaluated.
FORMATS = ("sh", "bash", "zsh", "fish", "github", "json")

#: What a tool cannot do without in the directory that the variable names.
_PROOF = {
    SOURCE: "include/linux/kconfig.h",
    BUILD: "include/generated/autoconf.h",
    BCC: "include/linux/kconfig.h",
}


#: Whose variables these are.
_READERS = {SOURCE: "bpftrace", BUILD: "bpftrace", BCC: "bcc", BTF: "bpftrace"}


def variables(
    tree: Path | None, btf: Path | None, concerns: Callable[[str], bool] = lambda _: True
) -> dict[str, str]:
    """The variables for a prepared tree and a prepared BTF file, for what is there, and for the tools meant."""
    values = {} if tree is None else dict.fromkeys((SOURCE, BUILD, BCC), str(tree))
    values = values if btf is None else {**values, BTF: str(btf)}
    return {name: value for name, value in values.items() if concerns(_READERS[name])}


def settings(
    env: Mapping[str, str], tree: Path | None, btf: Path | None, release: str
) -> dict[str, str | None]:
    """What to change in an environment: a value to set, None to unset.

    Left alone is what the user has set and what is right for this release. bpftrace's two variables go together.
    """
    wanted = variables(tree, btf)
    changes: dict[str, str | None] = {}
    for group in ((SOURCE, BUILD), (BCC,), (BTF,)):
        wrong = [name for name in group if name in env and problem(name, env[name], release)]
        ours = all(env.get(name, wanted.get(name)) == wanted.get(name) for name in group)
        theirs = group[0] in env and not wrong and not ours
        for name in group:
            if name in wanted and not theirs:
                changes[name] = wanted[name]
            elif name in wrong:
                changes[name] = None
    return changes


def problem(name: str, value: str, release: str) -> str:
    """What is wrong with a variable's value, "" if nothing or if it cannot be looked at.

    bpftrace does not look whether the path exists, and takes an empty value for one (get_kernel_dirs in its
    src/symbols/kernel.cpp): a wrong variable is worse than none.
    """
    if not value:
        return "it is empty, which counts as a path"
    try:
        if name == BTF:
            return "" if read.head(value, 2) in (b"\x9f\xeb", b"\xeb\x9f") else f"{value} is not BTF"
        if not os.path.isdir(value):
            os.stat(value)
            return f"{value} is not a directory"
        os.stat(f"{value}/{_PROOF[name]}")
        of = _release(value)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        return f"{error.filename or value} is not there"
    except read.NotAFile:
        return f"{value} is not a file"
    except (OSError, ValueError):
        return ""
    return "" if of in ("", release) else f"{value} is of {of}, not of {release}"


def _release(tree: str) -> str:
    """The release that a tree says it is of, "" if it does not say: the source half of Debian's does not."""
    try:
        return utsrelease.release(read.head(f"{tree}/{utsrelease.PATH}", utsrelease.LIMIT)) or ""
    except OSError:
        return ""


def shell_of(path: str) -> str:
    """The format for a login shell as in $SHELL; `sh` for one that is not known."""
    name = path.rpartition("/")[2]
    return name if name in ("bash", "zsh", "fish") else "sh"


def render(values: Mapping[str, str | None], shell: str) -> str:
    """The changes as text for `shell`, one of FORMATS; "" if there are none (an object for json).

    Lines end with a semicolon, for those who forget the quotes in eval "$(...)". GITHUB_ENV can set but not unset.
    Raises FixError for a value that would break out of its line.
    """
    for name, value in values.items():
        if value is not None and not _plain(value):
            raise FixError(f"{name} cannot be set to {value!a}: not plain text", "rename the directory")
    if shell == "json":
        import json

        unset = [name for name, value in values.items() if value is None]
        chosen = {name: value for name, value in values.items() if value is not None}
        return json.dumps({"schema": "kdiag.env/1", "set": chosen, "unset": unset}, indent=2) + "\n"
    if shell == "github":
        return "".join(f"{name}={value}\n" for name, value in values.items() if value is not None)
    if shell == "fish":
        return "".join(_fish(name, value) for name, value in values.items())
    if shell in FORMATS:
        return "".join(_posix(name, value) for name, value in values.items())
    raise FixError(f"no format called {shell}", f"there are {', '.join(FORMATS)}")


def _plain(value: str) -> bool:
    """No control characters, C1 and the line separators of Unicode included, and no bytes that are not text."""
    return not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in value)


def _posix(name: str, value: str | None) -> str:
    if value is None:
        return f"unset {name};\n"
    quoted = value.replace("'", "'\\''")
    return f"export {name}='{quoted}';\n"


def _fish(name: str, value: str | None) -> str:
    if value is None:
        return f"set -e {name};\n"
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{quoted}';\n"


def comment(text: str, shell: str) -> str:
    """A line that does nothing when evaluated; "" where there are no comments."""
    return "" if shell in ("github", "json") else f"# kdiag: {' '.join(text.replace('`', '').split())}\n"


def sudo_line(values: Mapping[str, str | None]) -> str:
    """How to start a command under sudo, which drops variables, so that it gets these: what goes before the command."""
    names = [name for name, value in values.items() if value is not None]
    return f"sudo --preserve-env={','.join(names)}" if names else "sudo"
