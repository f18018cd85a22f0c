"""The collector as a shell program: the questions of the checks, and the words by which kdiag record tells secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files

from kdiag import __version__
from kdiag.machine.tracing import MAGIC
from kdiag.recording import apt, parameters, sensitive
from kdiag.recording.collector.asking import ENV, NAMES, RELEASE, WHICH, Questions
from kdiag.recording.reduce import INTERESTING
from kdiag.recording.secrets import COMMON

#: A larger file would make the recording too large for a terminal's patience: kernel images, rpm's database.
KEEP = 32 * 1024 * 1024
#: What kdiag record does to a file, and the shell's function for it. Any other file with a rule is left out.
_RULES: dict[sensitive.Rule, str] = {
    parameters.command_line: "command_line",
    sensitive.environment: "environment",
    sensitive.mounts: "mounts",
    sensitive.processors: "processors",
    sensitive.kernel_version: "kernel_version",
    sensitive.kernel_config: "kernel_config",
}
#: What only a program that reads the format makes small, or free of names; beside what has a rule in `sensitive`.
_LEFT_OUT = re.compile(
    r".*/libbcc\.so.*|.*/rpm/.*|.*/pacman/.*|.*/xbps/.*|.*\.ko(?:\.\w+)?|/boot/(?:vmlinu[xz]|Image|kernel)-.*|.*/vmlinuz"
)
_OF_FORMAT = (
    (re.compile(r".*/dpkg/status"), "dpkg"),
    (re.compile(r".*/apk/db/installed"), "apk"),
    (re.compile(r".*/available_filter_functions"), "functions"),
    (re.compile(r".*/etc/apt/.*"), "sources"),
    (
        re.compile(r"/sys/kernel/btf/.*|/sys/kernel/notes|.*/kheaders\.tar\.xz|.*/modules/[^/]*/modules\..*"),
        "opaque",
    ),
)
#: What may lie around such a place, or under it when it is not mounted (include/uapi/linux/magic.h).
_MAGICS = {
    "sysfs": 0x62656572,
    "proc": 0x9FA0,
    "tmpfs": 0x01021994,
    "overlay": 0x794C7630,
    "ext4": 0xEF53,
    "xfs": 0x58465342,
}
_CALLS = {"listdir": "listdir", "stat": "stat", "lstat": "lstat", "filesystem": "filesystem"}


def collector(questions: Questions) -> str:
    """The program's text."""
    text = files(__package__).joinpath("collect.sh").read_text(encoding="utf-8")
    for name, value in _values(questions):
        text = text.replace(f"@{name}@", value)
    return text


def _values(questions: Questions) -> Iterator[tuple[str, str]]:
    yield "VERSION", __version__
    yield "KEEP", str(KEEP)
    yield "COMMON", " ".join(sorted(COMMON))
    yield "PARAMETERS", " ".join(sorted(parameters.simple()))
    yield "VALUES", " ".join(parameters.SIMPLE_VALUES)
    yield "WORDS", " ".join(sorted(parameters.WORDS))
    yield "BUILDERS", " | ".join(f"*{_quoted(sign)}*" for sign in sensitive.public_builders())
    yield "ENVIRONMENT", " | ".join(f"{name}=*" for name in sensitive.PLAIN_VARIABLES)
    yield "PRIVATE", "DEBUGINFOD_* | KUBERNETES_SERVICE_HOST"
    yield "INTERESTING", INTERESTING.pattern
    yield "PUBLIC_URIS", " | ".join(f"http*://{p}{h}/*" for h in apt.PUBLIC_HOSTS for p in ("", "*."))
    yield "PUBLIC_LISTS", " | ".join(f"*{host}_*" for host in apt.PUBLIC_HOSTS)
    yield "PUBLIC_FILES", "debian.* | ubuntu.* | raspi.* | docker.* | backports.*"
    yield "FUNCTIONS", " ".join(sorted(questions.functions))
    yield (
        "MAGICS",
        "\n".join(f"    {name}) magic={number} ;;" for name, number in sorted((MAGIC | _MAGICS).items())),
    )
    yield "QUESTIONS", "\n".join(f"    {line}" for line in _lines(questions))


def _quoted(text: str) -> str:
    return '"' + re.sub(r'(["$`\\])', r"\\\1", text) + '"'


def _lines(questions: Questions) -> Iterator[str]:
    """A call of the shell's functions for each question; those about the same variable together."""
    yield from (f"env {name}" for name in questions.names("env"))
    yield from (f"which {name} {_word(name)}" for name in questions.names("which"))
    for name, size in questions.sized("read"):
        yield from _each(name, f"read_file {size} {rule(name)}")
    for name, _ in questions.sized("open"):
        yield from _each(name, f"read_file {KEEP // 2} {rule(name, opened=True)}")
    for name, size in questions.sized("head"):
        yield from _each(name, f"head_of {size}")
    for kind, call in _CALLS.items():
        for name in questions.names(kind):
            yield from _each(name, call)


def _word(name: str) -> str:
    """A name as a part of the shell's variables."""
    return re.sub(r"\W", "_", name)


def _each(path: str, call: str) -> Iterator[str]:
    """The call for a path, or for all that a pattern finds; nothing where a variable that it begins with is not set."""
    guard, start, rest = "", "", path
    for mark, prefix in ((ENV, ""), (WHICH, "in_")):
        if path.startswith(mark):
            name, _, rest = path.removeprefix(mark).partition("/")
            variable = prefix + _word(name)
            rest = f"/{rest}" if rest else ""
            guard, start = f"case ${{{variable}:-}} in /*) ", f"${{{variable}}}"
    parts = rest.split("/")
    patterned = any(part in NAMES for part in parts)
    text = start + rest.replace(RELEASE, "${release}")
    if not patterned:
        yield f'{guard}{call} "{text}"' + (" ;; esac" if guard else "")
        return
    pieces = [NAMES.get(part, f'"{part.replace(RELEASE, "${release}")}"' if part else "") for part in parts]
    where = (f'"{start}"' if start else "") + "/".join(pieces)
    loop = f'for each in {where}; do if [ -e "$each" ]; then {call} "$each"; fi; done'
    yield guard + loop + (" ;; esac" if guard else "")


def rule(path: str, *, opened: bool = False) -> str:
    """The name of what is done to a file: `left_out` for what no shell can make free of secrets."""
    found = sensitive.rule_of(path)
    if found is not None:
        return _RULES.get(found, "left_out")
    if _LEFT_OUT.fullmatch(path):
        return "left_out"
    return "opaque" if opened else next((name for form, name in _OF_FORMAT if form.fullmatch(path)), "text")
