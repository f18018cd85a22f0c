"""A module per format, each a pure function of the report, imported only when asked for."""
