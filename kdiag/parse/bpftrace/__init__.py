"""The language of bpftrace, as far as it says what a script requires: attach points, scripts; nothing is executed."""
