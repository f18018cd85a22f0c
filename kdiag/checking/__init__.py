"""Finds the checks, chooses among them, runs them."""
