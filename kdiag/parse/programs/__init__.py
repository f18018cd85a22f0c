"""What a program or library offers to tracers, its functions and USDT probes: read from its file, never executed."""
