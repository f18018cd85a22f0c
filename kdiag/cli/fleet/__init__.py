"""The command line for thousands of machines."""
