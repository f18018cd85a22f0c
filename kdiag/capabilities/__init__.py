"""What a person can do here: definitions, conditions by the tool's behaviour, and the verdict."""
