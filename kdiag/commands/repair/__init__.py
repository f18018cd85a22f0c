"""`kdiag fix` and `kdiag undo`: what is foreseen, done, proved and taken back."""
