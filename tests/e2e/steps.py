# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rack must survive, in the order of a life: each step is one test."""

from __future__ import annotations

import re
import signal
import time
import typing as t
from pathlib import Path

from .rack import ROOT, Played, Rack, expect
from .xen import NAMES_OF_STEPS, XenSteps

EDIT = Path(__file__).resolve().parent / "inventory" / "edit.yml"
WORD = "xtreemos.e2e=1"
PUSHED, SIZE = "/srv/xtreemos/e2e-push.img", 8 << 20
_LINE = re.compile(r"^(node\d+): (.*?up [0-9.]+ s)", re.MULTILINE)
_DAMAGE = """
import os
path = os.path.realpath("/srv/xtreemos/images/node/current") + "/rootfs.sqfs"
with open(path, "r+b") as image:
    image.seek(%d)
    byte = image.read(1)
    image.seek(%d)
    image.write(bytes([byte[0] ^ 255]))
"""


class Story:
    """One rack through its life. ``clock`` collects (what, seconds or a line) for the summary."""

    def __init__(self, rack: Rack) -> None:
        self.rack = rack
        self.clock: list[tuple[str, str]] = []
        self._boots: dict[str, str] = {}

    def note(self, what: str, played: Played) -> None:
        """Keep the seconds of a playbook, and the stages of each node that booted meanwhile."""
        self.clock.append((what, "%.0f s" % played.seconds))
        boots = dict(_LINE.findall(played.output))
        new = sorted(name for name in boots if boots[name] != self._boots.get(name))
        self.clock.extend(("  boot of %s" % name, boots[name]) for name in new)
        self._boots.update(boots)

    def up(self) -> None:
        """lab_up from nothing ends with every node up and one cluster."""
        played = self.rack.play("lab_up")
        self.note("from nothing", played)
        expect(all(name in played.output for name in self.rack.names), "a node is not in the output")
        self._reachable()
        self._cluster()

    def again(self) -> None:
        """A second run changes nothing on any host."""
        played = self.rack.play("lab_up")
        self.note("second run", played)
        expect(not played.changed(), "a second run changed %s" % played.changed())
        told = self.rack.play("boot_check").output
        expect("%d of %d nodes can boot" % ((len(self.rack.names),) * 2) in told, "boot_check finds a fault")

    def mend(self) -> None:
        """A node without power and one that hangs are mended; their neighbours keep running."""
        hung, dead = self.rack.names[:2]
        before = self._boot_ids()
        self.rack.kill(dead)
        self.rack.kill(hung, number=signal.SIGSTOP)
        played = self.rack.play("lab_up", "-e", "lab_patience=30")
        self.note("repair of two nodes", played)
        after = self._boot_ids()
        changed = sorted(name for name in before if before[name] != after[name])
        expect(changed == [hung, dead], "booted again: %s" % changed)
        self._reachable()
        self._cluster()

    def one(self) -> None:
        """The boot clock of a single node, which boots anew when Ansible says so."""
        victim = self.rack.names[-1]
        before = self._boot_ids()
        self.rack.call(victim, "ansible.builtin.reboot", limit=660, reboot_timeout=600)
        changed = sorted(name for name, boot in self._boot_ids().items() if before[name] != boot)
        expect(changed == [victim], "booted again: %s" % changed)
        self.note("a look at the timeline", self.rack.play("status"))

    def edit(self) -> None:
        """One node's kernel option changes that node's files only, and restarts no service."""
        victim = self.rack.names[1]
        before, daemon = self._boot_files(), self._daemon()
        extra = ("-i", "inventories/lab", "-i", str(EDIT), "-e", "e2e_node=%s e2e_word=%s" % (victim, WORD))
        played = self.rack.play("pxe_server", *extra)
        after = self._boot_files()
        changed = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
        mac = next(node.mac for node in self.rack.model.members() if node.name == victim).replace(":", "-")
        expect(changed, "no file changed")
        expect(all(mac in path for path in changed), "files of others changed: %s" % changed)
        expect(self._daemon() == daemon, "the DHCP server was restarted")
        expect(set(played.changed()) == {"head"}, "changed: %s" % played.changed())
        back = self.rack.play("pxe_server")
        expect(self._boot_files() == before, "the files are not as before")
        self.note("edit of one node", back)

    def push(self) -> None:
        """The nodes boot by method dolly: the image comes down the chain."""
        self.rack.kill(*self.rack.names)
        played = self.rack.play("lab_up", "-e", "lab_method=dolly")
        self.note("boot by dolly", played)
        self._reachable()
        again = self.rack.play("lab_up", "-e", "lab_method=dolly")
        self.note("second run by dolly", again)
        expect(not again.changed(), "a second run by dolly changed %s" % again.changed())
        self.rack.play("pxe_server")

    def damage(self) -> None:
        """A node that gets a damaged image does not run it, and is named with the reason."""
        victim = self.rack.names[-1]
        self._flip()
        try:
            found = self.rack.play("boot_check", fails=True).output
            expect("rootfs.sqfs is damaged" in found, "boot_check does not see the damage")
            self.rack.kill(victim)
            self.rack.power(victim)
            told = self._complaint(victim, 180)
        finally:
            self._flip()
        expect("SHA-256" in told, "not named: %s" % told)
        self.clock.append(("a damaged image", told))
        self.rack.kill(victim)
        self.note("repair after a damaged image", self.rack.play("lab_up"))
        self._reachable()

    def _complaint(self, victim: str, limit: float) -> str:
        """What the timeline says of a node that does not come up."""
        end = time.monotonic() + limit
        line = ""
        while time.monotonic() < end and "SHA-256" not in line:
            lines = self.rack.play("status").output.splitlines()
            line = next((found for found in reversed(lines) if found.startswith(victim + ":")), "")
        return line

    def mirror(self) -> None:
        """The page "Run a mirror", word for word: from rpmbuild to dnf; then a run that changes nothing."""
        begun = time.monotonic()
        told = self.rack.type_page(ROOT / "docs" / "howto-mirror.md")
        self.clock.append(("a mirror, from its page", "%.0f s" % (time.monotonic() - begun)))
        expect(told.count("\nhello\n") >= 1, "the package was not installed")
        expect("xtreemos.2.1.x86_64.list: 1 mirrors" in told, "the timer's program made no list")
        again = self.rack.play("mirror")
        self.note("second run of the mirror", again)
        expect(not again.changed(), "a second run changed %s" % again.changed())

    def running(self) -> None:
        """A file and, where the kernel has one, a loop device of running nodes get an image through the chain."""
        self.rack.ask("head", "sh", "-c", "test -s %s || head -c %d /dev/urandom > %s" % (PUSHED, SIZE, PUSHED))
        digest = self.rack.ask("head", "sha256sum", PUSHED).split()[0]
        disk = (
            "truncate -s %d /run/e2e-disk; losetup /dev/loop7 2>/dev/null || losetup /dev/loop7 /run/e2e-disk; " % SIZE
        )
        made = [
            self.rack.ask(name, "sh", "-c", disk + "test -b /dev/loop7 && echo disk || echo none")
            for name in self.rack.names
        ]
        for target in ("/run/e2e-pushed", *(["/dev/loop7"] if all(word.endswith("disk") for word in made) else [])):
            extra = ("-e", "push_image=%s push_target=%s" % (PUSHED, target))
            self.note("push to running nodes: %s" % target, self.rack.play("push", *extra))
            found = {name: self.rack.ask(name, "sha256sum", target).split()[0] for name in self.rack.names}
            expect(set(found.values()) == {digest}, "%s is not what was sent: %s" % (target, found))
            again = self.rack.play("push", *extra)
            expect(not again.changed(), "a second push to %s changed %s" % (target, again.changed()))

    def tutorial(self) -> None:
        """The tutorial, word for word; it takes the rack down in the end."""
        expect(len(self.rack.names) == 3, "the tutorial is about three nodes")
        begun = time.monotonic()
        try:
            told = self.rack.type_page(ROOT / "docs" / "tutorial.md")
        finally:
            (ROOT / "inventories" / "lab" / "host_vars" / "node32.yml").unlink(missing_ok=True)
        self.clock.append(("the tutorial, typed", "%.0f s" % (time.monotonic() - begun)))
        for words in ("loglevel=7", "<node31> [rank:1]: ", "overlay", "rootfs.sqfs"):
            expect(words in told, "nothing printed %r" % words)
        expect(not self.rack.leftovers(), "left behind: %s" % ", ".join(self.rack.leftovers()))

    def down(self) -> None:
        """lab_down leaves no process, file or mount, and twice is no error."""
        self.note("down", self.rack.play("lab_down"))
        left = self.rack.leftovers()
        expect(not left, "left behind: %s" % ", ".join(left))
        expect(not self.rack.play("lab_down").changed(), "a second lab_down changed something")
        expect(not self.rack.leftovers(), "a second lab_down left something")

    def _reachable(self) -> None:
        found = self.rack.call("nodes", "ansible.builtin.ping")
        missing = [name for name in self.rack.names if "%s | SUCCESS" % name not in found]
        expect(not missing, "Ansible does not reach %s" % missing)

    def _cluster(self) -> None:
        found = self.rack.ask("head", "srun", "-N%d" % len(self.rack.names), "hostname").split()
        expect(sorted(found) == self.rack.names, "srun ran on %s" % found)

    def _boot_ids(self) -> dict[str, str]:
        return {name: self.rack.ask(name, "cat", "/proc/sys/kernel/random/boot_id") for name in self.rack.names}

    def _boot_files(self) -> dict[str, str]:
        folders = ("/srv/xtreemos/tftp", "/srv/xtreemos/http", "/etc/dhcp", "/etc/nginx", "/etc/default")
        found = self.rack.ask("head", "find", *folders, "-type", "f", "-exec", "sha256sum", "{}", "+")
        return {path: digest for digest, path in re.findall(r"^([0-9a-f]{64})  (.*)$", found, re.MULTILINE)}

    def _daemon(self) -> str:
        return self.rack.ask("head", "systemctl", "show", "--property=MainPID,NRestarts", "isc-dhcp-server")

    def _flip(self) -> None:
        self.rack.ask("head", "python3", "-c", _DAMAGE % (5000000, 5000000))


Step = t.Callable[[], None]
# Only when they are asked for: they take long on an emulated machine.
XEN = tuple("xen-" + name for name in NAMES_OF_STEPS)
ON_REQUEST = ("running", "mirror", "tutorial", *XEN)
# One word for several steps.
FAMILIES = {"xen": XEN}


def steps(story: Story, chosen_xen: bool = False) -> dict[str, Step]:
    """Every step by its name, in order; those on Xen give the rack a dom0."""
    names = ("up", "again", "mend", "one", "edit", "push", "damage", "running", "mirror", "tutorial", "down")
    xen = XenSteps(story.rack, story.clock) if chosen_xen else None
    more = {"xen-" + name: getattr(xen, name) for name in NAMES_OF_STEPS} if xen else {}
    return {**{name: getattr(story, name) for name in names}, **more}
