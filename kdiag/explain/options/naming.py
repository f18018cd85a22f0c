"""Which kernel option, capability of processes or sysctl a word means, as people spell them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.explain.options import option as options
from kdiag.explain.options import setting as settings
from kdiag.explain.value import Answer, NotKnown
from kdiag.knowledge.names.settings import settings as every_setting
from kdiag.knowledge.options import options as every_option
from kdiag.words import did_you_mean

if TYPE_CHECKING:
    from kdiag.explain.here import Here

#: How an option is written: as in a .config, as kdiag's findings are called.
_PREFIXES = ("config_", "config.")
#: Checks whose ids look like options.
_CHECKS = ("config.options", "config.source")


def fits(word: str) -> bool:
    """Whether a word names an option, a capability of processes or a sysctl."""
    return _spelt(word) or options.find(word) is not None or settings.find(word) is not None


def _spelt(word: str) -> bool:
    """Whether it is written as an option is, known or not."""
    return word.lower().startswith(_PREFIXES) and word not in _CHECKS


def explain(word: str, here: Here) -> Answer:
    """What is said of it. Raises NotKnown."""
    name = bare(word)
    found = options.find(name)
    if found is not None:
        return options.about(found, word, here)
    setting = settings.find(word)
    if setting is not None:
        return settings.about(setting, word, here)
    other = options.unlisted(name.upper(), word, here) if _spelt(word) else None
    if other is not None:
        return other
    prefix = word[: len(word) - len(name)]
    hint = did_you_mean(f"{prefix}{name.upper()}", (f"{prefix}{one.name}" for one in every_option()))
    raise NotKnown(f"nothing is called {word!r}{hint}")


def bare(word: str) -> str:
    """The name of an option without what says that it is one."""
    return word[len(_PREFIXES[0]) :] if _spelt(word) else word


def names() -> tuple[str, ...]:
    """All options and settings that are known, as they are written."""
    return (*(f"CONFIG_{one.name}" for one in every_option()), *(one.name for one in every_setting()))
