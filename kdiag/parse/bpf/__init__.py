"""BPF object files, as clang makes them and libbpf reads them: programs, maps, relocations. Nothing in them is run."""
