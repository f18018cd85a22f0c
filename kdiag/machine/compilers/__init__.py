"""The compilers inside tracing tools, held against the headers of the kernel that they would compile."""
