# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real guests on a real hypervisor: every state and every option of xen_domain, as told before and as done."""

from __future__ import annotations

import json
import select
import subprocess
import tarfile
import tempfile
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible import module_utils

from .rack import ROOT, Rack, expect

Options = t.Dict[str, t.Any]
HERE = Path(__file__).resolve().parent
WORK, CALLS = "/srv/xen", "/root/xen-calls"
KERNEL, RAMDISK = WORK + "/vmlinuz", WORK + "/initrd.gz"
NAMES = ("pv1", "pvh1")
ADDRESS = "10.0.2.50"
LIMIT = 1200


@dataclass
class Result:
    """What one call of the module said, and how long it took."""

    rc: int
    data: Options
    seconds: float

    def words(self) -> str:
        """The subcommands of xl that were run, each once."""
        return " ".join(dict.fromkeys(argv[1] for argv in self.data["actions"] if argv[0] == "xl")) or "-"

    @property
    def domains(self) -> dict[str, Options]:
        return t.cast("dict[str, Options]", self.data.get("domains") or {})


def _source(item: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in item.name else item


class Dom0:
    """The dom0 of a rack: xl, and the module. One process in dom0 answers until this one ends; see xen_calls.py."""

    def __init__(self, rack: Rack, clock: list[tuple[str, str]]) -> None:
        self.rack, self.clock = rack, clock
        self._process: subprocess.Popen[str] | None = None

    def _ssh(self, words: str) -> list[str]:
        return ["ssh", "-F", str(self.rack.state / "ssh_config"), "-o", "ConnectTimeout=60", "dom0", words]

    def carry(self) -> None:
        """The collection and the part of Ansible that travels with modules go to dom0."""
        own = "ansible_collections/xtreemos/cluster/"
        files = {
            "ansible/module_utils": Path(module_utils.__file__ or "").parent,
            "xen_calls.py": HERE / "xen_calls.py",
        }
        files.update({own + name: ROOT / name for name in ("plugins/module_utils", "plugins/modules")})
        self.send(CALLS, files)

    def send(self, folder: str, files: t.Mapping[str, Path]) -> None:
        """Files and folders of this machine, by their names in ``folder`` of dom0."""
        with tempfile.TemporaryFile() as packed:
            with tarfile.open(fileobj=packed, mode="w") as tar:
                for name, path in files.items():
                    tar.add(path, name, filter=_source)
                # Empty, as in what Ansible itself sends.
                tar.addfile(tarfile.TarInfo("ansible/__init__.py"))
            packed.seek(0)
            words = "mkdir -p %s && tar -x -C %s" % (folder, folder)
            subprocess.run(self._ssh(words), stdin=packed, check=True, timeout=LIMIT)

    def _answers(self) -> subprocess.Popen[str]:
        if self._process is None:
            self.carry()
            words = "cd %s && PYTHONPATH=. exec python3 -u xen_calls.py" % CALLS
            self._process = subprocess.Popen(
                self._ssh(words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
            )
        return self._process

    def _ask(self, **asked: t.Any) -> Options:
        process = self._answers()
        line = json.dumps(asked)
        print(line, file=process.stdin, flush=True)
        stream = t.cast("t.TextIO", process.stdout)
        answer = stream.readline() if select.select([stream], [], [], LIMIT)[0] else ""
        with open(self.rack.log, "a", encoding="utf-8") as log:
            log.write("> %s\n%s\n" % (line, answer))
        expect(answer, "dom0 does not answer any more")
        return t.cast("Options", json.loads(answer))

    def shell(self, words: str) -> str:
        """Output of a shell script in dom0."""
        found = self._ask(shell=words)
        expect(found["rc"] == 0, "in dom0: %s" % found["output"].strip()[-600:])
        return str(found["output"]).strip()

    def module(self, domains: t.Sequence[Options], check: bool = False, **more: t.Any) -> Result:
        """One call of the module."""
        found = self._ask(options={"domains": list(domains), **more}, check=check)
        return Result(found["rc"], found["data"], found["seconds"])

    def listed(self) -> dict[str, tuple[int, str]]:
        """Domain id and state of every guest."""
        rows = [line.split() for line in self.shell("xl list").splitlines()[1:]]
        return {row[0]: (int(row[1]), row[4]) for row in rows if row[0] != "Domain-0"}

    def live(self, name: str) -> Options:
        """The guest's part of ``xl list -l``."""
        return t.cast("Options", json.loads(self.shell("xl list -l %s" % name))[0]["config"])

    def agree(self, what: str, *domains: Options, again: bool = False, **more: t.Any) -> Result:
        """Told in check mode, done, and told once more: the first two are the same, the third has nothing to do."""
        told = self.module(domains, check=True, **more)
        expect(told.rc == 0, "%s, check mode: %s" % (what, told.data.get("msg")))
        done = self.module(domains, **more)
        expect(done.rc == 0, "%s: %s" % (what, done.data.get("msg")))
        for key in ("changed", "domains", "actions"):
            pair = (told.data[key], done.data[key])
            expect(pair[0] == pair[1], "%s: %s told %s, done %s" % (what, key, *pair))
        once = self.module(domains, check=True, **more)
        expect(once.rc == 0 and once.data["changed"] is again, "%s, once more: %s" % (what, once.data))
        self.clock.append((what, "%.1f s  %s" % (done.seconds, done.words())))
        return done

    def refuse(self, what: str, message: str, *domains: Options, **more: t.Any) -> None:
        """The call fails with that message and changes no guest. Check mode is the unit tests' to compare."""
        before = self.listed()
        found = self.module(domains, **more)
        told = str(found.data.get("msg"))
        expect(found.rc != 0 and message in told, "%s is not refused: %s" % (what, told[:300]))
        expect(found.data.get("hint"), "%s: no hint" % what)
        expect(self.listed() == before, "%s changed guests" % what)


def guest(name: str, **more: t.Any) -> Options:
    """A tiny guest from the kernel and the initrd that ``make_image`` made."""
    node = NAMES.index(name) + 1 if name in NAMES else 9
    return {
        "name": name, "type": "pv" if name.startswith("pv1") else "pvh", "kernel": KERNEL, "ramdisk": RAMDISK,
        "memory": 96, "cmdline": "console=hvc0 quiet node_id=%d" % node,
        # Without it an emulated processor kills a PVH guest.
        "options": {} if name.startswith("pv1") else {"tsc_mode": "native"}, **more,
    }  # fmt: skip


def both(**more: t.Any) -> list[Options]:
    return [guest(name, **more) for name in NAMES]


def state(word: str, **more: t.Any) -> list[Options]:
    return [{"name": name, "state": word, **more} for name in NAMES]


class XenSteps:
    """The steps; each leaves no guest behind."""

    def __init__(self, rack: Rack, clock: list[tuple[str, str]]) -> None:
        self.dom0 = Dom0(rack, clock)
        self.rack = rack
        rack.env["LAB_DOM0"] = "true"

    def up(self) -> None:
        """A bare Debian machine boots into Xen; a second run changes nothing."""
        played = self.rack.play("lab_xen")
        self.dom0.clock.append(("dom0 from nothing", "%.0f s" % played.seconds))
        again = self.rack.play("lab_xen")
        expect(not again.changed(), "a second run changed %s" % again.changed())

    def image(self) -> None:
        """A kernel and an initrd for guests."""
        begun = time.monotonic()
        folder = self.rack.state / "xen-image"
        rc, output = self.rack.run(["sh", str(HERE / "xen_image.sh"), str(folder), ADDRESS], LIMIT)
        expect(rc == 0, "xen_image.sh: %s" % output[-600:])
        self.dom0.send(WORK, {path.name: path for path in sorted(folder.iterdir())})
        self.dom0.clock.append(("an image of guests", "%.0f s" % (time.monotonic() - begun)))
        info = self.dom0.shell("xl info | grep -E '^(xen_version|release|nr_cpus|total_memory|free_memory)'; uname -r")
        self.dom0.clock.append(("hypervisor", " ".join(info.split())))

    def clean(self) -> None:
        """No guest and no file of one."""
        left = self.dom0.module([{"name": "*", "state": "stopped", "force": True}])
        expect(left.rc == 0, "clean: %s" % left.data.get("msg"))
        self.dom0.shell("rm -f /etc/xen/*.cfg /etc/xen/auto/* /var/lib/xen/save/* %s/*.img*" % WORK)

    def states(self) -> None:
        """PV and PVH guests through every state."""
        self.clean()
        dom0 = self.dom0
        dom0.agree("present", *both(state="present", autostart=True))
        expect(not dom0.listed(), "present started something")
        expect(dom0.shell("readlink /etc/xen/auto/pv1.cfg") == "/etc/xen/pv1.cfg", "no link")
        dom0.agree("running", *both(autostart=False), wait="up")
        first = dom0.listed()
        expect(set(first) == set(NAMES), "running: %s" % first)
        dom0.agree("paused", *state("paused"))
        expect(all(flags[2] == "p" for _id, flags in dom0.listed().values()), "not paused")
        dom0.agree("resumed from pause", *state("resumed"))
        dom0.agree("saved", *state("saved"))
        expect(not dom0.listed(), "saved guests run")
        dom0.agree("restored", *state("restored"))
        expect(set(dom0.listed()) == set(NAMES), "not restored")
        before = dom0.listed()
        dom0.agree("rebooted", *state("rebooted"), again=True)
        after = dom0.listed()
        expect(all(after[name][0] != before[name][0] for name in NAMES), "not booted again: %s" % after)
        dom0.agree("reset", *state("reset"), again=True)
        expect(all(after[name][0] != dom0.listed()[name][0] for name in NAMES), "not reset")
        self.wait_up()
        dom0.agree("stopped", *state("stopped", timeout=60))
        expect(not dom0.listed(), "not stopped")
        dom0.agree("paused from off", *state("paused"))
        dom0.agree("stopped from pause", *state("stopped", force=True))
        dom0.agree("absent", *state("absent"))
        expect(dom0.shell("ls /etc/xen/*.cfg 2>/dev/null || true") == "", "files are left")

    def wait_up(self) -> None:
        """Until the guests' drivers take part in a shutdown."""
        found = self.dom0.module(both(), wait="up")
        expect(found.rc == 0, "wait: %s" % found.data.get("msg"))
        # PV and PVH guests without devices tell nothing else: their own line on the console is the sign.
        look = "timeout -s INT 2 xl console %s </dev/null 2>&1 | grep -q READY && exit 0"
        words = "for i in $(seq 60); do " + look + "; done; exit 1"
        for name in NAMES:
            self.dom0.shell(words % name)

    def hot(self) -> None:
        """Every option changed on guests that run: at once, or named as waiting for a restart."""
        self.clean()
        dom0 = self.dom0
        base: Options = {"maxmem": 160, "maxvcpus": 2, "vcpus": 1, "vifs": [{"bridge": "xenbr0"}]}
        dom0.agree("made", *both(**base), wait="up")
        self.wait_up()
        domids = dom0.listed()
        disk = {"target": WORK + "/%s.img", "vdev": "xvdb", "size": "16M", "filesystem": "ext4"}

        def disks(name: str) -> list[Options]:
            return [{**disk, "target": disk["target"] % name}]

        changes: list[tuple[str, Options, list[str]]] = [
            ("memory down", {"memory": 80}, []), ("memory up", {"memory": 128}, []), ("vcpus up", {"vcpus": 2}, []),
            ("vcpus down", {"vcpus": 1}, []), ("card added", {"vifs": [*base["vifs"], {"bridge": "xenbr0"}]}, []),
            ("card removed", {}, []), ("metadata", {"metadata": {"DIST": "Debian"}}, []),
            ("memory over the most", {"memory": 192, "maxmem": 192}, ["maxmem", "memory"]),
            ("vcpus over the most", {"vcpus": 3, "maxvcpus": 3}, ["maxvcpus", "vcpus"]),
            ("cmdline", {"cmdline": "console=hvc0"}, ["cmdline"]), ("kernel", {"kernel": KERNEL + "2"}, ["kernel"]),
            ("ramdisk", {"ramdisk": RAMDISK + "2"}, ["ramdisk"]), ("on_crash", {"on_crash": "restart"}, ["on_crash"]),
            ("on_poweroff", {"on_poweroff": "restart"}, ["on_poweroff"]),
            ("on_reboot", {"on_reboot": "destroy"}, ["on_reboot"]),
        ]  # fmt: skip
        for what, change, restart in changes:
            found = dom0.agree(what, *both(**{**base, **change}))
            told = [found.domains[name]["needs_restart"] for name in NAMES]
            expect(told == [restart, restart], "%s: needs_restart is %s" % (what, told))
        dom0.agree("as it was", *both(**base))
        dom0.agree("disk added", *(guest(name, **base, disks=disks(name)) for name in NAMES))
        expect([row["vdev"] for row in dom0.live("pv1")["disks"]] == ["xvdb"], "no disk")
        dom0.agree("disk removed", *both(**base))
        expect(dom0.shell("ls %s/pv1.img" % WORK), "the disk's file is gone")
        expect(
            dom0.listed().keys() == domids.keys() and all(dom0.listed()[n][0] == domids[n][0] for n in NAMES),
            "restarted",
        )
        found = dom0.agree(
            "restart on change", *both(**{**base, "cmdline": "console=hvc0"}), restart="on_change", wait="up"
        )
        expect(found.domains["pvh1"]["restarted_for"] == ["cmdline"], "restarted_for: %s" % found.domains["pvh1"])
        expect(all(dom0.listed()[n][0] != domids[n][0] for n in NAMES), "not restarted")
        self.clean()

    def disks(self) -> None:
        """Disks from an image and empty ones, made once; a second look never touches them."""
        self.clean()
        dom0 = self.dom0
        dom0.shell("cd %s && truncate -s 16M base.img && mkfs.ext4 -q base.img" % WORK)
        one: Options = {"disks": [{"target": WORK + "/g.img", "image": WORK + "/base.img", "size": "24M"}]}
        dom0.agree("disk from an image", guest("pvh1", **one), wait="up")
        expect(dom0.shell("stat -c %%s %s/g.img" % WORK) == str(24 << 20), "size")
        dom0.shell("xl destroy pvh1; echo mine > %s/g.img" % WORK)
        found = dom0.module([guest("pvh1", **one)])
        expect(found.rc == 0 and dom0.shell("cat %s/g.img" % WORK) == "mine", "a disk was overwritten")
        self.clean()

    def ssh(self) -> None:
        """A guest with a card is waited for until its SSH answers."""
        self.clean()
        entry = guest("pvh1", vifs=[{"bridge": "xenbr0"}], metadata={"IP0": ADDRESS}, memory=128)
        found = self.dom0.agree("wait for SSH", entry, wait="ssh")
        expect(found.domains["pvh1"]["macs"], "no MAC")
        for address in ("t:" + ADDRESS, "m:" + found.domains["pvh1"]["macs"][0], "u:" + found.domains["pvh1"]["uuid"]):
            told = self.dom0.module([{"address": address, "state": "stopped"}], check=True)
            expect(told.data.get("actions") == [["xl", "shutdown", "pvh1"]], "%s: %s" % (address, told.data))
        self.dom0.agree("stopped by its address", {"address": "t:" + ADDRESS, "state": "stopped"})
        self.clean()

    def errors(self) -> None:
        """What is refused, on the real xl; Domain-0 above all."""
        self.clean()
        dom0 = self.dom0
        expect(dom0.module([guest("pv1")]).rc == 0, "no guest")
        for word in ("stopped", "absent", "paused", "saved", "rebooted", "reset"):
            dom0.refuse("%s of Domain-0" % word, "is the host itself", {"name": "Domain-0", "state": word})
        dom0.refuse("stop by number", "is the host itself", {"name": "0", "state": "stopped"})
        dom0.refuse("a name that is unknown", "neither runs nor has a file", {"name": "x", "state": "stopped"})
        dom0.refuse("a kernel", "there is no kernel /none", guest("pvh1", kernel="/none"))
        dom0.refuse("a bridge", "there is no bridge br9", guest("pvh1", vifs=[{"bridge": "br9"}]))
        dom0.refuse("a disk", "there is no disk /none", guest("pvh1", disks=[{"target": "/none"}]))
        dom0.refuse("memory", "too little memory", guest("pvh1", memory=64000))
        dom0.refuse("another UUID", "with the UUID", guest("pv1", uuid="11111111222233334444555555555555"))
        dom0.refuse("no target", "does not answer", {"name": "pv1", "state": "migrated", "target": "192.0.2.1"})
        dom0.shell("printf 'name=\"bad\"\\nmemory=\\n' > /etc/xen/bad.cfg")
        dom0.refuse("a bad file", "/etc/xen/bad.cfg, line 2", {"name": "bad"})
        dom0.shell("cp /etc/xen/pv1.cfg /etc/xen/copy.cfg")
        dom0.refuse("two files", "fits 2 guests", {"address": "l:pv1", "state": "stopped"})
        expect(dom0.module([{"name": "pv1", "state": "saved"}]).rc == 0, "not saved")
        dom0.shell("cp /var/lib/xen/save/pv1.save /var/lib/xen/save/pvh1.save")
        dom0.refuse("another's memory", "holds the guest pv1", {"name": "pvh1", "state": "restored"})
        self.clean()

    def playbook(self) -> None:
        """guests.yml from the inventory's variables; a second run changes nothing; all are stopped by one word."""
        self.clean()
        extra = ("-e", json.dumps({"xen_guests": both(), "xen_guests_wait": "up"}))
        played = self.rack.play("guests", *extra)
        self.dom0.clock.append(("guests.yml, two guests", "%.0f s" % played.seconds))
        again = self.rack.play("guests", *extra)
        expect(not again.changed(), "a second run changed %s" % again.changed())
        self.rack.play("guests", *extra, "-e", "xen_guests_state=stopped")
        expect(not self.dom0.listed(), "guests are left")
        self.clean()

    def times(self) -> None:
        """Seconds of plain xl create and of the module, for guests from one image."""
        self.clean()
        dom0, names = self.dom0, ["t%d" % number for number in range(6)]
        entries = [
            {
                **guest(name, memory=64 + 32),
                "disks": [{"target": "%s/%s.img" % (WORK, name), "image": WORK + "/base.img"}],
            }
            for name in names
        ]
        dom0.shell("cd %s && truncate -s 16M base.img && mkfs.ext4 -q base.img" % WORK)
        ours = dom0.module(entries)
        expect(ours.rc == 0, "times: %s" % ours.data.get("msg"))
        check = dom0.module(entries)
        expect(check.data.get("changed") is False, "times, again: %s" % check.data)
        dom0.shell("for n in %s; do xl destroy $n; done" % " ".join(names))
        begun = time.monotonic()
        dom0.shell("for n in %s; do xl create -q /etc/xen/$n.cfg; done" % " ".join(names))
        plain = time.monotonic() - begun
        count = len(names)
        dom0.clock.append(("%d PVH guests, module" % count, "%.1f s each, disks copied" % (ours.seconds / count)))
        dom0.clock.append(("%d PVH guests, xl create" % count, "%.1f s each, disks there" % (plain / count)))
        dom0.clock.append(("state check of %d guests" % count, "%.1f s" % check.seconds))
        self.clean()


NAMES_OF_STEPS = ("up", "image", "states", "hot", "disks", "ssh", "errors", "playbook", "times")
