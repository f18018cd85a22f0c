"""What the machine runs in: a container, a virtual machine, told from files only."""
