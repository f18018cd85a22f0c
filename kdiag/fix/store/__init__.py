"""Where prepared headers and BTF are kept, how they get there, and who may change them."""
