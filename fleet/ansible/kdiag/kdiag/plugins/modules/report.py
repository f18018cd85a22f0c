# Copyright: the authors of kdiag
# Apache License 2.0 (see https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
---
module: report
short_description: Gather what can be traced with eBPF on a host
version_added: 0.1.0
description:
  - Runs kdiag on the host and writes its report on the controller.
  - The one-file kdiag is taken where the host has Python 3.10 or newer, else the stand-alone program, else the
    collector, whose recording is judged on the controller.
  - Nothing stays on the host except the facts, if they are asked for. The host does not need a Python for Ansible.
options:
  pyz:
    description: The one-file kdiag on the controller.
    type: path
  standalone:
    description:
      - The archive of the stand-alone program on the controller, C(kdiag-VERSION-linux-ARCH.tar.gz).
      - Hosts whose C(uname -m) is another ARCH get the collector.
    type: path
  collector:
    description: The POSIX shell script of C(kdiag collector) on the controller.
    type: path
  kdiag:
    description: The command that judges recordings on the controller.
    type: str
    default: kdiag
  dest:
    description: The directory on the controller for one report per host, which is made where it is not there.
    type: path
    required: true
  require:
    description: Capabilities that must work; without it a first session's.
    type: list
    elements: str
    default: []
  facts:
    description:
      - Whether to write C(/etc/ansible/facts.d/kdiag.fact), which the setup module reads as C(ansible_local.kdiag).
    type: bool
    default: false
  limit:
    description: The largest answer in bytes that is taken from a host.
    type: int
    default: 33554432
  timeout:
    description: Seconds for kdiag on the host.
    type: int
    default: 120
attributes:
  check_mode:
    support: full
    description: Looking changes nothing; the facts are not written.
  diff_mode:
    support: none
    description: Not supported.
author:
  - the authors of kdiag (@OWNER)
"""

EXAMPLES = r"""
- name: Gather reports
  kdiag.kdiag.report:
    pyz: files/kdiag.pyz
    collector: files/collect.sh
    dest: reports
"""

RETURN = r"""
verdict:
  description: V(ready), V(not-ready) or V(unknown).
  returned: success
  type: str
summary:
  description: Why, in one clause.
  returned: success
  type: str
next:
  description: The next command to type on the host.
  returned: success
  type: str
failing:
  description: The required capabilities that do not work.
  returned: success
  type: list
  elements: str
path:
  description: The report on the controller.
  returned: success
  type: str
way:
  description: How it was made, V(pyz), V(standalone) or V(collector).
  returned: success
  type: str
"""
