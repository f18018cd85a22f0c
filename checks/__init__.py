"""The built-in checks, a module per subject. Installed as `kdiag_checks`; ask the registry for them."""

if __name__ != "kdiag_checks":
    # A package called `checks` must not land on any user's path, and a check imported twice is two checks.
    raise ImportError("kdiag's checks are imported as `kdiag_checks` (install kdiag first: pip install -e .)")
