"""The texts of messages as they stand in the sources of tools, and the releases that have them."""
