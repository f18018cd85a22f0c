"""Completion in the shell: what `kdiag __complete`, `--show-completion` and `--install-completion` do."""
