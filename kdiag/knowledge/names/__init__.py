"""What `kdiag explain` tells of names that are no check of its own: capabilities, sysctls, concepts."""
