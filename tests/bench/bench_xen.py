# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ENUMERATE of 5,000 configuration files, against Python that executes them as xm did; and the state check of declared
guests that all run, against one question for each guest, as modules of other hypervisors ask. Both in the same run.

``python tests/bench/bench_xen.py [FILES]``; prints figures, judges nothing. The xl of the second is a script that says
what a real one said, so its seconds are those of starting programs; a real one takes 0.2 s and more each.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import typing as t
from pathlib import Path

from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Completed, LocalHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.enumerate import scan
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.lifecycle import plan
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.wish import Settings
from ansible_collections.xtreemos.cluster.tests.unit._xen.standin import Dom0Host

_TEXT = """\
#@#MAGICID-XEN
#@#VMSTATE = "ACTIVE"
#@#IP0 = "10.0.%(high)d.%(low)d"
name = "g%(n)d"
memory = 512
vcpus = 1
kernel = "/boot/vmlinuz"
disk = ["/srv/xen/g%(n)d.img,raw,xvda,rw"]
vif = ["bridge=xenbr0,mac=00:16:3e:00:%(high)02x:%(low)02x"]
"""


class Counting(LocalHost):
    """This machine with another xl, and with the mark of a dom0; counts what is started."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[str] = []

    def run(self, argv: t.Sequence[str], **how: t.Any) -> Completed:
        self.started.append(argv[0])
        return super().run(argv, **how)

    def read(self, path: str) -> bytes | None:
        return b"control_d" if path == "/proc/xen/capabilities" else super().read(path)


def _recorded(folder: Path, entries: list[dict[str, t.Any]]) -> None:
    """A script ``xl`` that lists guests which run as they are declared."""
    host = Dom0Host({"/k": b""})
    for entry in entries:
        host.start({**entry, "type": "pvh"})
    for name, argv in (("list", ["xl", "list"]), ("long", ["xl", "list", "-l"])):
        (folder / name).write_text(host.run(argv).stdout)
    for item in json.loads((folder / "long").read_text())[1:]:
        (folder / item["config"]["c_info"]["name"]).write_text(json.dumps([item]))
    script = '#!/bin/sh\ncd %s || exit 1\nexec cat ${3:-$([ "$2" = -l ] && echo long || echo list)}\n'
    (folder / "xl").write_text(script % folder)
    (folder / "xl").chmod(0o755)


def check_states(count: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        uuid = "11111111-2222-3333-4444-%012d"
        entries: list[dict[str, t.Any]] = [
            {"name": "g%d" % n, "memory": 64, "kernel": "/k", "uuid": uuid % n} for n in range(count)
        ]
        _recorded(Path(name), entries)
        os.environ["PATH"] = name + os.pathsep + os.environ["PATH"]
        settings = Settings(config_dir=name + "/etc", autostart_dir=name + "/auto", save_dir=name)
        host = Counting()
        host.write_files(plan([{**one, "state": "present"} for one in entries], settings, host).files.writes)
        host.started.clear()
        begun = time.perf_counter()
        todo = plan(entries, settings, host)
        ours, calls = time.perf_counter() - begun, host.started.count("xl")
        host.started.clear()
        begun = time.perf_counter()
        for one in entries:
            json.loads(host.run(["xl", "list", "-l", one["name"]]).stdout)
        peer = time.perf_counter() - begun
    found = "nothing to do" if not todo.changed else "changes: %s" % todo.actions()
    print("state check of %2d guests: %d xl calls, %.3f s, %s" % (count, calls, ours, found))
    print("  one question a guest:   %2d xl calls, %.3f s; ratio %.2f" % (count, peer, ours / peer))


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    with tempfile.TemporaryDirectory() as name:
        for n in range(count):
            Path(name, "g%d.cfg" % n).write_text(_TEXT % {"n": n, "high": n >> 8 & 255, "low": n & 255})
        began = time.process_time()
        records, _skipped = scan(LocalHost(), [name])
        ours = time.process_time() - began
        began = time.process_time()
        peers = []
        for path in sorted(Path(name).glob("*.cfg")):
            values: dict[str, object] = {}
            exec(compile(path.read_text(), str(path), "exec"), {}, values)
            peers.append(values["name"])
        peer = time.process_time() - began
    print("enumerate: %d of %d guests, %.2f s CPU, 0 xl calls" % (len(records), count, ours))
    print("enumerate: Python that executes the files: %d, %.2f s CPU; ratio %.2f" % (len(peers), peer, ours / peer))
    for guests in (1, 10, 50):
        check_states(guests)


if __name__ == "__main__":
    main()
