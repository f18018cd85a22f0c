"""BTF: the kernel's type information, that of its modules, and which tool reads it here."""
