# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""urpmi's own commands, judged by what they leave behind. This module util is private to the collection.

They end with 0 after many failures, so urpmi.cfg tells whether a medium was added. Passwords never go to a command.
"""

from __future__ import annotations

import re
import typing as t

from .._host.errors import ClusterError
from .._host.host import Completed, Host
from .._media.urpmicfg import Block, UrpmiCfg
from .plan import Params, Plan, read_cfg

PROGRAMS = ("urpmi.addmedia", "urpmi.removemedia")
# What the commands say, and what helps; all texts are of urpmi 8.102.
_SAID = (
    (r"urpmi database is locked", "another urpmi is running", "wait for it to end, then run again"),
    (r"Only superuser", "only root may do that", "use become"),
    (r"already exists", "urpmi has a medium of that name", "run again; another run was at work"),
    (r"md5sum mismatch", "the synthesis does not fit its MD5SUM", "publish the medium again with the module hdlist"),
    (r"no metadata found", "the URL holds no medium", "check the URL; media_info/MD5SUM has to be there"),
    (r"invalid hdlist file", "the synthesis is damaged", "publish the medium again with the module hdlist"),
    (r"problem reading synthesis", "the synthesis is damaged", "publish the medium again with the module hdlist"),
    (r"unable to access medium", "the folder is not there", "check the path"),
    (r"no \*\.rpm found", "the folder holds no packages", "check the path"),
    (r"unable to import pubkey", "its pubkey is garbage", "publish the key again: gpg --armor --export"),
    (r"mirror list not found|Could not find a mirror", "no mirror can be found", "give url in place of mirrorlist"),
    (r"nonexistent medium", "urpmi has no such medium", "run again; another run was at work"),
    (r"retrieving failed", "the server cannot be reached", "check the server, or `proxy`"),
    (r"bad <url>", "urpmi does not take the URL", "give an absolute path or a URL"),
)


def _losses(cfg: UrpmiCfg) -> bool:
    """Whether the file has lines that urpmi drops when it writes."""
    rows = any(not row.key or row.key in ("no-recommends", "no-suggests") for b in cfg.blocks for row in b.rows)
    return rows or any(line.strip() for block in cfg.blocks for line in block.before) or any(map(str.strip, cfg.after))


def uses_commands(params: Params, cfg: UrpmiCfg, host: Host) -> bool:
    """Whether the commands do it: when asked, or by ``auto`` where they are there and lose nothing."""
    if params["manage"] == "config":
        return False
    missing = [name for name in PROGRAMS if host.which(name) is None]
    here = params["root"] == "/"
    if params["manage"] == "auto":
        return not missing and here and not _losses(cfg)
    if missing:
        raise ClusterError("%s is not installed" % missing[0], "install urpmi, or use manage: config")
    if not here:
        raise ClusterError("manage: urpmi works on / only", "use manage: config for another root")
    if _losses(cfg):
        raise ClusterError("%s has comments or lines that urpmi would drop" % cfg.name, "use manage: config")
    return True


def _add(block: Block) -> list[str]:
    options = block.options
    argv = ["urpmi.addmedia"]
    argv += ["--update"] if "update" in options else []
    argv += ["--raw"] if "ignore" in options else []
    argv += ["--virtual"] if "virtual" in options else []
    argv += ["--xml-info", str(options["xml-info"])] if "xml-info" in options else []
    # Keys come from the user, never from the server of the packages.
    argv.append("--nopubkey")
    if "mirrorlist" in options:
        return [*argv, "--mirrorlist", str(options["mirrorlist"]), block.name, str(options.get("with-dir") or "")]
    below = options.get("with-dir")
    return [*argv, block.name, block.url + ("/" + below if below else "")]


def _by_command(plan: Plan) -> list[str]:
    """Media that urpmi adds: of a new one it knows no password, as it uses netrc only for those in urpmi.cfg."""
    secret = {one.name for one in plan.wanted if one.login is not None}
    return [name for name in plan.added if name not in secret]


def commands_of(plan: Plan) -> list[list[str]]:
    """What adds and removes media. One medium each, as several at once hide a failure."""
    gone = [["urpmi.removemedia", name] for name in plan.removed]
    return gone + [_add(plan.new.media[name]) for name in _by_command(plan)]


def explain(done: Completed, name: str) -> ClusterError:
    """The error of a command in our words, with its own last line where it is not known."""
    text = done.stderr + done.stdout
    for pattern, message, hint in _SAID:
        if re.search(pattern, text):
            return ClusterError("medium %r: %s failed: %s" % (name, done.argv[0], message), hint)
    last = ([line for line in text.splitlines() if line.strip()] or ["it said nothing"])[-1]
    return ClusterError("medium %r: %s failed (exit code %d): %s" % (name, done.argv[0], done.rc, last.strip()))


def run_commands(commands: t.Iterable[t.Sequence[str]], plan: Plan, params: Params, host: Host) -> None:
    """Run them; ClusterError for the first that did not reach what it was called for, whatever its exit code."""
    names = [*plan.removed, *_by_command(plan)]
    for argv, name in zip(commands, names):
        done = host.run(argv, changes=True, check=False)
        there = name in read_cfg(params, host).media
        if there != (name in plan.new.media):
            raise explain(done, name)
