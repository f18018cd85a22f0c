"""The one judgement of whose file, link, directory or program something is: who reads, writes or runs by name asks here
and then works on descriptors.

Beside /, the caller's own and root's files nothing decides what kdiag does as root. The threat model is in
docs/security.md.
"""

from kdiag.trust.walk import Untrusted, directory, problem

__all__ = ["Untrusted", "directory", "problem"]
