"""The console script, and `python -m kdiag`: begin what takes long, then import the command line and run it."""

import os
import sys


def _trusted_path() -> list[str]:
    """sys.path without the current directory, which `python -m` and PYTHONPATH put first: kdiag runs as root, and a
    directory somebody else can write must not hold a typer.py for it. A checkout keeps it, last.
    """
    here = os.path.realpath(os.curdir)
    home = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    kept = [p for p in sys.path if os.path.isabs(p) and os.path.realpath(p) != here]
    return [*kept, here] if home == here else kept


def main() -> None:
    """Run kdiag and exit."""
    sys.path[:] = _trusted_path()
    from kdiag.machine.ahead import begin

    begin(sys.argv[1:])
    from kdiag.cli import main as run

    run()


if __name__ == "__main__":
    main()
