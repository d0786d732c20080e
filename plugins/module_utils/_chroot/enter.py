# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One command in a root tree, in namespaces of its own: ``python3 chroot-enter.py [options] ROOT -- COMMAND``.

Mounts live in a private mount namespace and processes in a private process namespace, so the kernel undoes the mounts
when the last process ends, however it ends; the host's table of mounts never shows them. Links of the tree cannot lead
a mount out of it: by the time that paths are looked up, the tree is the root.

Standard library only: this file is copied to hosts and run by itself. The exit code is the command's, 128+N after
signal N, 125 when the tree cannot be entered.
"""

from __future__ import annotations

import argparse
import ctypes
import functools
import os
import select
import signal
import stat
import sys
import typing as t

_CLONE_NEWNS, _CLONE_NEWPID, _CLONE_NEWIPC = 0x20000, 0x20000000, 0x8000000
_NOSUID, _NODEV, _NOEXEC, _RDONLY = 2, 4, 8, 1
_REMOUNT, _BIND, _REC, _PRIVATE = 32, 4096, 16384, 1 << 18
_DETACH, _PDEATHSIG = 2, 1
# pivot_root(2) has no function in libc; the numbers of its system call by machine.
_PIVOT = {"x86_64": 155, "i686": 217, "aarch64": 41, "riscv64": 41, "ppc64le": 203, "s390x": 217}
_NODES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = {"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"}
_ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "LANG": "C"}
CANNOT = 125

_libc = ctypes.CDLL(None, use_errno=True)
_hold = functools.partial(os.open, flags=os.O_PATH | os.O_CLOEXEC)


class Refused(Exception):
    """The tree cannot be entered; the text says why."""


def _call(what: str, code: int) -> None:
    if code != 0:
        raise Refused("%s: %s" % (what, os.strerror(ctypes.get_errno())))


def _mount(source: str, dest: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    words = [word.encode() or None for word in (source, dest, kind)]
    code = _libc.mount(*words, ctypes.c_ulong(flags), data.encode() or None)
    _call("cannot mount %s" % (dest or source), code)


def _pivot(root: str) -> None:
    """Make ``root`` the root; the old one stays mounted over it for now and becomes the working folder."""
    number = _PIVOT.get(os.uname().machine)
    if number is None:
        raise Refused("unknown machine %s" % os.uname().machine)
    old = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    _mount(root, root, flags=_BIND | _REC)
    os.chdir(root)
    _call("cannot make %s the root" % root, _libc.syscall(ctypes.c_long(number), b".", b"."))
    os.fchdir(old)


def _target(path: str, folder: bool) -> str:
    """Where a mount at ``path`` lands: links followed, and what is missing made."""
    real = os.path.realpath(path)
    if folder:
        os.makedirs(real, exist_ok=True)
    elif not os.path.lexists(real):
        os.makedirs(os.path.dirname(real), exist_ok=True)
        os.close(os.open(real, os.O_CREAT | os.O_WRONLY, 0o644))
    return real


def _bind(held: int, dest: str, read_only: bool = False, deep: int = _REC) -> None:
    real = _target(dest, stat.S_ISDIR(os.fstat(held).st_mode))
    # Relative to the host's root, the working folder: in the tree /proc may be a link, and its "/.." leads there too.
    _mount("proc/self/fd/%d" % held, real, flags=_BIND | deep)
    if read_only:
        _mount("", real, flags=_REMOUNT | _BIND | _RDONLY)


def _devices(held: t.Mapping[str, int]) -> None:
    """A /dev of its own with the harmless nodes only: no disk of the host is in it."""
    dev = _target("/dev", True)
    _mount("tmpfs", dev, "tmpfs", _NOSUID, "mode=0755,size=64k")
    for name in _NODES:
        if name in held:
            _bind(held[name], os.path.join(dev, name))
    for name in ("pts", "shm"):
        os.mkdir(os.path.join(dev, name))
    _mount("devpts", dev + "/pts", "devpts", _NOSUID | _NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5")
    _mount("tmpfs", dev + "/shm", "tmpfs", _NOSUID | _NODEV, "mode=1777")
    for name, target in _LINKS.items():
        os.symlink("/proc/self/fd" + target, os.path.join(dev, name))
    os.symlink("pts/ptmx", dev + "/ptmx")


def _system(devices: t.Mapping[str, int], resolv: int | None, sys_folder: int) -> None:
    _mount("proc", _target("/proc", True), "proc", _NOSUID | _NODEV | _NOEXEC)
    _bind(sys_folder, "/sys", read_only=True, deep=0)
    _devices(devices)
    run = _target("/run", True)
    _mount("tmpfs", run, "tmpfs", _NOSUID | _NODEV, "mode=0755")
    for name in ("lock", "sshd"):
        os.mkdir(os.path.join(run, name))
    if resolv is not None:
        _bind(resolv, "/etc/resolv.conf", read_only=True)


def _pair(word: str) -> tuple[str, str]:
    source, _is, dest = word.partition("=")
    if not source.startswith("/") or not dest.startswith("/"):
        raise Refused("bad bind %r: give SOURCE=DEST, both absolute" % word)
    return source, dest


def arrange(root: str, binds: t.Sequence[tuple[str, str, bool]]) -> None:
    """Mounts of the private namespace; afterwards ``root`` is the root of this process."""
    _mount("", "/", flags=_REC | _PRIVATE)
    devices = {name: _hold("/dev/" + name) for name in _NODES if os.path.exists("/dev/" + name)}
    resolv = _hold("/etc/resolv.conf") if os.path.isfile("/etc/resolv.conf") else None
    system = _hold("/sys")
    held = [(_hold(source), dest, read_only) for source, dest, read_only in binds]
    _pivot(root)
    _system(devices, resolv, system)
    for each, dest, read_only in held:
        _bind(each, dest, read_only)
    _call("cannot leave the old root", _libc.umount2(b".", _DETACH))
    os.chdir("/")


def _rows(path: str) -> list[list[str]]:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return [line.rstrip("\n").split(":") for line in stream]
    except OSError:
        return []


def become(user: str) -> dict[str, str]:
    """Take on a user of the tree, by its own files (its libraries may be foreign); the user's environment."""
    row = next((row for row in _rows("/etc/passwd") if row[0] == user and len(row) > 6), None)
    if row is None:
        raise Refused("the tree has no user %s" % user)
    groups = [int(line[2]) for line in _rows("/etc/group") if len(line) > 3 and user in line[3].split(",")]
    os.setgroups(sorted({int(row[3]), *groups}))
    os.setgid(int(row[3]))
    os.setuid(int(row[2]))
    return {"HOME": row[5], "USER": user, "LOGNAME": user, "SHELL": row[6] or "/bin/sh"}


