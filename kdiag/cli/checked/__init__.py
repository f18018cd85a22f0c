"""Parts of `kdiag check`: what its configuration file says, and the proof that `--smoke` adds."""
