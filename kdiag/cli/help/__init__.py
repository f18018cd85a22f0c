"""The help of every command: its summaries in sections, its examples."""
