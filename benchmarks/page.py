"""How long the page of a fleet takes to open, and what axe-core says of it, in a headless Chromium:

    python -m benchmarks.page FILE.html [--chromium PROGRAM] [--times N] [--axe axe.min.js] [--dark] [--width N]

FILE.html is what `kdiag compare --fleet --format html` writes. A copy of it gets a script that writes the times into
the page; the page's own policy would not let it in, and is taken out of the copy. An empty page is opened first, as a
browser that is started for the measurement is not what a person waits for. Printed are milliseconds from the start of
the navigation, the median of N browsers: when the page is read and its script has run, and when the next picture is
drawn; then how long a filter takes. With --axe, the violations of axe-core (npm install axe-core) by rule and element.
"""

from __future__ import annotations

import argparse
import http.server
import json
import os
import queue
import re
import statistics
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

_EMPTY = b"<!DOCTYPE html><title>-</title><script>setTimeout(() => location.replace('/page'), 500)</script>"
_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
_MEASURE = """
<script>
addEventListener("load", () => {
  const ready = performance.now();
  const drawn = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  drawn().then(async () => {
    const result = { script: Math.round(ready), drawn: Math.round(performance.now()) };
    const words = document.getElementById("words");
    const start = performance.now();
    words.value = "machine 7";
    words.dispatchEvent(new Event("input"));
    await new Promise((done) => setTimeout(done, 130));
    result.filter = Math.round(performance.now() - start);
    words.value = "";
    words.dispatchEvent(new Event("input"));
    await new Promise((done) => setTimeout(done, 300));
    for (const one of document.querySelectorAll("details")) if (!one.closest("#list")) one.open = true;
    const first = document.querySelector("#list details");
    if (first) first.open = true;
    await drawn();
    if (window.axe) {
      const found = await axe.run(document, { resultTypes: ["violations"] });
      const nodes = (v) => v.nodes.slice(0, 3).map((n) => n.html);
      result.axe = found.violations.map((v) => [v.id, v.impact, v.nodes.length, nodes(v)]);
    }
    await fetch("/measured", { method: "POST", body: JSON.stringify(result) });
  });
});
</script>
"""


def main() -> None:
    """Open the page, print what was measured."""
    about = argparse.ArgumentParser(description="Open the page of a fleet in a headless Chromium.")
    about.add_argument("page", type=Path)
    about.add_argument("--chromium", default="chromium")
    about.add_argument("--times", type=int, default=5)
    about.add_argument("--axe", type=Path)
    about.add_argument("--dark", action="store_true")
    about.add_argument("--width", type=int, default=1280)
    asked = about.parse_args()
    page = asked.page.read_text(encoding="utf-8")
    every = [measure(page, asked) for _ in range(asked.times)]
    for words, key, note in (
        ("read, and its script run", "script", ""),
        ("drawn", "drawn", ""),
        ("filtered", "filter", ", of which 120 are waited for the next key"),
        ("computed by its process", "cpu", ", all of the above and its start included"),
    ):
        times = sorted(one[key] for one in every)
        print(f"{words:<25} {statistics.median(times):6.0f} ms ({times[0]} to {times[-1]}){note}")
    measured = every[0]
    for rule, impact, count, nodes in measured.get("axe", ()):
        print(f"axe: {rule} ({impact}), {count} times", *nodes, sep="\n  ")
    if asked.axe is not None:
        print(f"axe: {len(measured['axe'])} violations")


def _processor_time(profile: str) -> int:
    """Milliseconds that the process of the page has computed, of those that Chromium started with this profile."""
    spent = 0
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_bytes().replace(b"\0", b" ")
            if profile.encode() in command and b"--type=renderer" in command:
                fields = (path / "stat").read_text().rpartition(")")[2].split()
                spent += int(fields[11]) + int(fields[12])
        except OSError:
            continue
    return spent * 1000 // os.sysconf("SC_CLK_TCK")


def measure(page: str, asked: argparse.Namespace) -> dict[str, Any]:
    """What the script in the copy of the page found; it sends that back."""
    axe = f"<script>{asked.axe.read_text(encoding='utf-8')}</script>" if asked.axe else ""
    text = _POLICY.sub("", page).replace("</body>", f"{axe}{_MEASURE}</body>").encode()
    found: queue.Queue[dict[str, Any]] = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = text if self.path == "/page" else _EMPTY
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def do_POST(self) -> None:
            found.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server,
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        command = [
            asked.chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={directory}",
        ]
        command += [f"--window-size={asked.width},900", "--remote-debugging-port=0"]
        command += ["--blink-settings=preferredColorScheme=0"] if asked.dark else []
        browser = subprocess.Popen(
            [*command, f"http://127.0.0.1:{server.server_port}/"],
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        try:
            return {**found.get(timeout=120), "cpu": _processor_time(directory)}
        finally:
            browser.terminate()
            browser.wait()
            server.shutdown()


if __name__ == "__main__":
    main()
