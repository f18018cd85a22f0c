"""Where kdiag meets its user: what the terminal can show, what is printed and how, how kdiag is called and ends.

It knows nothing of checks and reports beyond their values, so that every other room may use it.
"""
