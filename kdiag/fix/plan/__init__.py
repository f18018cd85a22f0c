"""From facts and findings to a plan: what would repair something here, and why the rest cannot be."""
