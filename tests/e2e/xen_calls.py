# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls of the module xen_domain in dom0, one JSON object a line, all by one process.

What Ansible does around a module costs several seconds on an emulated machine, each time. The step ``xen-playbook``
goes that way, the hundreds of calls of the others come here. Options pass the module's own argument_spec. A line
``{"shell": "..."}`` runs a script of the tests.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.modules import xen_domain


def call(options: dict[str, t.Any], check: bool) -> dict[str, t.Any]:
    """What the module would end with."""
    checked = ArgumentSpecValidator(xen_domain.ARGUMENTS).validate(options)
    if checked.error_messages:
        return {"failed": True, "msg": "; ".join(checked.error_messages)}
    host = LocalHost()
    try:
        found = xen_domain.work(checked.validated_parameters, check, host)
    except ClusterError as error:
        return {"failed": True, "msg": str(error), "hint": error.hint, "actions": host.actions}
    return {"actions": host.actions, **found}


def answer(line: str) -> dict[str, t.Any]:
    asked, begun = json.loads(line), time.monotonic()
    if "shell" in asked:
        done = subprocess.run(
            ["sh", "-c", asked["shell"]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            check=False,
        )  # fmt: skip
        return {"rc": done.returncode, "output": done.stdout.decode("utf-8", "replace")}
    found = call(asked["options"], asked["check"])
    return {"rc": int(bool(found.get("failed"))), "data": found, "seconds": time.monotonic() - begun}


for row in sys.stdin:
    print(json.dumps(answer(row)), flush=True)
