"""The one judgement of whose file, link, directory or program something is: what reads, writes or runs a file
by name asks here and then works on descriptors.

Beside /, the caller's own and root's files nothing decides what kdiag does as root. The threat model is in
docs/security.md. `owner` judges, `walk` goes from a path to an open directory; `write`, `scratch`, `read` and `names`
are how the rest of kdiag touches files that it has by name.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kdiag.trust.owner import Untrusted, problem
    from kdiag.trust.walk import directory

__all__ = ["Untrusted", "directory", "problem"]


def __getattr__(name: str) -> object:
    """The judgement, imported when it is asked for: `here` is needed before anything else is imported."""
    if name == "directory":
        from kdiag.trust.walk import directory

        return directory
    if name in __all__:
        from kdiag.trust import owner

        return getattr(owner, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
