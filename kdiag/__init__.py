"""kdiag: what can be traced with eBPF on this Linux machine, why the rest cannot, and what to do about it."""

#: Where kdiag lives: `[project.urls]` of pyproject.toml has it, too.
HOME = "https://github.com/OWNER/kdiag"
__version__ = "0.1.0"
