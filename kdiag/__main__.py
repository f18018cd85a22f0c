"""The console script, and `python -m kdiag`: import the command line and run it.

An old Python comes as far as this: nothing here is newer than Python 3.6 until it was asked for its version.
"""

import gc
import os
import sys

#: With the version and the path of the Python that is too old.
OLD = (
    "kdiag requires Python 3.10 or newer, and {1} is Python {0}: run it with a newer one, "
    "or use the stand-alone build (kdiag-VERSION-linux-ARCH), which requires no Python"
)
if sys.version_info < (3, 10):  # noqa: UP036  what asks pip is not `python -m kdiag` in a clone, nor an archive
    print(OLD.format(sys.version.split()[0], sys.executable), file=sys.stderr)
    sys.exit(3)  # kdiag cannot tell


def _trusted_path() -> "list[str]":
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
