# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel command line that stage1 reads. This module util is private to the collection.

``automatic=key:value,key:value`` is the grammar of the installers of 2007; one word, at most 512 bytes, values
without commas. The whole line fits x86 Linux's 2048-byte buffer with its final NUL.
"""

from __future__ import annotations

import re
import typing as t

from .._host.errors import ClusterError
from .node import parse_int, parse_ip

AUTOMATIC_LIMIT = 512
CMDLINE_LIMIT = 2047
METHODS = ("http", "dolly", "nfs", "local")
DIALECTS = ("chain", "classic")
AUTOMATIC_KEYS = (
    "method",
    "dolly_timeout",
    "dolly_dialect",
    "interface",
    "network",
    "ip",
    "netmask",
    "gateway",
    "dns",
    "server",
    "disk",
    "directory",
)
_INTERFACE = re.compile(r"auto|wired|[A-Za-z0-9][A-Za-z0-9_.-]{0,14}")
_NEEDS: t.Mapping[str, tuple[str, ...]] = {"nfs": ("server", "directory"), "local": ("disk", "directory")}

# Words that only pxe_nodes and the loader may set.
RESERVED = (
    "automatic",
    "node_id",
    "node_name",
    "boot_server",
    "image_url",
    "image_sha256",
    "image_size",
    "image_version",
    "ram_needed_mb",
    "phone_home",
    "BOOTIF",
    "initrd",
)


def _check_word(key: str, value: str, owner: str) -> None:
    if key not in AUTOMATIC_KEYS:
        raise ClusterError(
            "%s: unknown key %r in automatic=" % (owner, key), "known keys: %s" % ", ".join(AUTOMATIC_KEYS)
        )
    if not re.fullmatch(r"[!-+\--~]+", value):
        raise ClusterError(
            "%s: %s is %r in automatic=" % (owner, key, value), "a value is printable ASCII without blanks and commas"
        )


def _check_values(values: t.Mapping[str, str], owner: str) -> None:
    if values.get("method") not in METHODS:
        raise ClusterError(
            "%s: unknown method %r" % (owner, values.get("method", "")), "the methods are %s" % ", ".join(METHODS)
        )
    if values.get("network", "dhcp") not in ("dhcp", "static"):
        raise ClusterError("%s: unknown network %r" % (owner, values["network"]), "dhcp or static")
    if not _INTERFACE.fullmatch(values.get("interface", "auto")):
        raise ClusterError("%s: bad interface %r" % (owner, values["interface"]), "auto, wired or a name as in eth0")
    if "dolly_timeout" in values:
        parse_int(values["dolly_timeout"], owner, "dolly_timeout", 1, 86400)
    if values.get("dolly_dialect", "chain") not in DIALECTS:
        raise ClusterError("%s: unknown dolly_dialect %r" % (owner, values["dolly_dialect"]), "chain or classic")
    for key in ("ip", "netmask", "gateway", "dns"):
        if key in values:
            parse_ip(values[key], owner, key)


def _check_needs(values: t.Mapping[str, str], owner: str) -> None:
    needs = list(_NEEDS.get(values["method"], ()))
    if values.get("network") == "static":
        needs += ["ip", "netmask"]
    for key in needs:
        if key not in values:
            raise ClusterError("%s: automatic= has no %s" % (owner, key), "add %s to the profile" % key)


def render_automatic(values: t.Mapping[str, t.Any], owner: str = "automatic") -> str:
    """``key:value,...`` in the fixed order of AUTOMATIC_KEYS, without the leading ``automatic=``; checked."""
    texts = {str(key): str(value) for key, value in values.items() if value not in (None, "")}
    for key, value in texts.items():
        _check_word(key, value, owner)
    _check_values(texts, owner)
    _check_needs(texts, owner)
    text = ",".join("%s:%s" % (key, texts[key]) for key in AUTOMATIC_KEYS if key in texts)
    if len(text) > AUTOMATIC_LIMIT:
        raise ClusterError(
            "%s: the automatic= string has %d bytes" % (owner, len(text)), "at most %d: shorten paths" % AUTOMATIC_LIMIT
        )
    return text


def parse_automatic(text: str, owner: str = "automatic") -> dict[str, str]:
    """The opposite of :func:`render_automatic`; a leading ``automatic=`` is allowed."""
    body = text[len("automatic=") :] if text.startswith("automatic=") else text
    values: dict[str, str] = {}
    for part in body.split(","):
        key, colon, value = part.partition(":")
        if not colon:
            raise ClusterError(
                "%s: %r is no key:value" % (owner, part), "as in method:http,interface:auto,network:dhcp"
            )
        if key in values:
            raise ClusterError("%s: %s is given twice" % (owner, key), "keep one")
        values[key] = value
    render_automatic(values, owner)
    return values


def parse_cmdline(text: str) -> dict[str, str]:
    """Words of a kernel command line; the last of equal names wins, a word without ``=`` has the value ''."""
    pairs = (word.partition("=") for word in text.split())
    return {key: value for key, _equals, value in pairs}


def render_cmdline(words: t.Iterable[tuple[str, object]], extra: t.Sequence[str] = (), owner: str = "node") -> str:
    """``key=value`` words, then ``extra`` words as they are; ClusterError past 2047 bytes or for a reserved word."""
    parts: list[str] = []
    for key, value in words:
        text = "%s=%s" % (key, value)
        if not re.fullmatch(r"[!-~]+", text):
            raise ClusterError("%s: %s=%r on the kernel command line" % (owner, key, value), "no blanks in values")
        parts.append(text)
    refuse_reserved(extra, owner)
    line = " ".join([*parts, *extra])
    check_length(line, owner)
    return line


def refuse_reserved(words: t.Iterable[str], owner: str) -> None:
    """ClusterError when a word of the user's sets what pxe_nodes itself sets."""
    for word in words:
        if word.partition("=")[0] in RESERVED:
            raise ClusterError("%s: %s is set by pxe_nodes" % (owner, word), "remove it from append or kernel_options")


def check_length(line: str, owner: str) -> None:
    """ClusterError when the kernel would cut the line."""
    if len(line) > CMDLINE_LIMIT:
        raise ClusterError(
            "%s: the kernel command line has %d bytes" % (owner, len(line)),
            "at most %d: shorten append or kernel_options" % CMDLINE_LIMIT,
        )
