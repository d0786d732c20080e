# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of pxelinux.cfg/. This module util is private to the collection.

Grammar: SYSLINUX's configuration file as documented in syslinux.txt and pxelinux.txt; only the keywords that network
boot needs. A keyword is case-insensitive, one to a line, ``#`` begins a comment line.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace

from .._host.errors import ClusterError


@dataclass(frozen=True)
class Label:
    """One thing to boot: a kernel with its ``append`` line, or the local disk when ``localboot`` is a number."""

    name: str
    kernel: str = ""
    append: str = ""
    ipappend: int | None = None
    localboot: int | None = None
    title: str = ""


@dataclass(frozen=True)
class Config:
    """One file. ``timeout`` is in tenths of a second; ``serial`` as in '0 115200'; '' leaves a line out."""

    default: str
    labels: tuple[Label, ...]
    prompt: int = 0
    timeout: int = 0
    display: str = ""
    serial: str = ""
    comment: str = ""


def _label_lines(label: Label) -> t.Iterator[str]:
    yield "LABEL " + label.name
    if label.title:
        yield "  MENU LABEL " + label.title
    if label.localboot is not None:
        yield "  LOCALBOOT %d" % label.localboot
    if label.kernel:
        yield "  KERNEL " + label.kernel
    if label.append:
        yield "  APPEND " + label.append
    if label.ipappend is not None:
        yield "  IPAPPEND %d" % label.ipappend


def render(config: Config) -> str:
    """The text of a file, ending in a newline. SERIAL comes first because the loader wants it so."""
    lines = ["# " + config.comment] if config.comment else []
    if config.serial:
        lines.append("SERIAL " + config.serial)
    lines.append("DEFAULT " + config.default)
    lines.append("PROMPT %d" % config.prompt)
    if config.timeout:
        lines.append("TIMEOUT %d" % config.timeout)
    if config.display:
        lines.append("DISPLAY " + config.display)
    for label in config.labels:
        lines.extend(_label_lines(label))
    return "\n".join(lines) + "\n"


def _number(value: str, where: str) -> int:
    if not re.fullmatch(r"-?\d+", value):
        raise ClusterError("%s: %r is no number" % (where, value), "write an integer")
    return int(value)


def _with_label(label: Label, key: str, value: str, where: str) -> Label:
    if key == "MENU LABEL":
        return replace(label, title=value)
    if key == "KERNEL":
        return replace(label, kernel=value)
    if key == "APPEND":
        return replace(label, append=value)
    if key == "IPAPPEND":
        return replace(label, ipappend=_number(value, where))
    if key == "LOCALBOOT":
        return replace(label, localboot=_number(value, where))
    raise ClusterError("%s: unknown keyword %s" % (where, key), "see pxelinux.txt of syslinux")


def _with_global(config: Config, key: str, value: str, where: str) -> Config:
    if key in ("PROMPT", "TIMEOUT"):
        return replace(config, **t.cast("t.Any", {key.lower(): _number(value, where)}))
    if key in ("DEFAULT", "DISPLAY", "SERIAL"):
        return replace(config, **t.cast("t.Any", {key.lower(): value}))
    raise ClusterError("%s: unknown keyword %s" % (where, key), "see pxelinux.txt of syslinux")


def _split(line: str) -> tuple[str, str]:
    word, _blank, rest = line.strip().partition(" ")
    key = word.upper()
    if key == "MENU":
        sub, _blank, rest = rest.strip().partition(" ")
        key = "MENU " + sub.upper()
    return key, rest.strip()


def parse(text: str, name: str = "pxelinux.cfg") -> Config:
    """The model of a file; ClusterError names file and line."""
    config = Config("", ())
    labels: list[Label] = []
    for number, line in enumerate(text.splitlines(), 1):
        where = "%s line %d" % (name, number)
        if line.startswith("#"):
            config = config if config.comment or labels else replace(config, comment=line[1:].strip())
            continue
        key, value = _split(line)
        if not key:
            continue
        if key == "LABEL":
            labels.append(Label(value))
        elif labels and key not in ("DEFAULT", "PROMPT", "TIMEOUT", "DISPLAY", "SERIAL"):
            labels[-1] = _with_label(labels[-1], key, value, where)
        else:
            config = _with_global(config, key, value, where)
    return _checked(replace(config, labels=tuple(labels)), name)


def _checked(config: Config, name: str) -> Config:
    names = [label.name for label in config.labels]
    if len(set(names)) != len(names):
        raise ClusterError("%s: a label is given twice" % name, "give each entry its own label")
    if config.default not in names:
        raise ClusterError("%s: DEFAULT %r is no label" % (name, config.default), "labels: %s" % ", ".join(names))
    return config
