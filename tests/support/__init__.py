"""What the tests share, as modules with plain names."""
