"""`kdiag learn`: four programs, run for real, with where their types come from and a question each."""
