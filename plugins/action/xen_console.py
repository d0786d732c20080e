# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's part of xen_console: windows. What it finds on dom0 comes from the module of the same name."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.console import (
    PACKAGES,
    Wanted,
    Way,
    become_words,
    commands,
    local_program,
    shown,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.vnc import Vnc

# In the environment of every window and tunnel, so that they are found again without a file that may be stale.
MARK = "XTREEMOS_CONSOLE"
# A tunnel may outlive its window for a while, so it does not count as one.
TUNNEL = "/tunnel"
# Seconds that a window that cannot work takes to end.
EARLY = 2.0
TUNNEL_LIMIT = 30.0


def marked(mark: str, proc: str = "/proc") -> list[int]:
    """Process ids of this user's windows with a mark, sorted; children of a window have its mark too."""
    wanted, user = ("%s=%s" % (MARK, mark)).encode(), os.geteuid()
    found = []
    for name in filter(str.isdigit, os.listdir(proc)):
        try:
            with open(os.path.join(proc, name, "environ"), "rb") as stream:
                if os.fstat(stream.fileno()).st_uid == user and wanted in stream.read().split(b"\0"):
                    found.append(int(name))
        except OSError:
            continue
    return sorted(found)


def obstacle(
    wanted: Wanted, way: Way, display: str, exists: t.Callable[[str], t.Any] = shutil.which
) -> ClusterError | None:
    """Why no window can be opened here, None when one can."""
    if wanted.kind == "cli":
        return ClusterError("type cli is your own terminal", "type the command there")
    if not display:
        return ClusterError("the controller has no X display", "set DISPLAY or the option display, or use type cli")
    program = local_program(wanted, way)
    if program and not exists(program):
        name = PACKAGES.get(program, program)
        return ClusterError("%s is not installed on the controller" % program, "install %s, or set program" % name)
    return None


def free_port(wanted: int) -> int:
    """``wanted`` on loopback when it is free, else any free one."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ClusterError("no port of the loopback interface is free")


def spawn(argv: t.Sequence[str], env: t.Mapping[str, str], errors: t.IO[bytes]) -> subprocess.Popen[bytes]:
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        list(argv), env=dict(env), stdin=quiet, stdout=quiet, stderr=errors, cwd="/", start_new_session=True
    )


def _listens(port: int) -> bool:
    with open("/proc/net/tcp", encoding="ascii") as stream:
        rows = [line.split() for line in stream]
    return any(row[1].endswith(":%04X" % port) and row[3] == "0A" for row in rows[1:])


def wait(
    process: subprocess.Popen[bytes], what: str, seconds: float, ready: t.Callable[[], bool] | None, errors: t.IO[bytes]
) -> None:
    """Until ``ready``, or without it for ``seconds``; ClusterError with what the program wrote when it ends before."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if ready is not None and ready():
            return
        if process.poll() is not None:
            errors.seek(0)
            lines = errors.read().decode("utf-8", "replace").strip().splitlines()
            raise ClusterError("%s ended at once: %s" % (what, " | ".join(lines[-3:]) or "it said nothing"))
        time.sleep(0.05)
    if ready is not None:
        process.terminate()
        raise ClusterError("%s was not there within %d s" % (what, seconds), "see whether ssh to dom0 asks a question")


def show(argvs: t.Sequence[t.Sequence[str]], port: int, display: str, mark: str) -> None:
    """Start the tunnel, if there is one, and the window."""
    env = {**os.environ, "DISPLAY": display, MARK: mark}
    beside = {**env, MARK: mark + TUNNEL}
    tunnel: subprocess.Popen[bytes] | None = None
    with tempfile.TemporaryFile() as errors:
        if len(argvs) > 1:
            tunnel = spawn(argvs[0], beside, errors)
            wait(tunnel, "the tunnel to dom0", TUNNEL_LIMIT, lambda: _listens(port), errors)
        try:
            window = spawn(argvs[-1], env, errors)
            wait(window, argvs[-1][0], EARLY, None, errors)
        except (ClusterError, OSError):
            if tunnel:
                tunnel.terminate()
            raise


class ActionModule(ActionBase):
    """Finds the guest by the module, opens the window."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_diff = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        found = self._execute_module(module_args=dict(self._task.args), task_vars=task_vars)
        result.update(found)
        if found.get("failed") or found.get("skipped") or "guest" not in found:
            return result
        options = found.get("invocation", {}).get("module_args", {})
        try:
            result.update(self._console(found, options, (task_vars or {}).get("inventory_hostname", "")))
        except (ClusterError, OSError) as error:
            result.update(failed=True, msg=str(error), hint=getattr(error, "hint", ""))
        return result

    def _option(self, name: str) -> t.Any:
        try:
            return self._connection.get_option(name)
        except KeyError:
            return None

    def _become(self) -> tuple[str, ...]:
        become = self._connection.become
        if not become or self._option("remote_user") == become.get_option(
            "become_user", playcontext=self._play_context
        ):
            return ()
        user = become.get_option("become_user", playcontext=self._play_context)
        return become_words(str(become.name), str(user or "root"))

    def _way(self) -> Way:
        if self._connection.transport == "local":
            return Way(become=() if os.geteuid() == 0 else self._become())
        words = [shlex.split(str(self._option(name) or "")) for name in ("ssh_common_args", "ssh_extra_args")]
        return Way(
            host=str(self._option("host") or self._play_context.remote_addr),
            user=str(self._option("remote_user") or self._play_context.remote_user or ""),
            port=int(self._option("port") or self._play_context.port or 0),
            key=os.path.expanduser(str(self._option("private_key_file") or "")),
            options=tuple(word for part in words for word in part),
            become=self._become(),
        )

    def _console(self, found: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any], dom0: str) -> dict[str, t.Any]:
        name, kind = str(found["guest"]["name"]), str(options["type"])
        wanted = Wanted(name, kind, options["forward"], "%s on %s" % (name, dom0), options.get("program") or "")
        way, mark = self._way(), "%s/%s/%s" % (dom0, name, kind)
        vnc = Vnc(found["vnc"]["port"], found["vnc"]["listen"]) if found["vnc"] else None
        port = free_port(vnc.port) if vnc else 0
        argvs = commands(wanted, way, vnc, port)
        windows = marked(mark)
        closed = [*windows, *marked(mark + TUNNEL)] if options["connect"] == "reconnect" else []
        told = {"command": shown(argvs), "opened": False, "reason": "", "windows": windows}
        if kind == "none" or options["open"] == "never" or (windows and not closed):
            return {**told, "reason": "" if windows else "not asked for"}
        display = options.get("display") or os.environ.get("DISPLAY", "")
        reason = obstacle(wanted, way, display)
        if reason and options["open"] == "always":
            raise reason
        if reason:
            return {**told, "reason": str(reason)}
        actions = [*found["actions"], *(["kill", str(one)] for one in closed), *argvs]
        if not self._task.check_mode:
            self._close(closed)
            show(argvs, port, display, mark)
        return {
            **told,
            "changed": True,
            "opened": not self._task.check_mode,
            "actions": actions,
            "windows": marked(mark),
        }

    @staticmethod
    def _close(processes: t.Iterable[int]) -> None:
        for one in processes:
            try:
                os.kill(one, signal.SIGTERM)
            except ProcessLookupError:
                continue
