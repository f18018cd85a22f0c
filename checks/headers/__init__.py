"""Kernel headers: the trees that tools look for, their package, the kernel's own (kheaders), and the traps."""
