"""Recordings to send: a machine examined once, reduced, stripped of secrets, packed; and read back, untrusted."""
