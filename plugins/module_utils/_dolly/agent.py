# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agent of a node as a command. This module util is private to the collection.

    agent.pyz node   --target PATH --sha256 HEX --size BYTES [...]   wait, take part in a push, verify, end
    agent.pyz status --target PATH --sha256 HEX --size BYTES         what the target holds, as key=value lines
    agent.pyz serve  --image PATH --node NAME=ADDRESS ...            push from a shell, without Ansible

Exit codes: 0 the target holds the image; 1 failed (one line on stderr); 2 wrong usage; 3 nobody came within --timeout.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
import typing as t

from . import wire
from .auth import read_secret
from .chain import Node
from .classic import CONTROL_PORT, DATA_PORT
from .classic_node import ClassicNode
from .dial import Route
from .door import DONE, FAILED, NodeOptions
from .errors import DollyError
from .lobby import ClassicOptions
from .target import STATE_DIR, Target, hash_file, run_steps


def _formatter(prog: str) -> argparse.HelpFormatter:
    # A width given here keeps argparse from importing shutil, which the smallest Python lacks.
    return argparse.HelpFormatter(prog, width=100)


def _add_image(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--target", required=True, help="file or block device to write")
    parser.add_argument("--sha256", default="", help="the only image accepted (64 hex digits)")
    parser.add_argument("--size", type=int, default=0, help="bytes of that image")
    parser.add_argument("--state-dir", default=STATE_DIR, help="folder for the markers of block devices")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dolly", description=__doc__, formatter_class=_formatter)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=argparse.ArgumentParser)
    node = commands.add_parser("node", formatter_class=_formatter)
    _add_image(node)
    node.add_argument("--name", default="", help="own name; pushes for another name are refused")
    node.add_argument("--timeout", type=float, default=100.0, help="seconds to wait for a push")
    node.add_argument("--dialect", choices=("chain", "classic"), default="chain")
    node.add_argument("--server", default="", help="the only address that may begin a push")
    node.add_argument("--secret-file", default="", help="refuse peers that do not know its content")
    node.add_argument("--bind", default="", help="address to listen on (default: all)")
    node.add_argument("--port", type=int, default=wire.PORT, help="TCP port of the chain dialect")
    node.add_argument("--data-port", type=int, default=DATA_PORT, help="TCP port of classic data")
    node.add_argument("--control-port", type=int, default=CONTROL_PORT, help="TCP port of classic control")
    node.add_argument("--pid-file", default="", help="written when the agent listens, removed at its end")
    status = commands.add_parser("status", formatter_class=_formatter)
    _add_image(status)
    status.add_argument("--verify", action="store_true", help="read the target back even when its marker is current")
    serve = commands.add_parser("serve", formatter_class=_formatter)
    serve.add_argument("--image", required=True)
    serve.add_argument("--node", action="append", default=[], metavar="NAME=ADDRESS", help="in the order of the chain")
    serve.add_argument("--sha256", default="", help="digest of the image (default: computed)")
    serve.add_argument("--port", type=int, default=wire.PORT)
    serve.add_argument("--deadline", type=float, default=60.0, help="seconds to wait for the nodes")
    serve.add_argument("--timeout", type=float, default=60.0, help="seconds without progress")
    serve.add_argument("--silence", type=float, default=20.0, help="seconds without a sign of life")
    serve.add_argument("--max-fail", type=int, default=0)
    serve.add_argument("--secret-file", default="")
    return parser


def _log(text: str) -> None:
    sys.stderr.write("dolly: %s\n" % text)
    sys.stderr.flush()


def _check_image(options: argparse.Namespace) -> None:
    digest = options.sha256 = options.sha256.lower()
    if digest and (len(digest) != 64 or set(digest) - set("0123456789abcdef")):
        raise DollyError("--sha256 wants 64 hex digits, not %r" % digest)
    if options.command != "serve" and options.size < 0:
        raise DollyError("--size must not be negative")


def _run_node(options: argparse.Namespace) -> int:
    secret = read_secret(options.secret_file) if options.secret_file else b""
    if not options.sha256 and not secret:
        raise DollyError("nothing says which image may be written here", "give --sha256 or --secret-file")
    node = _node(options, secret, Target(options.target, options.state_dir))
    _log("waiting for the server (timeout %.0f s, %s dialect)" % (options.timeout, options.dialect))
    code = _with_pid_file(options.pid_file, node.run)
    if code != DONE:
        reason = node.last_reason or "nobody came within %.0f s" % options.timeout
        _log("%s: %s" % ("failed" if code == FAILED else "timeout", reason))
    return code


def _node(options: argparse.Namespace, secret: bytes, target: Target) -> Node | ClassicNode:
    o = options
    if o.dialect == "classic":
        ports = (o.data_port, o.control_port)
        classic = ClassicOptions(o.name, o.sha256, o.size, o.bind, o.timeout, max(60.0, o.timeout), ports)
        return ClassicNode(classic, target, _log)
    return Node(NodeOptions(o.name, o.bind, o.port, secret, o.sha256, o.size, o.server, o.timeout), target, _log)


def _with_pid_file(path: str, work: t.Callable[[], int]) -> int:
    if not path:
        return work()
    with open(path, "w", encoding="ascii") as stream:
        stream.write("%d\n" % os.getpid())
    try:
        return work()
    finally:
        os.unlink(path)


def _run_status(options: argparse.Namespace) -> int:
    target = Target(options.target, options.state_dir)
    survey = run_steps(target.survey(options.sha256, options.size, options.verify))
    sys.stdout.write("holds=%s\noffset=%d\nroom=%d\n" % (survey.holds, survey.offset, target.room()))
    return DONE if survey.holds else FAILED


def _routes(options: argparse.Namespace) -> list[Route]:
    routes = []
    for text in options.node:
        name, equals, address = text.partition("=")
        routes.append(Route(name, address if equals else name, options.port))
    if not routes:
        raise DollyError("no nodes", "give --node NAME=ADDRESS for each")
    return routes


def _run_serve(options: argparse.Namespace) -> int:
    # Nodes do not carry the server.
    from .contact import PushOptions
    from .server import Image, Push

    size = os.path.getsize(options.image)
    digest = options.sha256 or run_steps(hash_file(options.image, size)).hexdigest()
    secret = read_secret(options.secret_file) if options.secret_file else b""
    limits = PushOptions(options.deadline, options.timeout, options.silence, max_fail=options.max_fail, secret=secret)
    push = Push(Image(options.image, size, digest), _routes(options), limits)
    began = time.monotonic()
    push.gather()
    if push.too_many():
        push.close("too many nodes are missing")
    else:
        push.send()
    for outcome in push.outcomes():
        sys.stdout.write("%s %s %d bytes %.1f MB/s %s\n" % (*outcome[:2], outcome.bytes, outcome.mb_s, outcome.reason))
    sys.stdout.write("%.2f s\n" % (time.monotonic() - began))
    return FAILED if push.too_many() else DONE


def _terminated(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def main(argv: t.Sequence[str] | None = None) -> int:
    """Run one sub-command; returns the exit code."""
    options = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, _terminated)
    commands = {"node": _run_node, "status": _run_status, "serve": _run_serve}
    try:
        _check_image(options)
        return commands[options.command](options)
    except (DollyError, OSError) as error:
        _log(str(error))
        return FAILED
    except KeyboardInterrupt:
        _log("interrupted")
        return FAILED
