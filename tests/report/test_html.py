"""The HTML page: what is in it, that nothing in it can do anything, and how Chromium shows it.

In Chromium the pages are in frames of a page that measures them; they themselves stay without scripts.
"""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import struct
import subprocess
import zlib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

from kdiag.checking.registry import discover
from kdiag.model import Readiness, Status
from kdiag.report.faces.html import render
from kdiag.report.formats import explainer
from tests.support.needs import need
from tests.support.report_samples import HOSTILE, everything, hostile, huge, live, samples, waived
from tests.support.waiting import HANG

SAMPLES = dict(samples())
VOID = {"meta", "link", "path", "use", "rect"}
TAGS = {
    "html", "head", "meta", "link", "title", "style", "body", "svg", "symbol", "path", "use", "rect", "main", "header",
    "section", "footer", "div", "span", "p", "b", "small", "h1", "h2", "ul", "li", "dl", "dt", "dd", "a", "code", "pre",
    "details", "summary", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
ATTRIBUTES = {
    "id", "class", "href", "open", "colspan", "scope", "lang", "charset", "http-equiv", "content", "name", "rel",
    "aria-hidden", "aria-labelledby", "focusable", "viewbox", "preserveaspectratio", "d", "x", "y", "width", "height",
    "translate", "role", "tabindex",
}  # fmt: skip


class Page(HTMLParser):
    """Every tag with its attributes, the text of each element by tag, and whether all are closed in turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.stack: list[str] = []
        self.feed(text)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self.stack[-1] if self.stack else "", data))

    def handle_comment(self, data: str) -> None:
        pytest.fail(f"a comment in the page: {data!r}")

    @property
    def text(self) -> str:
        return " ".join(" ".join(data for tag, data in self.texts if tag != "style").split())


@pytest.mark.parametrize("sample", SAMPLES)
def test_nothing_in_the_page_can_do_anything(sample: str) -> None:
    page = Page(render(SAMPLES[sample], explainer(discover(plugins=False))))
    for tag, attributes in page.tags:
        assert tag in TAGS, tag
        assert set(attributes) <= ATTRIBUTES, (tag, attributes)
        href = attributes.get("href")
        if tag == "link":
            assert href == "data:,"
        elif href is not None:
            assert re.fullmatch(r"#[\w.-]+", href), href


@pytest.mark.parametrize("sample", SAMPLES)
def test_links_lead_somewhere_and_ids_are_unique(sample: str) -> None:
    page = Page(render(SAMPLES[sample]))
    ids = Counter(str(attributes["id"]) for _, attributes in page.tags if "id" in attributes)
    links = {str(a["href"])[1:] for tag, a in page.tags if tag in ("a", "use") and "href" in a}
    labels = {str(a["aria-labelledby"]) for _, a in page.tags if "aria-labelledby" in a}
    if not sample.startswith("hostile"):  # strangers' capability ids may become the same anchor
        assert all(count == 1 for count in ids.values()), ids.most_common(1)
    assert links <= set(ids) and labels <= set(ids)


@pytest.mark.parametrize("text", [t for t in HOSTILE if t.strip()])
def test_hostile_strings_are_shown_as_text(text: str) -> None:
    page = Page(render(hostile(text)))
    if text.isprintable():
        told = " ".join(text.split())
        assert page.text.count(told) > 30
    assert [tag for tag, _ in page.tags].count("h1") == 1


def test_the_policy_allows_the_style_sheet_and_nothing_else() -> None:
    for report in (everything(), hostile("</style><style>*{display:none}")):
        text = render(report)
        (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        page = Page(text)
        (policy,) = [a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
        assert policy == (
            f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
        )
        names = [tag for tag, _ in page.tags]
        assert names.index("meta") < names.index("style"), "the policy stands before what it is about"
        assert "url(" not in style and "@import" not in style


@pytest.mark.parametrize(
    ("readiness", "word"), [("ready", "Ready"), ("not-ready", "Not ready"), ("unknown", "Cannot tell")]
)
def test_the_verdict_is_the_headline(readiness: str, word: str) -> None:
    page = Page(render(everything(Readiness(readiness))))
    assert [data.strip() for tag, data in page.texts if tag == "h1"] == [word]
    assert ("p", "2 of 4 required capabilities work") in page.texts
    assert ("span", "sudo mount it") in page.texts


def test_all_is_told() -> None:
    for report in (everything(), live()):
        text = Page(render(report)).text
        for capability in report.capabilities:
            assert capability.title in text and capability.because in text
        for finding in report.findings:
            assert f"{finding.summary} {finding.id}" in text
            for item in finding.evidence:
                assert " ".join(item.source.split()) in text
                assert " ".join(item.observed.split()) in text


def test_every_status_has_a_word_and_a_shape() -> None:
    """Never the colour alone."""
    text = render(everything())
    for word in ("works", "with a caveat", "does not work", "cannot tell"):
        assert re.search(rf'<span class="badge \w+"><svg [^>]*><use href="#i-\w+"/></svg>{word}</span>', text)
    shapes = dict(re.findall(r'<span class="badge (\w+)"><svg [^>]*><use href="#(i-\w+)"/>', text))
    assert len(shapes) == len(set(shapes.values())) == 4


def test_remedies_have_their_commands_and_undo() -> None:
    text = render(everything())
    assert '<span class="command">sudo mount -t tracefs tracefs /t</span>' in text
    assert '<summary>How to undo it</summary>\n<pre class="commands" translate="no"><code>' in text
    plain = Page(text).text
    assert "What to do: Mount it (needs root)" in plain
    assert "Or: Change the VM's settings (by hand; needs reboot; on the VM's settings)" in plain
    assert "What does not help apt install x no" in plain


def test_waivers_are_shown() -> None:
    text = Page(render(waived("broken", "c.unknown", "f.fine"))).text
    assert "waived until 2030-06-30: reason for broken" in text
    assert "Waived c.unknown until 2030-06-30 reason for c.unknown" in text
    assert "f.fine not needed any more reason for f.fine" in text
    assert "Waived" not in Page(render(everything())).text


def test_the_checks_speak_where_something_is_wrong() -> None:
    text = Page(render(everything(), lambda name: f"about {name}")).text
    assert "About this check about a.root" in text and "about f.fine" not in text


def test_what_is_required_is_unfolded_at_first() -> None:
    text = render(everything())
    opened = re.findall(r'<details class="card \w+" open>.*?<code class="id">([^<]*)</code>', text, re.DOTALL)
    assert set(opened) == {"a.root", "c.unknown", "b.note"}


def test_what_comes_of_a_cause_is_a_card_in_its_card() -> None:
    """Once on the page, with its anchor, and folded: the cause says it."""
    text = render(everything())
    cause = text.index('<code class="id">a.root</code></summary>')
    symptom = text.index('<code class="id">a.symptom</code></summary>')
    between = text[cause:symptom]
    assert "<b>What comes of it</b>" in between
    assert between.count("<details") > between.count("</details>"), "the cause's card is still open there"
    assert len(re.findall(r'id="f-a\.symptom"', text)) == 1


def test_sizes() -> None:
    assert len(render(live())) < 250_000
    assert len(render(huge())) < 250_000
    assert "1,090,000 more characters: see --format json" in render(huge())


# -- in Chromium -------------------------------------------------------------------------------------------


@cache
def chromium() -> str:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    need(path, "chromium")
    assert path is not None
    return path


def browse(page: Path, *options: str, profile: Path) -> str:
    command = [
        chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
        f"--user-data-dir={profile}", *options, page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=True)
    return done.stdout


def without_policy(text: str) -> str:
    return re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)


def ask(pages: list[str], script: str, folder: Path, width: int = 0) -> list[str]:
    """What the script says about each page, all in frames of one browser. `d` is the page's document, `w` its
    frame. Headless Chromium makes no window narrower than 500, but frames.
    """
    for number, text in enumerate(pages):
        (folder / f"{number}.html").write_text(text, encoding="utf-8")
    frames = "".join(
        f"<iframe src={number}.html width={width or 1000} height=900></iframe>"
        for number in range(len(pages))
    )
    outer = folder / "outer.html"
    outer.write_text(
        f"<!DOCTYPE html><title></title><style>iframe {{ border: 0 }}</style>{frames}<script>onload = () => {{"
        "document.title = [...document.querySelectorAll('iframe')].map(w => "
        f"{{ const d = w.contentDocument; return {script} }}).join('|') }}</script>"
    )
    options = ("--allow-file-access-from-files", "--dump-dom", "--window-size=1600,1000")
    match = re.search(r"<title>(.*?)</title>", browse(outer, *options, profile=folder / "profile"), re.DOTALL)
    assert match is not None
    return match[1].split("|")


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 820, 1440])
def test_the_page_fits_every_screen(width: int, tmp_path: Path) -> None:
    long = "/lib/modules/" + "x" * 300 + "-" + "W" * 300
    reports = (live(), everything(), hostile(long), huge(), hostile(HOSTILE[4]), SAMPLES["empty"])
    opened = (re.sub(r"(<details[^>]*?)( open)?>", r"\1 open>", render(report)) for report in reports)
    pages = [without_policy(page) for page in opened]
    root = "d.documentElement"
    script = f"[{root}.scrollWidth, {root}.clientWidth, d.querySelectorAll('main').length]"
    for told in ask(pages, script, tmp_path, width):
        page, screen, mains = map(int, told.split(","))
        assert (screen, mains) == (width, 1)
        assert page <= screen


@pytest.mark.slow
def test_no_hostile_string_runs(tmp_path: Path) -> None:
    """Nor would it without the policy: the escaping alone holds."""
    pages = [render(hostile(text)) for text in HOSTILE]
    titles = ask([*pages, *map(without_policy, pages)], "d.title.startsWith('kdiag: ')", tmp_path)
    assert titles == ["true"] * 2 * len(HOSTILE)
    assert ask(["<title>x</title><script>document.title = 'ran'</script>"], "d.title", tmp_path) == ["ran"]


@pytest.mark.slow
def test_printing_shows_what_is_folded(tmp_path: Path) -> None:
    """The rules for paper, applied to the screen: what evidence can be seen."""
    page = without_policy(render(everything()))
    script = "[...d.querySelectorAll('.evidence dd')].filter(e => e.checkVisibility()).length"
    screen, paper = ask([page, page.replace("@media print", "@media all")], script, tmp_path)
    assert screen == "0"
    told = [f for f in everything().findings if f.id[0] in "abcd" and f.status is not Status.OK]
    assert int(paper) == sum(len(f.evidence) for f in told), "all of it, but not of what is in order"


@pytest.mark.slow
def test_light_and_dark_look_different_and_neither_is_blank(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(render(live()), encoding="utf-8")
    backgrounds = []
    for scheme in ("1", "0"):
        shot = tmp_path / f"{scheme}.png"
        flags = (f"--blink-settings=preferredColorScheme={scheme}", "--window-size=500,250")
        browse(page, f"--screenshot={shot}", *flags, profile=tmp_path / f"p{scheme}")
        rows = list(pixels(shot.read_bytes()))
        assert len({bytes(row) for row in rows}) > 100, "a page with something on it"
        backgrounds.append(tuple(rows[0][:3]))
    light, dark = backgrounds
    assert sum(light) > 600 and sum(dark) < 200


def pixels(png: bytes) -> Iterator[bytearray]:
    """The rows of an 8-bit RGB or RGBA image (PNG specification, filters of section 9)."""
    position, data, size = 8, b"", (0, 0)
    channels = 3
    while position < len(png):
        length, kind = struct.unpack_from(">I4s", png, position)
        body = png[position + 8 : position + 8 + length]
        if kind == b"IHDR":
            width, height, _, color = struct.unpack_from(">IIBB", body)
            size, channels = (width, height), {2: 3, 6: 4}[color]
        elif kind == b"IDAT":
            data += body
        position += 12 + length
    raw, stride = zlib.decompress(data), size[0] * channels
    above = bytearray(stride)
    for row in range(size[1]):
        start = row * (stride + 1)
        above = unfiltered(raw[start], bytearray(raw[start + 1 : start + 1 + stride]), above, channels)
        yield above


def unfiltered(kind: int, row: bytearray, above: bytearray, step: int) -> bytearray:
    for i in range(len(row)):
        left = row[i - step] if i >= step else 0
        corner = above[i - step] if i >= step else 0
        near = min((left, above[i], corner), key=lambda p: abs(left + above[i] - corner - p))
        row[i] = (row[i] + (0, left, above[i], (left + above[i]) // 2, near)[kind]) & 0xFF
    return row
