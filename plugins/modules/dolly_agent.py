#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: dolly_agent
short_description: Makes a running node ready to receive an image
version_added: 0.1.0
description:
  - Tells whether the target of a node holds the wanted image, and when it does not, starts the agent that waits for
    M(xtreemos.cluster.dolly_push) in the background.
  - The agent ends by itself when the image is there and verified, or when nobody comes within O(timeout).
  - A node that boots by O(xtreemos.cluster.pxe_nodes#module:profiles) with method C(dolly) runs the same agent and does
    not need this module.
extends_documentation_fragment: [xtreemos.cluster._attributes]
options:
  state:
    description:
      - With V(started) an agent waits unless the target holds the image. With V(stopped) no agent runs.
    type: str
    choices: [started, stopped]
    default: started
  target:
    description:
      - File or block device to write. A file is written beside its place and renamed when its digest is right; a device
        is written in place, must not be in use, and its marker in O(state_dir) tells when it is half written.
    type: path
    default: /var/lib/xtreemos/rootfs.sqfs
  root:
    description:
      - The image is the root of a diskless node. O(target) is not looked at and no agent is started. It only tells
        which image this node booted.
      - A running node has its root already and takes another one when it boots again.
    type: bool
    default: false
  boot_env:
    description: Where the node keeps what it booted, for O(root).
    type: path
    default: /run/xtreemos/boot.env
  sha256:
    description: SHA-256 of the only image that is accepted, 64 hex digits. Needed unless O(secret) is given.
    type: str
  size:
    description: Bytes of that image. Needed with O(sha256) to know whether the target holds it.
    type: int
    default: 0
  verify:
    description: Read a complete file back even when its marker and time say that it was not touched.
    type: bool
    default: false
  name:
    description: Name of this node; a push that is meant for another node is refused. Give C(inventory_hostname).
    type: str
    default: ''
  server:
    description: The only address that may begin a push.
    type: str
    default: ''
  dialect:
    description: What the agent speaks. V(classic) has no authentication and cannot resume.
    type: str
    choices: [chain, classic]
    default: chain
  timeout:
    description: Seconds that the agent waits for a push.
    type: float
    default: 600
  port:
    description: TCP port of the V(chain) dialect.
    type: int
    default: 9995
  bind:
    description: Address to listen on; all when empty.
    type: str
    default: ''
  secret:
    description: The secret of the push, at least 16 characters. Who does not know it is refused.
    type: str
  run_dir:
    description: Folder for the program, log and process id of the agent.
    type: path
    default: /run/xtreemos/dolly
  state_dir:
    description: Folder for the markers of block devices; it must outlive a restart.
    type: path
    default: /var/lib/xtreemos/dolly
author:
  - The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.dolly_push
"""

EXAMPLES = r"""
- name: Make the nodes ready for the image
  xtreemos.cluster.dolly_agent:
    target: /var/lib/xtreemos/rootfs.sqfs
    sha256: "{{ image.sha256 }}"
    size: "{{ image.size }}"
    name: "{{ inventory_hostname }}"
    server: 10.0.1.1
  register: agent

- name: See that no agent waits any more
  xtreemos.cluster.dolly_agent:
    state: stopped
"""

RETURN = r"""
holds:
  description: Digest of the image when the target holds the whole of it, else null.
  returned: success
  type: str
runs:
  description: Digest of the image that the node booted, with O(root), else null.
  returned: success
  type: str
resume_at:
  description: Bytes of the image that an earlier push left and that need not be sent again.
  returned: success
  type: int
  sample: 0
waiting:
  description: Whether an agent waits (in check mode, would wait).
  returned: success
  type: bool
pid:
  description: Process id of the agent, 0 when none runs.
  returned: success
  type: int
log:
  description: The agent's log file.
  returned: success
  type: str
  sample: /run/xtreemos/dolly/agent.log
actions:
  description: The commands started (in check mode, that would be started).
  returned: success
  type: list
  elements: list
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly import agent as _agent
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly import auth, pyz
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.daemon import Daemon
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.errors import DollyError
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.target import Survey, Target, run_steps
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Host
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import Result, run_module

# Imported above so that Ansible ships its source to the node: it becomes part of the program that is started there.
_SHIPPED = _agent
_NOTHING: Result = {
    "changed": False,
    "holds": None,
    "runs": None,
    "resume_at": 0,
    "waiting": False,
    "pid": 0,
    "actions": [],
}


def _options(params: dict[str, t.Any]) -> list[str]:
    """The command line of the agent."""
    words = ["--target", params["target"], "--timeout", "%g" % params["timeout"], "--dialect", params["dialect"]]
    for key in ("sha256", "size", "name", "server", "bind", "port", "state_dir"):
        if params[key] and not (key == "server" and params["dialect"] == "classic"):
            words += ["--" + key.replace("_", "-"), str(params[key])]
    return words


def _survey(params: dict[str, t.Any]) -> Survey:
    target = Target(params["target"], params["state_dir"])
    if not (params["sha256"] and params["size"]):
        return Survey("", 0, None)
    survey: Survey = run_steps(target.survey(params["sha256"], params["size"], params["verify"]))
    if not survey.holds:
        target.check_room(params["size"])
    return survey


def _secret(params: dict[str, t.Any]) -> bytes:
    secret = (params["secret"] or "").encode()
    if secret and len(secret) < auth.MIN_SECRET:
        raise DollyError("the secret has less than %d bytes" % auth.MIN_SECRET, "make a longer one")
    if not secret and not params["sha256"]:
        raise DollyError("nothing says which image may be written here", "give sha256 or secret")
    return secret


def _stop(daemon: Daemon, check: bool) -> Result:
    pid = daemon.pid()
    if pid and not check:
        daemon.stop()
    actions = [["kill", str(pid)]] if pid else []
    return dict(_NOTHING, changed=bool(pid), actions=actions)


def _booted(params: dict[str, t.Any], host: Host) -> Result:
    text = (host.read(params["boot_env"]) or b"").decode("utf-8", "replace")
    found = dict(line.partition("=")[::2] for line in text.splitlines())
    runs = found.get("IMAGE_SHA256", "").strip("\"'") or None
    return dict(_NOTHING, runs=runs, holds=runs if runs and runs == params["sha256"] else None)


def _start(params: dict[str, t.Any], daemon: Daemon, check: bool) -> Result:
    secret, options, program = _secret(params), _options(params), pyz.build()
    survey = _survey(params)
    needed = not survey.holds
    start = needed and not daemon.is_running(options, secret, program)
    if start and not check:
        daemon.start(options, secret, program)
    return {
        "changed": start,
        "holds": survey.holds or None,
        "resume_at": survey.offset,
        "waiting": needed,
        "pid": daemon.pid() if needed else 0,
        "actions": [daemon.argv(options)] if start else [],
        "runs": None,
    }


def _work(module: AnsibleModule, host: Host) -> Result:
    params = module.params
    params["sha256"] = (params["sha256"] or "").lower()
    daemon = Daemon(params["run_dir"])
    try:
        if params["state"] == "stopped":
            result = _stop(daemon, module.check_mode)
        elif params["root"]:
            result = _booted(params, host)
        else:
            result = _start(params, daemon, module.check_mode)
    except DollyError as error:
        raise ClusterError(error.message, error.hint)
    except OSError as error:
        raise ClusterError("cannot manage the agent: %s" % error)
    after = "waiting" if result["waiting"] else "idle"
    before = {"waiting": "idle", "idle": "waiting"}[after] if result["changed"] else after
    result["diff"] = {"before": before + "\n", "after": after + "\n"}
    return dict(result, log=daemon.log_file)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
            "target": {"type": "path", "default": "/var/lib/xtreemos/rootfs.sqfs"},
            "root": {"type": "bool", "default": False},
            "boot_env": {"type": "path", "default": "/run/xtreemos/boot.env"},
            "sha256": {"type": "str"},
            "size": {"type": "int", "default": 0},
            "verify": {"type": "bool", "default": False},
            "name": {"type": "str", "default": ""},
            "server": {"type": "str", "default": ""},
            "dialect": {"type": "str", "choices": ["chain", "classic"], "default": "chain"},
            "timeout": {"type": "float", "default": 600},
            "port": {"type": "int", "default": 9995},
            "bind": {"type": "str", "default": ""},
            "secret": {"type": "str", "no_log": True},
            "run_dir": {"type": "path", "default": "/run/xtreemos/dolly"},
            "state_dir": {"type": "path", "default": "/var/lib/xtreemos/dolly"},
        },
        supports_check_mode=True,
    )
    run_module(module, lambda host: _work(module, host))


if __name__ == "__main__":
    main()
