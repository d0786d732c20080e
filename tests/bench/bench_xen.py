# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ENUMERATE of 5,000 configuration files, against Python that executes them as xm did, in the same run.

``python tests/bench/bench_xen.py [FILES]``; prints figures, judges nothing.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.enumerate import scan

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


if __name__ == "__main__":
    main()
