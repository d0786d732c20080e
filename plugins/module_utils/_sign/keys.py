# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of gpg_key. This module util is private to the collection."""

from __future__ import annotations

import contextlib
import os
import typing as t

from .._errors import ClusterError
from .._host.host import Host
from .home import Home
from .keyitem import KeyItem, parse_items
from .keyring import Step, actions, apply_keys, library, listing, plan_keys
from .ring import read_ring

Result = t.Dict[str, t.Any]


def _row(step: Step) -> Result:
    return {"changed": bool(step.does), "does": list(step.does), "fingerprints": list(step.fingerprints)}


def _diff(steps: t.Sequence[Step]) -> list[dict[str, str]]:
    entries = []
    for step in steps:
        if step.does:
            after = "".join("%s\n" % one for one in step.does)
            entries.append(
                {"before_header": step.item.label, "after_header": step.item.label, "before": "", "after": after}
            )
    return entries


def _planned(items: t.Sequence[KeyItem], home: Home) -> list[Step]:
    with _agent(home):
        return plan_keys(items, read_ring(home), home)


def run_keys(params: t.Mapping[str, t.Any], check_mode: bool, host: Host) -> Result:
    """Plan and, unless in check mode, change the keys; the result in Ansible's form."""
    library()
    count = params["s2k_count"]
    if count is not None and not 65536 <= count <= 65011712:
        raise ClusterError("s2k_count %d" % count, "65536 to 65011712")
    home = Home(host, params["gnupg_home"], params["gpg_program"], params["lock_timeout"])
    items = parse_items(params["keys"], host)
    steps = _planned(items, home)
    if not check_mode and any(step.does for step in steps):
        os.makedirs(home.path, mode=0o700, exist_ok=True)
        with home.locked():
            # Another run may have been here meanwhile.
            steps = _planned(items, home)
            apply_keys(steps, home, count or 0)
    with _agent(home):
        keyring = listing(home)
    return {
        "changed": any(step.does for step in steps),
        "keys": {step.item.label: _row(step) for step in steps},
        "keyring": keyring,
        "actions": actions(steps, home),
        "diff": _diff(steps),
    }


def _agent(home: Home) -> t.ContextManager[t.Any]:
    """gpg would start one by itself and leave it running."""
    return home.agent() if os.path.isdir(home.path) else contextlib.nullcontext()
