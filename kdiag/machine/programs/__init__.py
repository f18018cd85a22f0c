"""What programs and libraries ask for, and find, before their first line runs: read from their files."""
