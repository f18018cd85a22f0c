"""A shell program that records a machine without Python, made from the questions of the checks."""
