"""Bytes in, values out: parsers without I/O, usable on their own."""
