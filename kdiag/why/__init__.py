"""What a tool's message means on this machine: read, recognised, joined, and held against the findings of a check."""
