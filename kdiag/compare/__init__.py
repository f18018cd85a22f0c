"""Machines side by side: thousands of reports read as a stream, folded where they say the same, told apart by cause."""
