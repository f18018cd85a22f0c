"""Advice that is passed around, and why it cannot work. Tried in booted kernels, word for word."""

from __future__ import annotations

from kdiag.model import WrongRemedy

#: The recipe for kheaders that most pages about bpftrace repeat.
RECIPE = WrongRemedy(
    "export BPFTRACE_KERNEL_SOURCE=$tmpdir/usr/src/linux-headers-$(uname -r) after unpacking kheaders",
    "the archive has include/ and arch/ at its top: that directory never exists, and the variable breaks what worked",
)
