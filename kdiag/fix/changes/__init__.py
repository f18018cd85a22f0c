"""Making changes and taking them back, a module per kind of change."""
