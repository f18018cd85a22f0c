"""A probe of bpftrace: what it requires, whether this kernel has what it names, and where its types come from."""
