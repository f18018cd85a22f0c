"""The kernel lab: boot real kernels in QEMU, run real bpftrace and kdiag in them.

Run as ``python -m tests.lab`` from the root of the repository; ``tests/lab/README.md`` explains it.
"""
