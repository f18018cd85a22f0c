"""The matrix: kernels x bpftrace x states of the headers x who asks, predictions held against outcomes.

Run as ``python -m tests.lab matrix``; ``tests/lab/README.md`` explains it.
"""
