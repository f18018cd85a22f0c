"""What was given, taken apart into machines and read."""