def _inside(options: argparse.Namespace, binds: t.Sequence[tuple[str, str, bool]], parent: int) -> int:
    """The first process of the namespaces; when it ends, the kernel ends the others. The command's exit code."""
    _libc.prctl(_PDEATHSIG, signal.SIGKILL)
    if select.select([parent], [], [], 0)[0]:
        raise Refused("the caller has ended")
    arrange(os.path.realpath(options.root), binds)
    child = os.fork()
    if child == 0:
        _guarded(lambda: _execute(options))
    return _reap(child)


def _execute(options: argparse.Namespace) -> t.NoReturn:
    env = dict(_ENV, HOME="/root", USER="root", **({"TERM": os.environ["TERM"]} if "TERM" in os.environ else {}))
    env.update(become(options.user) if options.user else {})
    env.update((name, value) for name, _is, value in (word.partition("=") for word in options.env))
    if options.cwd:
        os.chdir(options.cwd)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execvpe(options.command[0], options.command, env)
    except OSError as error:
        sys.stderr.write("%s: %s\n" % (options.command[0], error.strerror))
    os._exit(127)


def _reap(child: int) -> int:
    """Collect every orphan until the command ends; ask the command to end when asked."""

    def pass_on(number: int, _frame: t.Any) -> None:
        os.kill(child, number)

    signal.signal(signal.SIGTERM, pass_on)
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def _parse(argv: t.Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chroot-enter", description=(__doc__ or "").splitlines()[0])
    for name in ("--user", "--cwd", "--log"):
        parser.add_argument(name, default="")
    for name in ("--bind", "--bind-ro", "--env"):
        parser.add_argument(name, action="append", default=[])
    parser.add_argument("--with-parent", action="store_true")
    parser.add_argument("root")
    parser.add_argument("command", nargs="+")
    return parser.parse_args(list(argv))


def _guarded(work: t.Callable[[], int]) -> t.NoReturn:
    """The rest of a forked process."""
    code = CANNOT
    try:
        code = work()
    except (Refused, OSError, ValueError) as error:
        sys.stderr.write("chroot-enter: %s\n" % error)
    os._exit(code)


def main(argv: t.Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    options = _parse(sys.argv[1:] if argv is None else argv)
    if options.with_parent:
        _libc.prctl(_PDEATHSIG, signal.SIGKILL)
    try:
        if not os.path.isdir(options.root):
            raise Refused("%s is no directory" % options.root)
        binds = [(*_pair(word), False) for word in options.bind] + [(*_pair(word), True) for word in options.bind_ro]
        if options.log:
            for output in (1, 2):
                os.dup2(os.open(options.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), output)
        _call("cannot make namespaces", _libc.unshare(_CLONE_NEWNS | _CLONE_NEWPID | _CLONE_NEWIPC))
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(writer)
            _guarded(lambda: _inside(options, binds, reader))
        return _reap(child)
    except (Refused, OSError) as error:
        sys.stderr.write("chroot-enter: %s\n" % error)
        return CANNOT


if __name__ == "__main__":
    raise SystemExit(main())
