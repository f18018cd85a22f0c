"""Secrets replaced by placeholders, the same secret by the same one, so that what belongs together still does."""

from __future__ import annotations

import re
from collections import Counter
from ipaddress import IPv6Address

from kdiag.recording import names
from kdiag.recording.placeholders import PLACEHOLDERS, is_placeholder
from kdiag.recording.secrets import Secrets, distinct, public
from kdiag.system.recording_index import Json

_HOMES = re.compile(
    r"(/(?:home|homes|Users|users|people|staff|students|accounts|profiles)/)([^/\s:;,\"'=\0<>()\[\]|]+)"
)
_NO_HOME = frozenset({"linuxbrew", "lost+found", "Public", "Shared", "Default"})
_UUID = re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![0-9A-Za-z])")
_HASH = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{64}(?![0-9A-Za-z])")
_MAC = re.compile(r"(?<![\w:-])(?:[0-9A-Fa-f]{2}([:-]))(?:[0-9A-Fa-f]{2}\1){4,6}[0-9A-Fa-f]{2}(?![\w:-])")
#: Not a version: nothing that belongs to one may stand around it (5.15.167.4-microsoft-standard-WSL2).
_OCTETS = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}"
_IPV4 = re.compile(rf"(?<![\w.+~-]){_OCTETS}(?:-{_OCTETS})?(?!\.?\w|[+~-])")
#: Those of private networks are no versions, whatever they are joined with (RFC 1918, RFC 6598, RFC 3927).
_PRIVATE = (
    rf"(?=10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|169\.254\.|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.)"
    rf"{_OCTETS}"
)
_PRIVATE_IPV4 = re.compile(rf"(?<![A-Za-z0-9.+~]){_PRIVATE}(?!\.?[A-Za-z0-9]|[+~])")
_DASHED_IPV4 = re.compile(
    r"(?<![A-Za-z0-9.+~])(?:10-\d{1,3}|192-168|172-(?:1[6-9]|2\d|3[01]))(?:-\d{1,3}){2}(?![A-Za-z0-9+~])"
)
_VERSION_BEFORE = re.compile(r"(?:version|release|ver\.?)\W{0,3}$", re.IGNORECASE)
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f:]*:[0-9A-Fa-f]*:)[0-9A-Fa-f:]{3,39}(?![\w:])")
_CLOUD = re.compile(
    r"(?<![\w.-])(?:ip-\d{1,3}(?:-\d{1,3}){3}(?:\.[\w-]+)*|i-[0-9a-f]{8,17}"
    r"|[\w-]+(?:\.[\w-]+)*\.(?:internal|amazonaws\.com|cloudapp\.net|cloudapp\.azure\.com|oraclevcn\.com))(?![\w-])"
)
_TOKEN = re.compile(
    r"(?<![\w-])(?:gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|xox[abeprs]-[\w-]{10,}|xapp-[\w-]{10,}"
    r"|A[KS]IA[0-9A-Z]{16}|AIza[\w-]{35}|ya29\.[\w-]{20,}|npm_\w{30,}|pypi-[\w-]{30,}|hf_\w{30,}|dckr_pat_[\w-]{20,}"
    r"|hv[sb]\.[\w-]{20,}|SG\.[\w-]{16,}\.[\w-]{16,}|AGE-SECRET-KEY-\w{20,}|tskey-[\w-]{16,}"
    r"|sk-[\w-]{20,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"
    r"|(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-\w+) AAAA[\w+/=]{16,}(?: [^\s\"']+)?"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
)
_ASSIGNED = re.compile(
    r"((?:password|passwd|passphrase|passcode|secret|token|api_?key|access_?key|private_?key|credential|psk)s?"
    r"[\"']?\s*[=:]\s*[\"']?|\bbearer\s+)"
    r"([^\s\"',;&]{4,})",
    re.IGNORECASE,
)
_USERINFO = re.compile(
    r"(?<=://)[^/\s\"'<>]+(?=@)|(?<![\w./%+-])[A-Za-z][\w.%+-]*:[^\s:@/\"'<>]{3,}(?=@[A-Za-z0-9\[])"
)
#: `name@unit.service` is none.
_MAIL = re.compile(
    r"(?<![\w.%+@-])([A-Za-z0-9][\w.%+-]{0,63})@((?:[A-Za-z0-9-]{1,63}\.){1,8}(?!(?:service|socket|mount|slice|scope|timer|"
    r"target|device|path|swap|so|ko|conf|automount)\b)[A-Za-z]{2,24})(?![\w-]|\.\w)"
)
#: A kernel address shows where the kernel lies (KASLR). Those of one machine share their upper half.
_POINTER = re.compile(r"(?<![0-9A-Za-z])(0x)?(ffff[0-9a-f]{12})(?![0-9A-Za-z])")

