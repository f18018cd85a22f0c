# Copyright: the authors of kdiag
# Apache License 2.0 (see https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
---
module: fix
short_description: Repair what kdiag can repair on a host, or take it back
version_added: 0.1.0
description:
  - Runs C(kdiag fix) on the host as the user of the task, which should be root.
  - In check mode the plan is shown and nothing is changed. A second run changes nothing.
options:
  pyz:
    description: The one-file kdiag on the controller.
    type: path
  standalone:
    description: The stand-alone program on the controller, for the hosts' architecture.
    type: path
  state:
    description: Whether repairs are to be there, or those of kdiag taken back.
    type: str
    choices: [present, absent]
    default: present
  packages:
    description: Whether the package of kernel headers may be installed.
    type: bool
    default: false
  prove:
    description: Whether small real programs prove it afterwards.
    type: bool
    default: false
  timeout:
    description: Seconds for kdiag on the host.
    type: int
    default: 900
attributes:
  check_mode:
    support: full
    description: The plan is shown.
  diff_mode:
    support: none
    description: Not supported.
author:
  - the authors of kdiag (@OWNER)
"""

EXAMPLES = r"""
- name: Put kernel headers in place
  become: true
  kdiag.kdiag.fix:
    pyz: files/kdiag.pyz
"""

RETURN = r"""
plan:
  description: What kdiag would do, or did, in its own words.
  returned: success
  type: str
"""
