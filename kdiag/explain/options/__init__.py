"""Options of the kernel's configuration, capabilities of processes and sysctls: what they unlock, what needs them, how
they stand here, what distributions do.
"""
