"""What a shell offers for the word that is being typed: the values of each kind, and the scripts for the shells."""
