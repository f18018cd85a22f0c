"""How long a check takes, beside the tools one would use instead, in one run:

    python -m benchmarks.check [ROUNDS]

Compile kdiag's bytecode first if PYTHONDONTWRITEBYTECODE is set (python -m compileall kdiag checks).
"""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from benchmarks.measure import compare, table

_BTF = "/sys/kernel/btf/vmlinux"
#: What one would run to learn a part of what a check says.
_TOOLS = {
    "bpftool feature probe": ("bpftool", "feature", "probe"),
    "bpftrace --info": ("bpftrace", "--info"),
    "bpftool btf dump file ... format raw": ("bpftool", "btf", "dump", "file", _BTF, "format", "raw"),
}
_ALL = "these three, one after the other"
_READ = f"from kdiag.parse.btf import parse; parse(open('{_BTF}','rb').read(), served=True)"
#: As BTF from anywhere else is read: every type is resolved, as the kernel does before it takes one.
_JUDGE = f"from kdiag.parse.btf import parse; parse(open('{_BTF}','rb').read())"


def main() -> None:
    """Print both tables; tools that are not installed are left out."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 21
    here = Path(sys.executable).parent
    kdiag = str(here / "kdiag")
    wanted = {
        "kdiag check": (kdiag, "check"),
        "kdiag check --format json": (kdiag, "check", "--format", "json"),
        "kdiag --version": (kdiag, "--version"),
        "python -c 'import typer'": (sys.executable, "-c", "import typer"),
        "python -c pass": (sys.executable, "-c", "pass"),
        **_TOOLS,
    }
    commands = {name: command for name, command in wanted.items() if shutil.which(command[0])}
    reference = "python -c pass"
    if Path(_BTF).exists() and all(name in commands for name in _TOOLS):
        commands[reference := _ALL] = ("sh", "-c", "; ".join(map(shlex.join, _TOOLS.values())))
    print(table(compare(commands, rounds), reference))
    if Path(_BTF).exists() and shutil.which("bpftool"):
        dump = {
            "kdiag's BTF reader, whole process": (sys.executable, "-c", _READ),
            "the same, for BTF of another origin": (sys.executable, "-c", _JUDGE),
            (raw := "bpftool btf dump file ... format raw"): _TOOLS[raw],
        }
        print()
        print(table(compare(dump, max(5, rounds // 3)), raw))


if __name__ == "__main__":
    main()
