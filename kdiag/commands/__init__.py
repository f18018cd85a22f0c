"""The functions behind the commands that are more than a few lines."""
