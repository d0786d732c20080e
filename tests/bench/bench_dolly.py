# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The chain on shaped and unshaped links between network namespaces, beside a real dolly when one is named.

    sudo python tests/bench/bench_dolly.py [--nodes 1,4,8] [--mb 100] [--mbit 100] [--runs 1] [--peer PATH]

A bridge in a namespace of its own joins one namespace for the server and one for each node; tbf shapes both ends of
every link. ``ratio`` is the wall time from the start of the server to the end of the last process, divided by size /
rate (the frames of Ethernet, IP and TCP alone make it 1.046). The rows ``link`` are what the links give at this
moment: one plain connection to the first node, sendfile to a file, no digest. ``--peer`` is a binary that takes the
options of dolly 0.63.
"""

from __future__ import annotations

import argparse
import compileall
import hashlib
import io
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
import zipfile
from pathlib import Path

from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly import pyz

PREFIX = "xcb-dolly-"
BRIDGE = PREFIX + "br"
PLAIN_PORT = 9990
PLAIN_NODE = """
import socket, sys
door = socket.socket()
door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
door.bind(("", int(sys.argv[1])))
door.listen(1)
peer = door.accept()[0]
with open("OUT", "wb", 0) as out:
    for data in iter(lambda: peer.recv(1 << 20), b""):
        out.write(data)
peer.sendall(b".")
"""
PLAIN_SERVER = """
import socket, sys
peer = socket.create_connection((sys.argv[2], int(sys.argv[1])))
with open(sys.argv[3], "rb") as image:
    peer.sendfile(image)
peer.shutdown(socket.SHUT_WR)
peer.recv(1)
"""


class Figures(t.NamedTuple):
    """One run: seconds, those that the server itself counts, CPU seconds of the server and of an average node, MiB of
    the largest node."""

    wall: float
    push: float
    server: float
    node: float
    memory: float


def sha256(path: Path) -> str:
    """In small pieces: a child's peak memory begins with that of the process that forks it."""
    hasher = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            hasher.update(block)
    return hasher.hexdigest()


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def address(number: int) -> str:
    return "10.88.0.%d" % (number + 1)


def shape(space: str, device: str, mbit: int) -> None:
    words = ["tc", "-n", space, "qdisc", "add", "dev", device, "root", "tbf", "rate", "%dmbit" % mbit]
    subprocess.run([*words, "burst", "64kb", "latency", "50ms"], check=True)


