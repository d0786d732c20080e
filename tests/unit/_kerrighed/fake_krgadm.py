# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""krgadm 3.0 (and a little of 2.x) over a state file, with its faults. conftest.py makes a program of it.

The state file lies beside the program, ``<program>.state``, lines ``self 1``, ``<id> <state>``, and where wanted
``version 2`` or ``service none``. States: possible < present < online. The cluster is up when a node is online.
Faults on purpose: usage and refusals return 0, adding an absent node never ends, garbage may follow a list.
"""

from __future__ import annotations

import sys
import time
import typing as t
from pathlib import Path

USAGE = "usage: krgadm cluster|nodes ...\n"
GARBAGE = "\udcc3\x7f3]\n"
State = t.Dict[int, str]


class Quit(Exception):
    """Ends the program with an exit code."""


class Fake:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.words: dict[str, str] = {}
        self.nodes: State = {}
        self.load()

    def load(self) -> None:
        pairs = [line.split() for line in self.path.read_text().splitlines() if line.strip()]
        self.nodes = {int(key): value for key, value in pairs if key.isdigit()}
        self.words = {key: value for key, value in pairs if not key.isdigit()}

    def save(self) -> None:
        rows = [*self.words.items(), *((str(key), value) for key, value in sorted(self.nodes.items()))]
        self.path.write_text("".join("%s %s\n" % row for row in rows))

    def of(self, state: str) -> list[int]:
        return sorted(number for number, now in self.nodes.items() if now == state)

    @property
    def own(self) -> int:
        return int(self.words["self"])


def say(text: str, error: bool = False) -> None:
    stream = sys.stderr if error else sys.stdout
    stream.buffer.write(text.encode("utf-8", "surrogateescape"))
    stream.flush()


def numbers(text: str) -> list[int]:
    """List syntax of 3.0: ``2,3,6-10``."""
    found: list[int] = []
    for part in text.split(","):
        first, _to, last = part.partition("-")
        if not first.isdigit() or (last and not last.isdigit()):
            say("node: Invalid argument\n", error=True)
            raise Quit(1)
        found.extend(range(int(first), int(last or first) + 1))
    return found


def wanted(fake: Fake, args: t.Sequence[str]) -> list[int] | None:
    """Ids of -n, -c, -t or -a of ``add`` and ``del``; None for -a."""
    modes = [arg for arg in args if arg in ("-a", "-n", "-c", "-t")]
    if len(modes) != 1:
        say(USAGE if not modes else "Only one of --all, --count, --total, --nodes\n", error=True)
        raise Quit(1)
    if modes == ["-a"]:
        return None
    if len(args) != 2:
        say(USAGE, error=True)
        raise Quit(1)
    if modes == ["-n"]:
        return numbers(args[1])
    count = numbers(args[1])[0] - (len(fake.of("online")) if modes == ["-t"] else 0)
    return fake.of("present")[: max(count, 0)]


def add(fake: Fake, args: t.Sequence[str]) -> None:
    ids = wanted(fake, args)
    if ids is None:
        ids = fake.of("present")
    else:
        ids = [number for number in ids if fake.nodes.get(number) != "online"]
        if ids:
            say("Waiting for nodes to join...    ")
        while [number for number in ids if fake.nodes.get(number) not in ("present", "online")]:
            time.sleep(0.02)
            fake.load()
        if ids:
            say("%d:1 done\n" % ids[-1])
    if not ids:
        return say("No present node to add.\n")
    say("Adding nodes [%s" % ",".join(map(str, ids)))
    if not fake.of("online"):
        say("]... ")
        say("fail: Operation not permitted\n", error=True)
        raise Quit(1)
    # The list has no end in the original.
    say("]%s... done\n" % (GARBAGE if len(ids) > 1 else ""))
    if fake.words.get("lies") != "yes":
        fake.nodes.update(dict.fromkeys(ids, "online"))
        fake.save()
    return None


def remove(fake: Fake, args: t.Sequence[str]) -> None:
    ids = wanted(fake, args)
    gone = []
    for number in fake.of("online") if ids is None else ids:
        if number == fake.own:
            say("Unable to suppress current node.\n")
        elif fake.nodes.get(number) != "online":
            say("Unable to suppress node %d (must be 'online').\n" % number)
        else:
            gone.append(number)
    if not gone:
        return say("No online node to remove.\n")
    fake.nodes.update(dict.fromkeys(gone, "present"))
    fake.save()
    return say("Removing nodes [%s]... done\n" % ",".join(map(str, gone)))


def nodes(fake: Fake, args: t.Sequence[str]) -> None:
    word, rest = (args[0], args[1:]) if args and not args[0].startswith("-") else ("status", args)
    if word == "add":
        return add(fake, rest)
    if word == "del":
        return remove(fake, rest)
    if word != "status":
        return say(USAGE)
    if fake.words.get("version") == "2":
        digits = {"possible": 1, "present": 2, "online": 3}
        return say("".join("%3d:%1d " % (number, digits[now]) for number, now in sorted(fake.nodes.items())) + "\n")
    chosen = numbers(rest[1]) if rest[:1] == ["-n"] else sorted(fake.nodes)
    return say("".join("%d:%s\n" % (number, fake.nodes[number]) for number in chosen if number in fake.nodes))


def cluster(fake: Fake, args: t.Sequence[str]) -> None:
    word = args[0] if args else "status"
    online = fake.of("online")
    if word in ("poweroff", "reboot"):
        say("Shutting down cluster... ")
        if not online:
            say("fail (cluster not running)\n")
            raise Quit(1)
        fake.nodes = {number: now for number, now in fake.nodes.items() if now != "online"}
        fake.save()
        return say("done\n")
    if word != "status":
        return say(USAGE)
    if fake.words.get("version") == "2":
        return say("  0:1 \n" if online else "No running cluster\n")
    return say("status: up on %d nodes\n" % len(online) if online else "status: down\n")


def main(argv: t.Sequence[str]) -> int:
    fake = Fake(Path(argv[0] + ".state"))
    verbs: dict[str, t.Callable[[Fake, t.Sequence[str]], None]] = {"nodes": nodes, "cluster": cluster}
    try:
        if len(argv) < 2 or argv[1] not in verbs:
            say(USAGE)
            return 0
        if fake.words.get("service") == "none":
            say("Kerrighed is not running: No such file or directory\n", error=True)
            return 1
        verbs[argv[1]](fake, argv[2:])
    except Quit as quit_:
        return int(quit_.args[0])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
