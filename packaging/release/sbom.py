"""The bill of materials of a release, as CycloneDX 1.6 in JSON (cyclonedx.org/docs/1.6/json)."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
import zipfile
from collections.abc import Mapping
from email.parser import HeaderParser
from pathlib import Path

import pyz

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:kdiag:sbom")


def document(version: str, pins: Mapping[str, tuple[str, str]], wheels: Path, out: Path) -> str:
    """The libraries that the one-file forms carry; the files of the release with their hashes."""
    libraries = [_library(name, *pins[name], wheels) for name in sorted(pins)]
    components = [*libraries, *_packages(out)]
    own = f"pkg:pypi/kdiag@{version}"
    content = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(pyz.epoch())),
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": "kdiag",
                "version": version,
                "purl": own,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
                "components": [_file(path) for path in sorted(out.iterdir())],
            },
        },
        "components": components,
        "dependencies": [{"ref": own, "dependsOn": [str(one["bom-ref"]) for one in components]}],
    }
    serial = uuid.uuid5(_NAMESPACE, json.dumps(content, sort_keys=True))
    return json.dumps({**content, "serialNumber": f"urn:uuid:{serial}"}, indent=1, sort_keys=True) + "\n"


def _library(name: str, version: str, digest: str, wheels: Path) -> dict[str, object]:
    path = next(p for p in wheels.glob("*.whl") if hashlib.sha256(p.read_bytes()).hexdigest() == digest)
    with zipfile.ZipFile(path) as wheel:
        listed = next(n for n in wheel.namelist() if n.endswith(".dist-info/METADATA"))
        about = HeaderParser().parsestr(wheel.read(listed).decode())
    purl = f"pkg:pypi/{name}@{version}"
    found: dict[str, object] = {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "hashes": [{"alg": "SHA-256", "content": digest}],
    }
    if licence := about["License-Expression"]:
        found["licenses"] = [{"expression": licence}]
    elif (licence := about["License"] or "") and "\n" not in licence:
        found["licenses"] = [{"license": {"name": licence}}]
    return found


def _packages(out: Path) -> list[dict[str, object]]:
    """The Debian packages that the stand-alone build consists of, from the list beside it, which is then removed."""
    found: list[dict[str, object]] = []
    for path in sorted(out.glob("*.packages.json")):
        for name, version, arch, digest in json.loads(path.read_text()):
            purl = f"pkg:deb/debian/{name}@{version}?arch={arch}"
            one = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
            found.append({**one, "hashes": [{"alg": "SHA-256", "content": digest}]})
        path.unlink()
    return found


def _file(path: Path) -> dict[str, object]:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"type": "file", "name": path.name, "hashes": [{"alg": "SHA-256", "content": digest}]}
