"""kdiag: what can be traced with eBPF on this Linux machine, why the rest cannot, and what to do about it."""

__version__ = "0.1.0"
