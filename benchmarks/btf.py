"""How long `kdiag btf struct task_struct` takes, beside pahole and bpftool, in one run:

    python -m benchmarks.btf [ROUNDS]

kdiag is the one beside this Python: install it as users do (pip install ., not -e, whose finder takes as long to import
as a type takes to be found). Compile its bytecode first if PYTHONDONTWRITEBYTECODE is set.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from benchmarks.measure import compare, table

_BTF = "/sys/kernel/btf/vmlinux"
_TOOLS = {
    "pahole -C task_struct": ("pahole", "-C", "task_struct", _BTF),
    "bpftool btf dump file ... format c": ("bpftool", "btf", "dump", "file", _BTF, "format", "c"),
}
_LIMIT = 1.5


def main() -> None:
    """Print a table, and whether kdiag takes at most 1.5 times as long as the faster of the two."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 31
    kdiag = str(Path(sys.executable).parent / "kdiag")
    struct = "kdiag btf struct task_struct"
    wanted = {
        **_TOOLS,
        struct: (kdiag, "btf", "struct", "task_struct"),
        "kdiag btf struct task_struct pid": (kdiag, "btf", "struct", "task_struct", "pid"),
        "kdiag btf func vfs_read": (kdiag, "btf", "func", "vfs_read"),
        "kdiag btf struct ... --format c": (kdiag, "btf", "struct", "task_struct", "--format", "c"),
        "python -c pass": (sys.executable, "-c", "pass"),
    }
    commands = {name: command for name, command in wanted.items() if shutil.which(command[0])}
    results = {result.name: result for result in compare(commands, rounds)}
    tools = [results[name] for name in _TOOLS if name in results]
    if not tools:
        sys.exit("neither pahole nor bpftool is installed")
    fastest = min(tools, key=lambda result: result.wall)
    print(table(list(results.values()), fastest.name))
    wall, cpu = results[struct].wall / fastest.wall, results[struct].cpu / fastest.cpu
    print(
        f"\n{struct}: {wall:.2f} times the wall time of {fastest.name}, {cpu:.2f} times its CPU time", end=""
    )
    print(f" (limit {_LIMIT}): {'kept' if wall <= _LIMIT else 'missed'}")


if __name__ == "__main__":
    main()
