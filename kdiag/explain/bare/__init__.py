"""A word that stands alone: a function, a system call, a tracepoint or a type of the kernel, a word of bpftrace's
language, a name of BPF's, a tool.
"""
