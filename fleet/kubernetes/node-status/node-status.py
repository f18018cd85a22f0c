"""Says on this pod's node what kdiag found: the label kdiag.dev/verdict, and the condition EbpfTracing."""

from __future__ import annotations

import json
import os
import ssl
import sys
import time
import urllib.request

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
CONDITION = {"ready": "True", "not-ready": "False", "unknown": "Unknown"}
REASON = {"ready": "RequiredWorks", "not-ready": "RequiredFails", "unknown": "CannotTell"}


def patches(report: dict, now: str) -> list[tuple[str, dict]]:
    """What is patched below /api/v1/nodes/NODE, and with what."""
    verdict = report["verdict"]
    status = verdict["status"]
    condition = {
        "type": "EbpfTracing",
        "status": CONDITION[status],
        "reason": REASON[status],
        "message": verdict["summary"][:1000],
        "lastHeartbeatTime": now,
    }
    return [
        ("", {"metadata": {"labels": {"kdiag.dev/verdict": status}}}),
        ("/status", {"status": {"conditions": [condition]}}),
    ]


def patch(path: str, body: dict) -> None:
    """Sends one strategic merge patch with the pod's own token."""
    with open(f"{ACCOUNT}/token", encoding="ascii") as file:
        token = file.read().strip()
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    host = f"[{host}]" if ":" in host else host
    request = urllib.request.Request(
        f"https://{host}:{port}/api/v1/nodes/{os.environ['NODE_NAME']}{path}",
        data=json.dumps(body).encode(),
        method="PATCH",
        headers={
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/strategic-merge-patch+json",
        },
    )
    context = ssl.create_default_context(cafile=f"{ACCOUNT}/ca.crt")
    urllib.request.urlopen(request, timeout=30, context=context).close()  # noqa: S310  as above


def main() -> int:
    """0 where the node says it now; else 1, and why on standard error: the report is in the log all the same."""
    try:
        with open(sys.argv[1], encoding="utf-8") as file:
            report = json.load(file)
        for path, body in patches(report, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())):
            patch(path, body)
    except (OSError, ValueError, KeyError) as error:
        print(f"node-status: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
