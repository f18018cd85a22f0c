"""A script of bpftrace: what it requires, how each part of that stands here, and whether it will run."""
