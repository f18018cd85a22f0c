"""The console script, and `python -m kdiag`: import the command line and run it."""

import gc
import os
import sys


def _trusted_path() -> list[str]:
    """sys.path without the current directory, which `python -m` and PYTHONPATH put first: kdiag runs as root, and a
    directory that another user can write must not hold a typer.py for it. A checkout keeps it, last.
    """
    from kdiag.trust import here

    current = here.real()
    home = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    kept = [p for p in sys.path if os.path.isabs(p) and os.path.realpath(p) != current]
    return [*kept, current] if home == current else kept


def _run() -> int:
    # Importing makes 100,000 objects and no garbage: with Python's own threshold of 700 the collector looks at them
    # again and again, 6 ms of a check. What a long command drops in circles is still found.
    gc.set_threshold(50_000)
    sys.path[:] = _trusted_path()
    from kdiag.cli import run

    return run(sys.argv[1:])


def main() -> None:
    """Run kdiag and exit."""
    try:
        from kdiag.console.ending import guarded
    except KeyboardInterrupt:
        print("kdiag: interrupted", file=sys.stderr, flush=True)  # the room that prints is not here yet
        os._exit(130)
    except MemoryError:
        print("kdiag: there is too little memory for this command", file=sys.stderr, flush=True)
        os._exit(4)
    guarded(_run)


if __name__ == "__main__":
    main()