class Rack:
    """Namespaces 0 (the server) to ``count``; a context manager that removes them."""

    def __init__(self, count: int, mbit: int) -> None:
        self.count, self.mbit = count, mbit

    def __enter__(self) -> Rack:
        ip("netns", "add", BRIDGE)
        ip("-n", BRIDGE, "link", "add", "br0", "type", "bridge")
        ip("-n", BRIDGE, "link", "set", "br0", "up")
        for number in range(self.count + 1):
            self._join(number)
        return self

    def _join(self, number: int) -> None:
        space, port = PREFIX + str(number), "p%d" % number
        ip("netns", "add", space)
        ip("-n", space, "link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", BRIDGE)
        ip("-n", BRIDGE, "link", "set", port, "master", "br0", "up")
        ip("-n", space, "address", "add", address(number) + "/24", "dev", "eth0")
        ip("-n", space, "link", "set", "eth0", "up")
        if self.mbit:
            shape(space, "eth0", self.mbit)
            shape(BRIDGE, port, self.mbit)

    def __exit__(self, *_problem: object) -> None:
        for space in [*(PREFIX + str(number) for number in range(self.count + 1)), BRIDGE]:
            subprocess.run(["ip", "netns", "del", space], check=False, stderr=subprocess.DEVNULL)

    def start(self, number: int, argv: t.Sequence[str], folder: Path) -> subprocess.Popen[bytes]:
        """Start a program in a namespace."""
        folder.mkdir(exist_ok=True)
        with open(folder / "log", "wb") as log:
            words = ["ip", "netns", "exec", PREFIX + str(number), *argv]
            return subprocess.Popen(words, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def ours(program: Path, image: Path, digest: str) -> tuple[t.Callable[[int], list[str]], t.Callable[[int], list[str]]]:
    """(argv of node n, argv of a server for n nodes)."""
    python = [sys.executable, "-S", "-E", str(program)]

    def node(number: int) -> list[str]:
        words = ["--target", "OUT", "--sha256", digest, "--size", str(image.stat().st_size)]
        return [*python, "node", *words, "--name", "n%d" % number]

    def server(count: int) -> list[str]:
        names = [word for n in range(1, count + 1) for word in ("--node", "n%d=%s" % (n, address(n)))]
        return [*python, "serve", "--image", str(image), "--sha256", digest, *names]

    return node, server


def plain(image: Path) -> tuple[t.Callable[[int], list[str]], t.Callable[[int], list[str]]]:
    """One connection from the server to the first node, and nothing else."""
    python = [sys.executable, "-S", "-E", "-c"]
    node = [*python, PLAIN_NODE, str(PLAIN_PORT)]
    return lambda _number: node, lambda _count: [*python, PLAIN_SERVER, str(PLAIN_PORT), address(1), str(image)]


def peer(program: str, image: Path) -> tuple[t.Callable[[int], list[str]], t.Callable[[int], list[str]]]:
    """The same for a real dolly."""

    def server(count: int) -> list[str]:
        names = ",".join(address(n) for n in range(1, count + 1))
        return [program, "-n", "-S", address(0), "-I", str(image), "-O", "OUT", "-H", names]

    return lambda _number: [program, "-n"], server


def give_up(what: str, process: subprocess.Popen[bytes], folder: Path) -> t.NoReturn:
    logs = [path.read_text(errors="replace")[-500:] for path in sorted(folder.parent.glob("*/log"))]
    sys.exit("%s: %s\n%s" % (what, process.args, "---\n".join(logs)))


def finish(process: subprocess.Popen[bytes], folder: Path, until: float) -> tuple[float, float]:
    """Wait for the end; CPU seconds and MiB."""
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            break
        if time.monotonic() > until:
            process.kill()
            give_up("hangs", process, folder)
        time.sleep(0.002)
    if process.returncode:
        give_up("failed", process, folder)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def broadcast(rack: Rack, tool: tuple[t.Any, t.Any], image: Path, digest: str, folder: Path, count: int) -> Figures:
    """One run in a rack to ``count`` nodes; every copy is checked."""
    node, server = tool
    folders = [folder / str(number) for number in range(count + 1)]
    nodes = [rack.start(n, node(n), folders[n]) for n in range(1, count + 1)]
    time.sleep(0.8)
    began = time.monotonic()
    first = rack.start(0, server(count), folders[0])
    used = [finish(process, folders[n], began + 300) for n, process in enumerate([first, *nodes])]
    wall = time.monotonic() - began
    for one in folders[1:]:
        if sha256(one / "OUT") != digest:
            sys.exit("bad copy: %s" % one)
        for name in ("OUT", "OUT.dolly"):
            (one / name).unlink(missing_ok=True)
    told = re.search(r"^([0-9.]+) s$", (folders[0] / "log").read_text(errors="replace"), re.M)
    node, memory = statistics.mean(cpu for cpu, _mib in used[1:]), max(mib for _cpu, mib in used[1:])
    return Figures(wall, float(told.group(1)) if told else 0.0, used[0][0], node, memory)


def measure(tools: dict[str, tuple[t.Any, t.Any]], options: argparse.Namespace, folder: Path, image: Path) -> None:
    """Print a table, shaped and unshaped."""
    size, digest = image.stat().st_size, sha256(image)
    limit = size * 8 / options.mbit / 1e6
    print("%d bytes; at %d Mbit/s at least %.3f s; median of %d" % (size, options.mbit, limit, options.runs))
    print("tool   N        link   wall s  ratio  (server's clock)   MB/s  CPU s  CPU s/node  MiB/node")
    for count in options.nodes:
        for mbit in (options.mbit, 0):
            with Rack(count, mbit) as rack:
                for name, tool in tools.items():
                    used = 1 if name == "link" else count
                    runs = [broadcast(rack, tool, image, digest, folder, used) for _run in range(options.runs)]
                    best = sorted(runs)[len(runs) // 2]
                    wall, clock = (seconds / limit if mbit and seconds else 0.0 for seconds in best[:2])
                    row = (name, used, "%d Mbit/s" % mbit if mbit else "no limit", best.wall, wall, clock)
                    print("%-4s %3d %11s %8.3f %6.3f %17.3f" % row, end="")
                    rest = (size / best.wall / 1e6, best.server, best.node, best.memory)
                    print("%7.1f %6.2f %11.2f %9.1f" % rest, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", default="1,4,8", type=lambda text: [int(word) for word in text.split(",")])
    parser.add_argument("--mb", default=100, type=int, help="MiB of the image")
    parser.add_argument("--mbit", default=100, type=int, help="rate of the shaped links")
    parser.add_argument("--runs", default=1, type=int)
    parser.add_argument("--peer", default="", help="a real dolly")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("network namespaces need root")
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as name:
        folder = Path(name)
        image, program = folder / "image", folder / "program"
        with open(image, "wb") as stream:
            for _mib in range(options.mb):
                stream.write(os.urandom(1 << 20))
        # As byte code, like the agent in stage1.
        zipfile.ZipFile(io.BytesIO(pyz.build(server=True))).extractall(program)
        compileall.compile_dir(program, quiet=1)
        tools = {"link": plain(image), "ours": ours(program, image, sha256(image))}
        if options.peer:
            tools["peer"] = peer(os.path.abspath(options.peer), image)
        measure(tools, options, folder, image)


if __name__ == "__main__":
    main()
