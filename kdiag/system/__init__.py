"""The only code that touches the examined machine: a live one, or a recording of one played back."""

from kdiag.system.base import (
    CommandResult,
    Identity,
    ProbeResult,
    Stat,
    System,
    Uname,
    Unavailable,
)

__all__ = ["CommandResult", "Identity", "ProbeResult", "Stat", "System", "Uname", "Unavailable"]
