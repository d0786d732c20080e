# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may log in to a root tree, and the sshd that lets them: accounts, keys, settings. Private to the collection.

Format: sshd_config(5), in words that OpenSSH has known since 4.9.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, field

from .._host.errors import ClusterError
from .._host.fileset import FilePlan, apply_files, diff_files, plan_files
from .._host.host import File, Host
from .accounts import Accounts, User, ensure, parse_users
from .packages import enter, inside
from .usage import listener, lives_in

FOLDER = "etc/xtreemos"
CONFIG = FOLDER + "/sshd_config"
HOST_KEY = FOLDER + "/ssh_host_%s_key"
KEYS = FOLDER + "/authorized_keys"
SSHD = "/usr/sbin/sshd"
_HEADER = "# Managed by the module xtreemos.cluster.chroot_access: changes made here are overwritten.\n"


@dataclass(frozen=True)
class Server:
    """Where sshd listens; ``key_type`` of its host key."""

    address: str = "127.0.0.1"
    port: int = 24
    key_type: str = "ed25519"


@dataclass
class AccessPlan:
    """``files`` in the tree; ``homes`` to make (path, uid, gid); ``host_key`` to make, by its path on the host."""

    files: FilePlan = field(default_factory=FilePlan)
    homes: list[tuple[str, int, int]] = field(default_factory=list)
    host_key: str = ""
    uids: dict[str, int] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        return bool(self.files.changed or self.homes or self.host_key)


def render_config(server: Server, users: t.Sequence[User]) -> str:
    """sshd's settings: keys only, for the declared users only."""
    logins = [user.name for user in users if user.login]
    rows = [
        ("Port", server.port),
        ("ListenAddress", server.address),
        ("HostKey", "/" + HOST_KEY % server.key_type),
        ("AuthorizedKeysFile", "/%s/%%u" % KEYS),
        ("PubkeyAuthentication", "yes"),
        ("PasswordAuthentication", "no"),
        ("ChallengeResponseAuthentication", "no"),
        ("PermitRootLogin", "without-password" if "root" in logins else "no"),
        ("AllowUsers", " ".join(logins)),
        ("UsePAM", "no"),
        ("X11Forwarding", "no"),
        ("PidFile", "/run/sshd.pid"),
        ("Subsystem", "sftp internal-sftp"),
    ]
    return _HEADER + "".join("%s %s\n" % row for row in rows)


def _text(root: str, path: str, host: Host) -> str:
    data = host.read(inside(root, path))
    return (data or b"").decode("utf-8", "surrogateescape")


def _accounts(root: str, users: t.Sequence[User], host: Host, found: AccessPlan) -> dict[str, File]:
    """The files of the accounts; notes uids and homes on the way."""
    names = ("etc/passwd", "etc/group", "etc/shadow")
    accounts = Accounts.parse(*(_text(root, name, host) for name in names))
    if not accounts.passwd:
        raise ClusterError("%s has no /etc/passwd" % root, "is it a root tree?")
    for user in users:
        row = ensure(accounts, user)
        found.uids[user.name] = int(row[2])
        home = inside(root, row[5])
        if not os.path.isdir(home):
            found.homes.append((home, int(row[2]), int(row[3])))
    texts = (text.encode("utf-8", "surrogateescape") for text in accounts.render())
    return {inside(root, name): File(text, mode) for name, text, mode in zip(names, texts, (0o644, 0o644, 0o640))}


def plan_access(root: str, server: Server | None, users: t.Sequence[User], host: Host) -> AccessPlan:
    """Compare the tree with what is wanted; without a server only the accounts are seen to."""
    found = AccessPlan()
    wanted = _accounts(root, users, host, found)
    keys = inside(root, KEYS)
    owned = [os.path.join(keys, name) for name in host.listdir(keys)]
    if server:
        if not [user for user in users if user.login]:
            raise ClusterError("nobody could log in to %s" % root, "declare a user with keys")
        for user in users:
            if user.login:
                wanted[os.path.join(keys, user.name)] = File("".join(key + "\n" for key in user.keys).encode())
        wanted[inside(root, CONFIG)] = File(render_config(server, users).encode())
        key = inside(root, HOST_KEY % server.key_type)
        found.host_key = "" if host.read(key) is not None else key
    found.files = plan_files(host, wanted, owned)
    return found


