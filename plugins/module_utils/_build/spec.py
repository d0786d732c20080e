# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Specs from their templates, and the settings of rpmbuild. This module util is private to the collection.

A template is a spec with ``@name@``, ``@version@``, ``@revision@``, ``@commit@``, ``@tarball@`` and ``@date@`` in it,
or one whose ``%define NAME value`` line gets the version, as the specs of 2007 had it (``define``).
Formats: rpm's macros file (``%name body``) and rpmrc (``buildarchtranslate: from: to``).
"""

from __future__ import annotations

import re
import typing as t

from .._host.errors import ClusterError

_PLACE = re.compile(r"@([a-z_]+)@")
_MACRO = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# The option's names to rpm's.
_NAMES = {"packager": "packager", "distribution": "distribution", "vendor": "vendor", "signature": "_signature"}
_NAMES.update({"gpg_name": "_gpg_name", "gpg_path": "_gpg_path"})


def render_spec(text: str, values: t.Mapping[str, str], define: str, where: str) -> str:
    """The spec; ClusterError for a placeholder that nobody fills, and when the version goes nowhere."""
    unknown = sorted({name for name in _PLACE.findall(text) if name not in values and name in _known(values, text)})
    if unknown:
        raise ClusterError(
            "%s: nothing is known for @%s@" % (where, "@, @".join(unknown)), "known: %s" % ", ".join(sorted(values))
        )
    out = _PLACE.sub(lambda found: values.get(found.group(1), found.group(0)), text)
    if define:
        line = re.compile(r"^(%%(?:define|global)[ \t]+%s[ \t]+).*$" % re.escape(define), re.MULTILINE)
        out, count = line.subn(lambda found: found.group(1) + values["version"], out)
        if not count:
            raise ClusterError("%s has no line %%define %s" % (where, define), "correct define")
    elif "@version@" not in text and "@revision@" not in text:
        raise ClusterError(
            "%s takes no version from the revision" % where, "write Version: @version@, or set define"
        )
    return out


def _known(values: t.Mapping[str, str], text: str) -> set[str]:
    """Placeholders in the preamble; below it, makefiles and scripts may well use ``@word@`` themselves."""
    head = re.split(r"^%(?:description|prep|build|install|package)\b", text, 1, re.MULTILINE)[0]
    return set(_PLACE.findall(head))


def render_macros(topdir: str, options: t.Mapping[str, t.Any]) -> str:
    """``.rpmmacros``; ClusterError for a name that is none."""
    rows = [("_topdir", topdir), ("_tmppath", topdir + "/tmp")]
    rows += [(_NAMES[key], str(options[key])) for key in _NAMES if options.get(key)]
    for name, body in sorted((options.get("extra") or {}).items()):
        if not _MACRO.fullmatch(str(name)):
            raise ClusterError("bad macro name %r" % name, "without the percent sign")
        rows.append((str(name), str(body)))
    for name, body in rows:
        if "\n" in body:
            raise ClusterError("macro %s has a line break" % name, "one line")
    return "".join("%%%s %s\n" % row for row in rows)


def render_rpmrc(translate: t.Mapping[str, t.Any]) -> str:
    """``.rpmrc`` with the architectures that packages are built for."""
    for row in translate.items():
        for word in row:
            if not re.fullmatch(r"[a-z0-9_]+", str(word)):
                raise ClusterError("bad architecture %r in buildarchtranslate" % (word,), "as {i686: i586}")
    return "".join("buildarchtranslate: %s: %s\n" % row for row in sorted(translate.items()))
