"""What the kernel's type information says of structs, functions and whole kernels: `kdiag btf`."""
