"""What a dynamic loader reads: the wishes of programs, and its cache."""
