"""The console script, and `python -m kdiag`: begin what takes long, then import the command line and run it."""

import sys

from kdiag.machine.ahead import begin


def main() -> None:
    """Run kdiag and exit."""
    begin(sys.argv[1:])
    from kdiag.cli import main as run

    run()


if __name__ == "__main__":
    main()
