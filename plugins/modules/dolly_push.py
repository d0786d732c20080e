#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: dolly_push
short_description: Sends one image to many nodes along a chain
version_added: 0.1.0
description:
  - Runs on the server that has the image. The server feeds the first node, each node feeds the next one while it
    writes, so the time hardly depends on the number of nodes.
  - Waits for the nodes until O(deadline), starts with those that are present and names the absent ones.
  - In the V(chain) dialect each node says how far its target goes and what digest it has. Nodes that hold the image are
    skipped; a push that broke off is resumed. A node that fails is cut out of the chain and named.
  - The V(classic) dialect is that of dolly 0.57 to 0.63. It has neither digests nor authentication; one failing node
    can stop it.
  - In check mode the nodes are asked what they hold and nothing is sent. Nodes that wait for the V(classic) dialect
    cannot be asked and are predicted to take the image.
extends_documentation_fragment: [xtreemos.cluster._attributes]
options:
  image:
    description: The file to push. Give this, or O(images_root) and O(name).
    type: path
  images_root:
    description: Where M(xtreemos.cluster.diskless_image) keeps the images.
    type: path
    default: /srv/xtreemos/images
  name:
    description: Name of an image in O(images_root).
    type: str
  version:
    description: Version of the image O(name).
    type: str
    default: current
  sha256:
    description:
      - SHA-256 of the image as 64 hex digits. By default taken from C(manifest.json) beside the image, else computed.
    type: str
  target:
    description: File or block device on the nodes. Only the V(classic) dialect sends it; agents know their own.
    type: str
    default: /var/lib/xtreemos/rootfs.sqfs
  nodes:
    description:
      - The nodes in the order of the chain, as the filter P(xtreemos.cluster.node_list#filter) makes them. C(name) and
        C(ip) are used.
      - C(address) is dialled instead of C(ip) when given; C(port) overrides O(port).
      - C(holds) is the digest that the node is known to hold (as M(xtreemos.cluster.dolly_agent) returns it). A node
        that holds the image is not called at all.
      - C(expected) says that in check mode the node counts as present because its agent would run by then.
    type: list
    elements: dict
    required: true
  agents:
    description:
      - What M(xtreemos.cluster.dolly_agent) returned, by node name. It gives C(holds) and C(expected) of the nodes. A
        node that runs another image cannot take part and counts as failed.
    type: dict
    default: {}
  dialect:
    description:
      - V(auto) calls the nodes in the V(chain) dialect and goes over to V(classic) when nobody speaks it and at least
        one node refuses the connection.
    type: str
    choices: [auto, chain, classic]
    default: auto
  deadline:
    description: Seconds to wait for the nodes.
    type: float
    default: 60
  timeout:
    description: Seconds without progress after which a node has failed.
    type: float
    default: 60
  silence:
    description: Seconds without a sign of life after which a connection is given up.
    type: float
    default: 20
  max_fail:
    description:
      - Number of absent and failed nodes that is tolerated. With more of them before the start nothing is sent; with
        more of them at the end the module fails, and the other nodes have the image nevertheless.
    type: int
    default: 0
  port:
    description: TCP port of the agents, V(chain) dialect.
    type: int
    default: 9995
  classic_ports:
    description: TCP ports for data and control, V(classic) dialect. Real dolly knows only the default.
    type: list
    elements: int
    default: [9998, 9997]
  classic_names:
    description: Whether C(dolly.cfg) lists the nodes by name instead of by address.
    type: bool
    default: false
  server_name:
    description: The server's name in C(dolly.cfg); by default its host name.
    type: str
  dolly_cfg:
    description: Write the C(dolly.cfg) of this push to this file, for use with a real dolly.
    type: path
  secret:
    description: The secret of this push, at least 16 characters. Nodes that do not know it are refused.
    type: str
  secret_file:
    description: File on the server with the secret.
    type: path
  allow_open:
    description: With a secret, also use nodes that know none, such as nodes that boot. They stand last in the chain.
    type: bool
    default: false
  progress_file:
    description: Append a line of progress to this file each second.
    type: path
author:
  - The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.dolly_agent
  - module: xtreemos.cluster.diskless_image
"""

EXAMPLES = r"""
- name: Push the current image to the nodes that boot
  xtreemos.cluster.dolly_push:
    name: node
    nodes: "{{ groups['nodes'] | xtreemos.cluster.node_list(hostvars) }}"
    deadline: 100
    progress_file: /run/xtreemos/push.log

- name: Feed a chain of real dolly clients
  xtreemos.cluster.dolly_push:
    image: /srv/images/diskless_node.img
    target: /dev/ram3
    dialect: classic
    nodes: "{{ groups['nodes'] | xtreemos.cluster.node_list(hostvars) }}"
    dolly_cfg: /etc/dolly.cfg
"""

RETURN = r"""
nodes:
  description:
    - The end of each node by its name. C(state) is V(ok), V(skipped), V(absent) or V(failed), with C(reason) for the
      last two. C(bytes), C(seconds) and C(mb_s) tell what was received and how fast (nothing in check mode); C(digest)
      is the SHA-256 that the node verified, empty in the V(classic) dialect.
  returned: always
  type: dict
  sample: {node31: {state: ok, reason: '', bytes: 310378496, seconds: 26.3, mb_s: 11.8, digest: 6e1f...}}
failed_nodes:
  description: Names of absent and failed nodes, sorted.
  returned: always
  type: list
  elements: str
summary:
  description: One line of text per node, sorted.
  returned: always
  type: list
  elements: str
  sample: ["node31: ok, 310.4 MB in 26.3 s (11.8 MB/s)"]
dialect:
  description: The dialect that was spoken.
  returned: always
  type: str
  sample: chain
image:
  description: Path, size in bytes and SHA-256 of the image.
  returned: always
  type: dict
seconds:
  description: Seconds from the first call to the last answer.
  returned: always
  type: float
hint:
  description: What to look at when nodes are absent.
  returned: when nodes are absent
  type: str
actions:
  description: What was done, or would be done in check mode, as lists of words.
  returned: always
  type: list
  elements: list
"""

import os
import socket
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly import auth, config, push, source
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.contact import Outcome, PushOptions
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.dial import Route
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.errors import DollyError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.fileset import (
    FilePlan,
    apply_files,
    diff_files,
    plan_files,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import File, Host
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import Result, run_module


def _member(node: dict[str, t.Any], port: int, agents: dict[str, t.Any]) -> push.Member:
    address = node.get("address") or node.get("ip")
    if not node.get("name") or not address:
        raise DollyError("node %r needs a name and an ip or address" % (node.get("name") or node,))
    route = Route(str(node["name"]), str(address), int(node.get("port") or port))
    agent = agents.get(route.name) or {}
    holds = node.get("holds") or agent.get("holds") or ""
    runs = str(agent.get("runs") or "")
    lost = "it runs the image %s: restart it to let it take this one" % runs[:12] if runs and runs != holds else ""
    return push.Member(route, str(holds), bool(node.get("expected") or agent.get("waiting")), lost)


def _secret(params: dict[str, t.Any]) -> bytes:
    if params["secret_file"]:
        return auth.read_secret(params["secret_file"])
    secret = (params["secret"] or "").encode()
    if secret and len(secret) < auth.MIN_SECRET:
        raise DollyError("the secret has less than %d bytes" % auth.MIN_SECRET, "make a longer one")
    return secret


def _request(params: dict[str, t.Any]) -> push.Request:
    path = params["image"] or source.image_path(params["images_root"], params["name"], params["version"])
    members = [_member(node, params["port"], params["agents"]) for node in params["nodes"]]
    push.check_members(members)
    if len(params["classic_ports"]) != 2:
        raise DollyError("classic_ports wants two numbers, data and control")
    limits = {key: params[key] for key in ("deadline", "timeout", "silence", "max_fail", "allow_open")}
    return push.Request(
        source.find_image(path, params["sha256"] or ""),
        params["target"],
        members,
        PushOptions(secret=_secret(params), **limits),
        params["dialect"],
        params["server_name"] or socket.gethostname(),
        params["classic_names"],
        (params["classic_ports"][0], params["classic_ports"][1]),
        params["progress_file"] or "",
    )


def _plan_cfg(params: dict[str, t.Any], request: push.Request, host: Host) -> FilePlan:
    if not params["dolly_cfg"] and params["dialect"] != "classic":
        return FilePlan()
    text = config.render(push.classic_config(request))
    return plan_files(host, {params["dolly_cfg"]: File(text.encode())} if params["dolly_cfg"] else {})


def _shown(outcome: Outcome) -> dict[str, t.Any]:
    shown = dict(outcome._asdict(), mb_s=outcome.mb_s)
    del shown["name"]
    return shown


def _result(report: push.Report, request: push.Request, plan: FilePlan, check: bool) -> Result:
    lost = report.lost()
    image = request.image
    taken = [outcome.name for outcome in report.outcomes if outcome.state == "ok"]
    went = bool(taken) if check else report.sent
    action = ["push", report.dialect, image.path, *taken]
    before = "".join("%s: %s\n" % (o.name, o.digest if o.state == "skipped" else "-") for o in report.outcomes)
    after = "".join(
        "%s: %s\n" % (o.name, image.sha256 if o.state in ("ok", "skipped") else "-") for o in report.outcomes
    )
    result: Result = {
        "changed": went or plan.changed,
        "nodes": {outcome.name: _shown(outcome) for outcome in report.outcomes},
        "summary": [outcome.line() for outcome in report.outcomes],
        "failed_nodes": [outcome.name for outcome in lost],
        "dialect": report.dialect,
        "image": image._asdict(),
        "seconds": round(report.seconds, 2),
        "diff": [
            *diff_files(plan),
            {"before_header": "nodes", "after_header": "nodes", "before": before, "after": after},
        ],
        "actions": [action] if went else [],
    }
    hint = report.hint if any(outcome.state == "absent" for outcome in lost) else ""
    if hint:
        result["hint"] = hint
    if len(lost) > request.options.max_fail:
        reasons = ["%s %s: %s" % (o.name, o.state, o.reason) for o in lost[:20]]
        result.update(failed=True, msg="%d of %d nodes do not have the image: %s%s" % (
            len(lost), len(report.outcomes), "; ".join(reasons), hint and " (%s)" % hint))  # fmt: skip
    return result


def _work(module: AnsibleModule, host: Host) -> Result:
    try:
        request = _request(module.params)
        plan = _plan_cfg(module.params, request, host)
        if not module.check_mode:
            apply_files(plan, host)
            if request.progress_file:
                os.makedirs(os.path.dirname(request.progress_file) or ".", exist_ok=True)
        return _result(push.run(request, module.check_mode), request, plan, module.check_mode)
    except DollyError as error:
        raise ClusterError(error.message, error.hint)
    except OSError as error:
        raise ClusterError("cannot push: %s" % error)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "image": {"type": "path"},
            "images_root": {"type": "path", "default": "/srv/xtreemos/images"},
            "name": {"type": "str"},
            "version": {"type": "str", "default": "current"},
            "sha256": {"type": "str"},
            "target": {"type": "str", "default": "/var/lib/xtreemos/rootfs.sqfs"},
            "nodes": {"type": "list", "elements": "dict", "required": True},
            "agents": {"type": "dict", "default": {}},
            "dialect": {"type": "str", "choices": ["auto", "chain", "classic"], "default": "auto"},
            "deadline": {"type": "float", "default": 60},
            "timeout": {"type": "float", "default": 60},
            "silence": {"type": "float", "default": 20},
            "max_fail": {"type": "int", "default": 0},
            "port": {"type": "int", "default": 9995},
            "classic_ports": {"type": "list", "elements": "int", "default": [9998, 9997]},
            "classic_names": {"type": "bool", "default": False},
            "server_name": {"type": "str"},
            "dolly_cfg": {"type": "path"},
            "secret": {"type": "str", "no_log": True},
            "secret_file": {"type": "path", "no_log": False},
            "allow_open": {"type": "bool", "default": False},
            "progress_file": {"type": "path"},
        },
        required_one_of=[("image", "name")],
        mutually_exclusive=[("image", "name"), ("secret", "secret_file")],
        supports_check_mode=True,
    )
    run_module(module, lambda host: _work(module, host))


if __name__ == "__main__":
    main()
