"""CO-RE: what libbpf makes of an object's relocations on a kernel, by its BTF and that of its modules.

After src/relo_core.c of libbpf (bpf_core_calc_relo_insn() and what it calls): a local type and a way to a field in it,
the kernel's types of the same name, and the same way by names in each of these.
"""
