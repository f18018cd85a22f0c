"""The language of bpftrace's scripts, release by release: data with sources."""
