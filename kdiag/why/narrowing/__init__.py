"""What a line names that narrows its causes: the kind of probe, options of the kernel."""
