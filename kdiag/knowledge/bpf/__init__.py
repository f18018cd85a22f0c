"""What BPF objects are made of, by name and number: program types, maps, helpers, libbpf's section names."""
