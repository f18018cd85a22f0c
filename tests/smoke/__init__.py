"""Smoke programs, against fake tools and the real one."""
