"""`kdiag explain FILE.bpf.o`: what a BPF object consists of, what it requires, and whether this kernel loads it."""
