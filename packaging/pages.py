"""Writes what is shipped beside the code: the manual page kdiag(1) and the completion scripts of the shells.

    python packaging/pages.py            writes them to packaging/share
    python packaging/pages.py DIRECTORY  writes them there

Commands, options and examples are read off the command line's own definition; a test holds packaging/share against it.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import typer  # noqa: E402

from kdiag import HOME, __version__  # noqa: E402
from kdiag.cli.app import application  # noqa: E402
from kdiag.cli.help.layout import examples, sections, summary  # noqa: E402
from kdiag.completion.shells import script  # noqa: E402

#: Where each file goes below a prefix.
MAN = "man/man1/kdiag.1"
SCRIPTS = {
    "bash-completion/completions/kdiag": "bash",
    "zsh/site-functions/_kdiag": "zsh",
    "fish/vendor_completions.d/kdiag.fish": "fish",
}

_DESCRIPTION = (
    "kdiag tells what can be traced with eBPF on this Linux machine, by bpftrace, BCC, libbpf and bpftool. "
    "It says why the rest does not work, and repairs what can be repaired. "
    "Only `kdiag fix` changes the machine, and asks before.",
    "What was not looked at is never called ready: it is unknown, with the reason. "
    "Run as root, kdiag sees more.",
)
#: A paragraph begins with its title.
_IDLE = ((".SH", ".PP"), (".SS", ".PP"))
_STATUSES = (
    ("0", "ready, or done, or nothing to do"),
    ("1", "not ready, a regression against a baseline, or no: there is no such thing"),
    ("2", "usage: an option, a name or a file that kdiag cannot use"),
    ("3", "kdiag cannot tell"),
    ("4", "a fix or a smoke test failed, or there is no room to write"),
    ("70", "kdiag is broken; a report to send is written"),
    ("128+N", "ended by the signal N"),
)
_FILES = (
    (
        "kdiag.toml, pyproject.toml",
        "defaults of options, waivers, profiles: of the repository that kdiag is called in",
    ),
    (
        "/var/cache/kdiag/headers, $XDG_CACHE_HOME/kdiag/headers",
        "kernel headers that `kdiag fix` put in place",
    ),
    (
        "/var/cache/kdiag/btf, $XDG_CACHE_HOME/kdiag/btf",
        "type information that `kdiag fix --btf` put in place",
    ),
    ("/var/lib/kdiag, $XDG_STATE_HOME/kdiag", "the journal of changes, which `kdiag fix --undo` goes by"),
    ("/run/kdiag, $XDG_RUNTIME_DIR/kdiag", "what is remembered until the next boot"),
)
_ENVIRONMENT = (
    ("KDIAG_HOST", "where this container sees its host's files, as --host"),
    ("NO_COLOR", "no colours, if it is not empty"),
    ("COLUMNS", "the width of what is printed"),
    (
        "BPFTRACE_KERNEL_SOURCE, BPFTRACE_KERNEL_BUILD, BPFTRACE_BTF",
        "examined as bpftrace reads them; `kdiag env` prints them",
    ),
    ("BCC_KERNEL_SOURCE", "the same of BCC"),
    ("XDG_CACHE_HOME, XDG_STATE_HOME, XDG_RUNTIME_DIR", "see FILES; not used by root"),
)


def page() -> str:
    """The manual page, in the macros of man(7)."""
    root = typer.main.get_command(application([]))
    lines = [
        f'.TH KDIAG 1 "" "kdiag {__version__}" "User Commands"',
        ".SH NAME",
        f"kdiag \\- {_text(_lowered(summary(root)).rstrip('.'))}",
        ".SH SYNOPSIS",
        ".B kdiag",
        ".RI [ options ]",
        ".I command",
        ".RI [ arguments ]",
        ".SH DESCRIPTION",
        *(line for words in _DESCRIPTION for line in _paragraph(words)),
        ".SH OPTIONS",
        *_parameters(root),
        ".SH COMMANDS",
    ]
    for _, commands in sections(root):
        for name, command in commands:
            lines += _command((name,), command)
    lines += [".SH EXIT STATUS", *_table(_STATUSES)]
    lines += _paragraph(
        "`kdiag run` ends as the command that it ran. What a command means by 1 and 3 is said with it."
    )
    lines += [".SH ENVIRONMENT", *_table(_ENVIRONMENT), ".SH FILES", *_table(_FILES)]
    lines += [".SH EXAMPLES", *(line for path in ((), ("check",), ("explain",)) for line in _examples(path))]
    lines += [".SH BUGS", *_paragraph(f"Report them at {HOME}/issues.")]
    lines += [".SH SEE ALSO", ".BR bpftrace (8),", ".BR bpftool (8),", ".BR capabilities (7),", ".BR bpf (2)"]
    after_title = (
        line for before, line in zip(("", *lines), lines, strict=False) if (before[:3], line) not in _IDLE
    )
    return "\n".join(after_title) + "\n"


def _command(path: tuple[str, ...], command: Any) -> Iterator[str]:
    context = typer.Context(command, info_name=path[-1])
    usage = " ".join(word for word in command.collect_usage_pieces(context))
    yield f".SS kdiag {_text(' '.join(path))} {_text(usage)}"
    first, *rest = (command.help or "").replace("\b\n", "").split("\n\n")
    for words in (first, *rest, command.epilog or ""):
        yield from _paragraph(words)
    yield from _parameters(command)
    yield from (".PP", "Examples:", *_examples(path)) if examples(path) else ()
    for name, one in getattr(command, "commands", {}).items():
        if not one.hidden:
            yield from _command((*path, name), one)


def _parameters(command: Any) -> Iterator[str]:
    context = typer.Context(command)
    for one in command.params:
        record = one.get_help_record(context) if not getattr(one, "hidden", False) else None
        if record:
            yield from (".TP", f"\\fB{_text(record[0])}\\fR", *(_filled(record[1]) or ["\\ "]))


def _examples(path: tuple[str, ...]) -> Iterator[str]:
    found = examples(path)
    for one in found:
        yield from (".TP", f".B {_text(one.line)}", *_filled(f"{one.what[:1].upper()}{one.what[1:]}."))


def _table(rows: tuple[tuple[str, str], ...]) -> Iterator[str]:
    for name, what in rows:
        yield from (".TP", f".B {_text(name)}", *_filled(what))


def _paragraph(words: str) -> list[str]:
    text = " ".join(words.split())
    return [".PP", *_filled(text)] if text else []


def _filled(words: str) -> list[str]:
    """Lines of a paragraph, none of which begins as a macro does."""
    lines = textwrap.wrap(_text(words), 78, break_long_words=False, break_on_hyphens=False)
    return [f"\\&{line}" if line[:1] in (".", "'") else line for line in lines]


def _text(words: str) -> str:
    """As man(7) has it: a minus that can be copied, code in bold, and no line that begins as a macro does."""
    plain = words.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace('"', "\\(dq")
    parts = plain.split("`")
    for number in range(1, len(parts) - 1, 2):
        parts[number] = f"\\fB{parts[number]}\\fR"
    return "".join(parts)


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def files() -> dict[str, str]:
    """Every file by its path below a prefix's share."""
    return {MAN: page(), **{path: script(shell) for path, shell in SCRIPTS.items()}}


def main(arguments: list[str]) -> None:
    """Write them all."""
    base = Path(arguments[0]) if arguments else HERE / "share"
    for name, text in files().items():
        path = base / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
