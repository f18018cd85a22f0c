"""Concepts: a screen each, with the data of the machine that is spoken of."""
