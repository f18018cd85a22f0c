"""Thousands of machines as one value: by kernel, by cause, since the last collection; kept in a history."""