def demand_port(root: str, server: Server) -> None:
    """ClusterError when somebody else listens on the port."""
    found = listener(server.port)
    if found is not None and not lives_in(found[0], root):
        told = "%s, process %d" % (found[1], found[0]) if found[0] else "another program"
        raise ClusterError("port %d is in use by %s" % (server.port, told), "choose another port, 24 by custom")


def demand_sshd(root: str, host: Host) -> None:
    if host.read(inside(root, SSHD)) is None:
        raise ClusterError("%s has no sshd" % root, "add openssh-server to its packages")


def _commands(found: AccessPlan, server: Server | None) -> list[list[str]]:
    argvs = []
    if found.host_key and server:
        argvs.append(["ssh-keygen", "-q", "-t", server.key_type, "-N", "", "-C", "chroot", "-f", found.host_key])
    for path, uid, gid in found.homes:
        argvs.append(["install", "-d", "-m", "0755", "-o", str(uid), "-g", str(gid), path])
    return argvs


def _judge(root: str, found: AccessPlan, program: str, host: Host) -> None:
    """sshd of the tree reads the new settings before they are put in place."""
    config = inside(root, CONFIG)
    if config not in found.files.writes:
        return
    candidate = config + ".candidate"
    host.write_files({candidate: found.files.writes[config]})
    try:
        done = host.run(enter(program, root, [SSHD, "-t", "-f", "/%s.candidate" % CONFIG]), check=False)
    finally:
        host.remove(candidate)
    if done.rc != 0:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise ClusterError("sshd of %s refuses its settings: %s" % (root, " | ".join(lines[-3:])), "see the options")


def apply_access(root: str, found: AccessPlan, server: Server | None, program: str, host: Host) -> None:
    """Carry a plan out: the key, what sshd says, the files in one batch, the homes."""
    argvs = _commands(found, server)
    if found.host_key:
        os.makedirs(os.path.dirname(found.host_key), exist_ok=True)
        host.run(argvs.pop(0), changes=True)
    if server:
        _judge(root, found, program, host)
    groups = {path: os.stat(path).st_gid for path in found.files.writes if os.path.exists(path)}
    apply_files(found.files, host)
    for path, gid in groups.items():
        # Programs of the group shadow have to read that file still.
        os.chown(path, 0, gid)
    for argv in argvs:
        host.run(argv, changes=True)


def run_access(options: t.Mapping[str, t.Any], check_mode: bool, host: Host) -> dict[str, t.Any]:
    """One run of chroot_access; the result in Ansible's form."""
    root = str(options["path"])
    users = parse_users(options["users"])
    server = Server(options["address"], options["port"], options["key_type"]) if options["sshd"] else None
    if server and not 0 < server.port < 65536:
        raise ClusterError("bad port %d" % server.port, "1 to 65535")
    if not os.path.isdir(root):
        if check_mode:
            return {"changed": True, "changed_paths": [], "uids": {}, "diff": []}
        raise ClusterError("there is no tree %s" % root, "make it with chroot_tree")
    if server:
        demand_sshd(root, host)
        demand_port(root, server)
    found = plan_access(root, server, users, host)
    actions = _commands(found, server)
    if not check_mode:
        apply_access(root, found, server, options["program"], host)
    secret = ("shadow",)
    diff = [row for row in diff_files(found.files) if os.path.basename(row["before_header"]) not in secret]
    made = [path for path, _uid, _gid in found.homes] + ([found.host_key] if found.host_key else [])
    return {
        "changed": found.changed,
        "changed_paths": sorted([*found.files.paths, *made]),
        "uids": found.uids,
        "actions": actions,
        "diff": diff,
    }
