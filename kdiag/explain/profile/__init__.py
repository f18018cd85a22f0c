"""`kdiag explain NAME` of a profile: what a tool requires by its documentation, and how that stands here."""
