# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of another module inside of ours, checked and completed as Ansible would. Private to the collection.

They are documented there once; here they are a dictionary.
"""

from __future__ import annotations

import copy
import typing as t

from .._host.errors import ClusterError

Spec = t.Mapping[str, t.Any]
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def _bool(value: t.Any, where: str) -> bool:
    text = str(value).lower()
    if text not in (*_TRUE, *_FALSE):
        raise ClusterError("%s is no yes or no: %r" % (where, value), "true or false")
    return text in _TRUE


def _int(value: t.Any, where: str) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise ClusterError("%s is no number: %r" % (where, value), "correct it")


def _list(rule: Spec, value: t.Any, where: str) -> list[t.Any]:
    rows = value.split(",") if isinstance(value, str) else value
    if not isinstance(rows, (list, tuple)):
        raise ClusterError("%s is no list: %r" % (where, value), "correct it")
    inner = {**rule, "type": rule.get("elements", "str")}
    return [_value(inner, row, "%s[%d]" % (where, at)) for at, row in enumerate(rows)]


def _dict(rule: Spec, value: t.Any, where: str) -> dict[str, t.Any]:
    if not isinstance(value, dict):
        raise ClusterError("%s is no mapping: %r" % (where, value), "correct it")
    return fill(rule["options"], value, where) if "options" in rule else dict(value)


def _value(rule: Spec, value: t.Any, where: str) -> t.Any:
    kind = rule["type"]
    if kind == "list":
        return _list(rule, value, where)
    if kind == "dict":
        return _dict(rule, value, where)
    found = _bool(value, where) if kind == "bool" else _int(value, where) if kind == "int" else str(value)
    if "choices" in rule and found not in rule["choices"]:
        raise ClusterError("%s: unknown %r" % (where, found), "one of %s" % ", ".join(map(str, rule["choices"])))
    return found


def fill(spec: Spec, given: t.Mapping[str, t.Any], where: str) -> dict[str, t.Any]:
    """``given`` with the defaults of ``spec`` (an argument_spec); ClusterError names the option."""
    unknown = sorted(set(given) - set(spec))
    if unknown:
        raise ClusterError("%s has no option %s" % (where, ", ".join(unknown)), "known: %s" % ", ".join(sorted(spec)))
    found: dict[str, t.Any] = {}
    for name, rule in spec.items():
        value = given.get(name)
        value = copy.deepcopy(rule.get("default")) if value is None else value
        if value is None and rule.get("required"):
            raise ClusterError("%s lacks %s" % (where, name), "give it")
        found[name] = None if value is None else _value(rule, value, "%s.%s" % (where, name))
    return found
