"""`kdiag explain`: what a name, a probe, a script or an object is, what it requires, and how that stands here."""
