"""What is known beforehand: about releases, kernels and messages; never an observation of this machine."""
