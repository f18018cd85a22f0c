"""What is said of a report, in which order, whatever the format."""
