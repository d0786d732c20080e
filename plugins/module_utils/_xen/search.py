# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Guests among records of any origin, with the ways to match of ctys-vhost. This module util is private."""

from __future__ import annotations

import typing as t

from .._host.errors import ClusterError
from .address import Address, render
from .record import Record, select

MATCHES = ("unique", "first", "last", "all", "complement")


def search(address: Address, records: t.Sequence[Record], match: str = "unique") -> list[Record]:
    """The records that ``address`` means, in their order. ``unique``, ``first`` and ``last`` fail when there is none,
    ``unique`` also when there are several; ``complement`` gives all others."""
    if match not in MATCHES:
        raise ClusterError("%r is no way to match" % match, "one of %s" % ", ".join(MATCHES))
    if match in ("unique", "first"):
        return select(address, records, match)
    found = select(address, records, "all")
    if match == "complement":
        chosen = {id(one) for one in found}
        return [one for one in records if id(one) not in chosen]
    if match == "last" and not found:
        raise ClusterError("there is no guest %s" % render(address), "xen_domain_info lists all there are")
    return found[-1:] if match == "last" else found


def of_variables(variables: t.Mapping[str, t.Any], name: str) -> Record:
    """The record that the inventory plugin made the variables ``xen_<field>`` of a host from, with ``host``."""
    found = {str(key)[4:]: value for key, value in variables.items() if str(key).startswith("xen_")}
    return {**found, "host": name}
