"""Every page that kdiag makes, held against axe-core in Chromium: light, dark, and as narrow as a telephone.

axe-core is no Python package: `npm install axe-core`, and KDIAG_TEST_AXE=node_modules/axe-core/axe.min.js names it.
"""

from __future__ import annotations

import base64
import json
import os
import re
from pathlib import Path

import pytest
from test_comparison_page import sample
from test_html import browse, without_policy

from kdiag.commands.compare import Reading
from kdiag.compare.html import render as render_comparison
from kdiag.fleet.html import render as render_fleet
from kdiag.fleet.run import Asked, fleet
from kdiag.report.faces.html import render
from tests.support.fleets import lines
from tests.support.paths import REPOSITORY
from tests.support.report_samples import everything, waived

SERIOUS = ("serious", "critical")
AXE = os.environ.get("KDIAG_TEST_AXE", "")
#: What is folded is read as well. The answer goes through base64: a title with markup in it would be escaped.
SCRIPT = """
<script>
addEventListener("load", async () => {
  document.querySelectorAll("details").forEach((one) => { one.open = true; });
  let answer;
  try {
    const found = await axe.run(document, { resultTypes: ["violations"] });
    answer = found.violations.map((v) => [v.impact, v.id, v.nodes.length, v.nodes[0].html.slice(0, 200)]);
  } catch (error) {
    answer = [["critical", "axe does not run", 1, String(error)]];
  }
  const said = [NAME, innerWidth, matchMedia("(prefers-color-scheme: dark)").matches, answer];
  const text = btoa(unescape(encodeURIComponent(JSON.stringify(said))));
  parent.postMessage(text, "*");
});
</script>
"""
#: Headless Chromium makes no window narrower than 500, but frames.
OUTER = """<!DOCTYPE html><title></title>
<script>
const said = [];
addEventListener("message", (event) => { said.push(event.data); document.title = said.join("|"); });
</script>
"""
FRAME = '<iframe src="{name}.html" width="{width}" height="900" style="border: 0"></iframe>\n'


def pages(folder: Path) -> dict[str, str]:
    asked = Asked((lines(folder / "fleet.jsonl", ("web-1", everything()), ("web-2", waived())),))
    with fleet(asked, Reading()) as found:
        of_a_fleet = render_fleet(found.fleet, found.asking)
    return {
        "report": render(everything()),
        "waivers": render(waived()),
        "comparison": render_comparison(sample()),
        "fleet": of_a_fleet,
        "matrix": (REPOSITORY / "docs/matrix.html").read_text(encoding="utf-8"),
    }


@pytest.mark.slow
@pytest.mark.skipif(not AXE, reason="needs KDIAG_TEST_AXE, the path of axe-core's axe.min.js")
@pytest.mark.parametrize(("width", "dark"), [(1400, False), (1400, True), (390, False)])
def test_axe_finds_nothing_serious(width: int, dark: bool, tmp_path: Path) -> None:
    axe = f"<script>{Path(AXE).read_text(encoding='utf-8')}</script>"
    made = pages(tmp_path)
    for name, text in made.items():
        script = SCRIPT.replace("NAME", json.dumps(name))
        page = without_policy(text).replace("</body>", f"{axe}{script}</body>")
        (tmp_path / f"{name}.html").write_text(page, encoding="utf-8")
    frames = "".join(FRAME.format(name=name, width=width) for name in made)
    (tmp_path / "outer.html").write_text(OUTER + frames)
    options = ["--dump-dom", "--window-size=1600,1000", "--virtual-time-budget=60000"]
    scheme = ["--blink-settings=preferredColorScheme=0"] if dark else []
    told = browse(tmp_path / "outer.html", *options, *scheme, profile=tmp_path / "profile")
    answer = re.search(r"<title>([\w+/=|]+)</title>", told)
    assert answer is not None, told[:500]
    answers = [json.loads(base64.b64decode(one)) for one in answer[1].split("|")]
    assert sorted(one[0] for one in answers) == sorted(made)
    assert {(shown, is_dark) for _, shown, is_dark, _ in answers} == {(width, dark)}
    serious = {name: [one for one in found if one[0] in SERIOUS] for name, _, _, found in answers}
    assert serious == {name: [] for name in made}
