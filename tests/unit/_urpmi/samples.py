# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options, a server on the loopback and a stand-in for urpmi's commands, for the tests of _urpmi.

The stand-in does what urpmi 8.102 was seen to do: exit codes, texts, and that it forgets a file with a mistake.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import http.server
import threading
import typing as t
from pathlib import Path

from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import MemoryHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.urpmicfg import (
    Options,
    UrpmiCfg,
    new_block,
    parse_urpmicfg,
    render_urpmicfg,
)
from ansible_collections.xtreemos.cluster.plugins.modules.urpmi_media import ARGUMENTS, MEDIUM

CFG = "/etc/urpmi/urpmi.cfg"
Answer = t.Tuple[int, str, str]


def entry(**options: t.Any) -> dict[str, t.Any]:
    """One item of ``media`` with its defaults."""
    return {**{key: spec.get("default") for key, spec in MEDIUM.items()}, **options}


def params(*media: dict[str, t.Any], **options: t.Any) -> dict[str, t.Any]:
    """The options of the module with their defaults."""
    defaults = {key: spec.get("default") for key, spec in ARGUMENTS.items()}
    return {**defaults, "timeout": 5, "lock_timeout": 0, **options, "media": [entry(**one) for one in media]}


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Files of a folder; below ``/secret`` only for u with the password geheim."""

    def do_GET(self) -> None:
        wanted = "Basic " + base64.b64encode(b"u:geheim").decode()
        if self.path.startswith("/secret") and self.headers.get("Authorization") != wanted:
            self.send_error(401)
        elif self.path.startswith("/broken"):
            self.send_error(503)
        else:
            super().do_GET()

    def log_message(self, *_args: t.Any, **_more: t.Any) -> None:
        pass


@contextlib.contextmanager
def serve(folder: Path) -> t.Iterator[str]:
    """The URL of a folder."""
    handler = functools.partial(_Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield "http://127.0.0.1:%d" % server.server_port
        server.shutdown()
        thread.join()


class FakeUrpmi(MemoryHost):
    """A system with urpmi.addmedia and urpmi.removemedia. ``reachable`` are the URLs that hold a medium."""

    def __init__(self, text: str = "", reachable: t.Iterable[str] = (), said: Answer | None = None) -> None:
        super().__init__({CFG: text.encode()} if text else {})
        self.reachable = set(reachable)
        self.said = said
        self.script = {"urpmi.addmedia": self.addmedia, "urpmi.removemedia": self.removemedia, "rpm": (0, "", "")}

    def _cfg(self) -> UrpmiCfg:
        """A file with a mistake is empty to urpmi."""
        try:
            return parse_urpmicfg(self.files.get(CFG, b"").decode())
        except ClusterError:
            return UrpmiCfg()

    def _write(self, cfg: UrpmiCfg) -> None:
        """The whole file anew: comments and unknown lines are lost."""
        blocks = [new_block("", "", cfg.options)]
        blocks += [new_block(b.name, b.url, b.options) for b in cfg.media.values()]
        parts = ["\n".join(block.lines) + "\n" for block in blocks]
        assert render_urpmicfg(cfg) is not None
        self.files[CFG] = "\n".join(parts).encode()

    def addmedia(self, argv: list[str]) -> Answer:
        if self.said is not None:
            return self.said
        options: Options = {}
        words = iter(argv[1:])
        plain: list[str] = []
        for word in words:
            if word in ("--update", "--virtual", "--raw"):
                options["ignore" if word == "--raw" else word[2:]] = None
            elif word in ("--xml-info", "--mirrorlist"):
                options[word[2:]] = next(words)
            elif word != "--nopubkey":
                plain.append(word)
        return self._added(options, *plain)

    def _added(self, options: Options, name: str, url: str) -> Answer:
        cfg = self._cfg()
        if "/" in name:
            return 1, "usage: urpmi.addmedia [options] <name> <url>\n", ""
        if name in cfg.media:
            return 5, "", 'medium "%s" already exists\n' % name
        if "mirrorlist" in options:
            options["with-dir"], url = url, ""
        elif url not in self.reachable and "ignore" not in options:
            told = "...retrieving failed: curl failed: exited with 22\n" if "://" in url else ""
            return 1, 'adding medium "%s"\n' % name, told + 'no metadata found for medium "%s"\n' % name
        self._write(UrpmiCfg((*cfg.blocks, new_block(name, url, options))))
        return 0, 'adding medium "%s"\n' % name, ""

    def removemedia(self, argv: list[str]) -> Answer:
        if self.said is not None:
            return self.said
        cfg = self._cfg()
        gone = [name for name in argv[1:] if name in cfg.media]
        told = "".join('trying to select nonexistent medium "%s"\n' % name for name in argv[1:] if name not in gone)
        self._write(UrpmiCfg(tuple(block for block in cfg.blocks if block.name not in gone)))
        # One that is there is enough for success.
        return (0 if gone else 1), "".join('removing medium "%s"\n' % name for name in gone), told
