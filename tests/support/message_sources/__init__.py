"""Reads the messages that a tool can print out of its sources: `python -m tests.support.message_sources TOOL TREE...`.

`trees` opens the releases of a clone, `lexing` and `calls` find what is printed, `formats` makes one form of all
languages' conversions, `tools` says for each tool where to look, `standing` says from which release to which a text
stands, `coverage` holds them against the catalogue.
"""