#: Identifiers that are the same everywhere: UEFI's global variables and Secure Boot databases, WSL's VM.
_PUBLIC = frozenset(
    {
        "8be4df61-93ca-11d2-aa0d-00e098032b8c",
        "d719b2cb-3d3a-4596-a3bc-dad00e67656f",
        "0" * 8 + "-0000-0000-0000-" + "0" * 12,
    }
)

#: Stands for what is kept while all else is searched: of no script, and no character of a name.
_HELD = "\uf8ff"


class Redactor:
    """Replaces secrets in texts. counts: how many replacements there were, by kind; `kept`: texts with no secret in
    them that may look like one, such as the kernel's release.
    """

    def __init__(self, secrets: Secrets, kept: tuple[str, ...] = ()) -> None:
        self.counts: Counter[str] = Counter()
        self._names: dict[tuple[str, str], str] = {}
        self._kept = kept
        self._exact: dict[str, tuple[str, str]] = {}
        self._homes = secrets.homes
        for value in secrets.ids:
            self._exact[value.casefold()] = ("id", value)
        for name in secrets.users:
            self._exact[name.casefold()] = ("user", name)
        for name in secrets.hosts:
            self._exact[name.casefold()] = ("host", name)
        self._words: re.Pattern[str] | None = None
        self._forms: dict[str, tuple[str, str]] = {}
        parents = "|".join(map(re.escape, secrets.parents))
        self._parents = (
            re.compile(rf"(?<![\w.-])((?:{parents})/)([^/\s:;,\"'=\0<>()\[\]|]+)") if parents else None
        )
        self._domains = names.domains(secrets.domains)
        some = sorted((text for text in kept if len(text) > 3), key=len, reverse=True)
        self._masked = re.compile("|".join(map(re.escape, some))) if some else None

    def learn(self, kind: str, value: str) -> str:
        """The placeholder of a secret that a file told; where it is telling enough it is replaced everywhere."""
        if kind in PLACEHOLDERS and is_placeholder(kind, value):
            return value
        self.remember(kind, value)
        return self.name(kind, value)

    def remember(self, kind: str, value: str) -> None:
        """Replace a value from now on wherever it stands, if it is telling enough."""
        if kind in PLACEHOLDERS and is_placeholder(kind, value):
            return
        letters = any(c.isalpha() for c in value)
        telling = len(value) >= 8 and letters and any(c.isdigit() for c in value) and "/" not in value
        if kind in ("host", "user"):
            telling = distinct(value)
        if telling and not any(value in text for text in self._kept) and value.casefold() not in self._exact:
            self._exact[value.casefold()] = (kind, value)
            self._words = None

    def is_kept(self, text: str) -> bool:
        """Whether it must stay as it is although it may look like a secret, such as the kernel's release."""
        return text in self._kept

    def name(self, kind: str, value: str) -> str:
        """The placeholder for a secret of this kind, counted."""
        self.counts[kind] += 1
        key = (kind, value.casefold())
        if key not in self._names:
            number = 1 + sum(1 for other, _ in self._names if other == kind)
            self._names[key] = PLACEHOLDERS[kind](number)
        return self._names[key]

    def text(self, text: str) -> str:
        """The text without secrets."""
        if not text or text in self._kept:
            return text
        return self._around_kept(text)

    def _around_kept(self, text: str) -> str:
        """What is kept is no part of a secret, and no secret a part of it: a user's name in the kernel's release."""
        held: list[str] = []

        def hold(match: re.Match[str]) -> str:
            held.append(match[0])
            return _HELD

        if self._masked is None or _HELD in text:
            return self._replaced(text)
        replaced = self._replaced(self._masked.sub(hold, text))
        parts = replaced.split(_HELD)
        if len(parts) != len(held) + 1:  # one was within a secret
            return self._replaced(text)
        return "".join(part + kept for part, kept in zip(parts, (*held, ""), strict=True))

    def _replaced(self, text: str) -> str:
        for home, whose in self._homes:
            if home in text:
                # The directories above it stay: a path is looked up one by one.
                instead = f"{home.rpartition('/')[0]}/{self.name('user', whose)}"
                text = re.sub(re.escape(home) + r"(?![^/\s:;,\"'])", instead, text)
        if self._parents is not None:
            text = self._parents.sub(self._home, text)
        text = _HOMES.sub(self._home, text)
        text = self._known().sub(self._word, text)
        text = _TOKEN.sub(lambda m: self.name("token", m[0]), text)
        text = _USERINFO.sub(self._userinfo, text)
        text = _MAIL.sub(self._mail, text)
        text = self._domains.sub(lambda m: self.name("host", m[0]), text)
        text = _ASSIGNED.sub(self._assigned, text)
        text = _CLOUD.sub(lambda m: self.name("host", m[0]), text)
        text = _UUID.sub(self._uuid, text)
        text = _HASH.sub(self._hash, text)
        text = _POINTER.sub(self._pointer, text)
        text = _MAC.sub(self._mac, text)
        text = _IPV6.sub(self._ipv6, text)
        text = _DASHED_IPV4.sub(self._dashed, text)
        text = _PRIVATE_IPV4.sub(self._ipv4, text)
        return _IPV4.sub(self._ipv4, text)

    @staticmethod
    def text_of(text: str, redactor: Redactor) -> str:
        """`text` as a rule for files."""
        return redactor.text(text)

    def value(self, value: Json) -> Json:
        """A JSON value with all its strings, and its keys, redacted."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self.text(key): self.value(item) for key, item in value.items()}
        return value

    def same_length(self, data: bytes) -> bytes:
        """Binary data with the known names in it overwritten, nothing moved."""
        for folded, (kind, value) in self._exact.items():
            secret = value.encode("utf-8", "surrogateescape")
            if folded and secret in data:
                name = self.name(kind, value).encode()
                data = data.replace(secret, name.ljust(len(secret), b"x")[: len(secret)])
        return data

    def _known(self) -> re.Pattern[str]:
        if self._words is None:
            self._forms = {
                form.casefold(): known for known in self._exact.values() for form in names.forms(known[1])
            }
            self._words = names.pattern({form: kind for form, (kind, _) in self._forms.items()})
        return self._words

    def _word(self, match: re.Match[str]) -> str:
        known = self._forms.get(match[0].casefold())
        if known is None:  # letters that are equal only to the matcher, as a dotted and a dotless i
            same = (form for form in self._forms if re.fullmatch(re.escape(form), match[0], re.IGNORECASE))
            known = self._forms[next(same)]
        return self.name(*known)

    def _userinfo(self, match: re.Match[str]) -> str:
        return match[0] if is_placeholder("token", match[0]) else self.name("token", match[0])

    def _mail(self, match: re.Match[str]) -> str:
        if public(match[2]) or is_placeholder("user", match[1]) or is_placeholder("token", match[1]):
            return match[0]
        return f"{self.name('user', match[1])}@{self.name('host', match[2])}"

    def _dashed(self, match: re.Match[str]) -> str:
        parts = match[0].split("-")
        if any(int(part) > 255 for part in parts) or any(match[0] in text for text in self._kept):
            return match[0]
        return self.name("ipv4", ".".join(parts)).replace(".", "-")

    def _home(self, match: re.Match[str]) -> str:
        if match[2] in _NO_HOME or is_placeholder("user", match[2]):
            return match[0]
        return match[1] + self.name("user", match[2])

    def _assigned(self, match: re.Match[str]) -> str:
        if is_placeholder("token", match[2]) or match[2].casefold() in ("none", "null", "true", "false"):
            return match[0]
        return match[1] + self.name("token", match[2])

    def _uuid(self, match: re.Match[str]) -> str:
        public = match[0].casefold() in _PUBLIC or is_placeholder("uuid", match[0])
        return match[0] if public else self.name("uuid", match[0])

    def _hash(self, match: re.Match[str]) -> str:
        if match[0].startswith("0" * 40):
            return match[0]
        return self.name("id", match[0]).rjust(64, "0")

    def _pointer(self, match: re.Match[str]) -> str:
        if is_placeholder("pointer", match[2]):
            return match[0]
        return (match[1] or "") + self.name("pointer", match[2])

    def _mac(self, match: re.Match[str]) -> str:
        return match[0] if is_placeholder("mac", match[0]) else self.name("mac", match[0])

    def _ipv6(self, match: re.Match[str]) -> str:
        try:
            address = IPv6Address(match[0])
        except ValueError:
            return match[0]
        if address.is_loopback or address.is_unspecified or is_placeholder("ipv6", match[0]):
            return match[0]
        return self.name("ipv6", str(address))

    def _ipv4(self, match: re.Match[str]) -> str:
        before = match.string[max(0, match.start() - 12) : match.start()]
        if _VERSION_BEFORE.search(before) or any(match[0] in text for text in self._kept):
            return match[0]
        return "-".join(map(self._address, match[0].split("-")))

    def _address(self, address: str) -> str:
        public = address.startswith(("127.", "0.", "255.")) or is_placeholder("ipv4", address)
        return address if public else self.name("ipv4", address)
