"""`python -m kdiag`."""

from kdiag.cli import main

main()
