"""tracefs, debugfs and bpffs, and what they offer: absent, not mounted, not permitted and not built differ."""
