"""How the tracing tools behave, release by release, and what their messages mean."""
