"""Header trees: where links lead, and whether what is there can be used."""
