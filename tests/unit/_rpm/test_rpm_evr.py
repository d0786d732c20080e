# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Order of versions: rules, laws, and the rpm library as the judge."""

from __future__ import annotations

import random

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._rpm import evr
from ansible_collections.xtreemos.cluster.plugins.module_utils._rpm.evr import (
    EQUAL,
    GREATER,
    LESS,
    Evr,
    compare_evr,
    overlaps,
    parse_evr,
    parse_range,
    rpmvercmp,
)
from ansible_collections.xtreemos.cluster.tests.unit._rpm import samples
from hypothesis import given
from hypothesis import strategies as st

ALPHABET = "0019abzAB.~^+_-é"
VERSION = st.text(ALPHABET, max_size=8)
NAMES = st.builds(Evr, st.integers(0, 3), VERSION.filter(lambda text: "-" not in text), st.none() | st.just("1"))


@pytest.mark.parametrize(
    ("left", "right", "order"),
    [
        ("1.0", "1.0", 0),
        ("1.0", "2.0", -1),
        ("1.10", "1.9", 1),
        ("1.0", "1.00", 0),
        ("2.0.1", "2.0.1a", -1),
        ("5.5p1", "5.5p10", -1),
        ("10xyz", "10.1xyz", -1),
        ("xyz10", "xyz10.1", -1),
        ("6.0.rc1", "6.0", 1),
        ("1.0~rc1", "1.0", -1),
        ("1.0~rc1", "1.0~rc2", -1),
        ("1.0~rc1~git123", "1.0~rc1", -1),
        ("1.0^", "1.0", 1),
        ("1.0^git1", "1.0^git2", -1),
        ("1.0^git1", "1.01", -1),
        ("1.0^git1", "1.0.1", -1),
        ("1.0~rc1^git1", "1.0~rc1", 1),
        ("1.0^git1~pre", "1.0^git1", -1),
        ("1b.fc17", "1.fc17", -1),
        ("1.0", "1.0.", 0),
        ("1_0", "1.0", 0),
        ("", "", 0),
        ("", "1", -1),
        ("é", "", 0),
        ("0" * 50 + "1", "1", 0),
        ("9" * 500, "9" * 499, 1),
    ],
)
def test_rules(left: str, right: str, order: int) -> None:
    assert (rpmvercmp(left, right), rpmvercmp(right, left)) == (order, -order)


@given(VERSION, VERSION, VERSION)
def test_it_is_an_order(left: str, right: str, third: str) -> None:
    assert rpmvercmp(left, left) == 0 and rpmvercmp(left, right) == -rpmvercmp(right, left)
    if rpmvercmp(left, right) <= 0 and rpmvercmp(right, third) <= 0:
        assert rpmvercmp(left, third) <= 0
    assert rpmvercmp(left, left + "~x") == 1 and rpmvercmp(left + "~", left + "^") == -1


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1.0", Evr(0, "1.0", None)),
        ("1.0-2", Evr(0, "1.0", "2")),
        ("3:1.0-2", Evr(3, "1.0", "2")),
        (":1.0", Evr(0, "1.0", None)),
        ("a:1.0", Evr(0, "a:1.0", None)),
        ("1.0-2-3", Evr(0, "1.0-2", "3")),
        ("0:1.0-1.mga9", Evr(0, "1.0", "1.mga9")),
    ],
)
def test_parts(text: str, wanted: Evr) -> None:
    assert parse_evr(text) == wanted


@given(NAMES.filter(lambda one: bool(one.version) and ":" not in one.version))
def test_parts_round_trip(one: Evr) -> None:
    assert parse_evr(str(one)) == one


@pytest.mark.parametrize("text", ["", "1:", "-1", "2:-1"])
def test_no_version(text: str) -> None:
    with pytest.raises(ClusterError, match="bad version"):
        parse_evr(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", (0, None)),
        ("*", (0, None)),
        (">= 1:2-3", (GREATER | EQUAL, Evr(1, "2", "3"))),
        ("== 1", (EQUAL, Evr(0, "1", None))),
        ("= 1", (EQUAL, Evr(0, "1", None))),
        ("< 1", (LESS, Evr(0, "1", None))),
    ],
)
def test_ranges(text: str, wanted: tuple[int, Evr]) -> None:
    assert parse_range(text) == wanted


@pytest.mark.parametrize("text", ["1.0", "=> 1", ">=", ">= ", "~ 1"])
def test_bad_ranges(text: str) -> None:
    with pytest.raises(ClusterError, match="bad version"):
        parse_range(text)


@pytest.mark.parametrize(
    ("provided", "required", "wanted"),
    [
        ("", ">= 5", True),
        ("== 1.0-1", "", True),
        ("== 1.0-1", "== 1.0", True),
        ("== 1.0-1", ">= 1.0", True),
        ("== 1.0-1", "> 1.0", False),
        ("== 1.0-1", "< 1.0", False),
        ("== 1.0-1", "== 1.0-2", False),
        ("== 1:1.0-1", ">= 2.0", True),
        ("== 1.0-1", "< 1:0.1", True),
        ("< 2", "> 1", True),
        ("< 1", "> 2", False),
        ("<= 1", ">= 1", True),
        ("< 1", ">= 1", False),
        ("== 1.0~rc1-1", ">= 1.0", False),
        ("== 1.0^git1-1", "> 1.0", True),
    ],
)
def test_overlaps(provided: str, required: str, wanted: bool) -> None:
    assert overlaps(*parse_range(provided), *parse_range(required)) is wanted
    assert overlaps(*parse_range(required), *parse_range(provided)) is wanted


@given(NAMES, NAMES, st.sampled_from([LESS, GREATER, EQUAL, LESS | EQUAL, GREATER | EQUAL]))
def test_a_version_is_in_a_range_or_in_its_opposite(a: Evr, b: Evr, flags: int) -> None:
    b = b._replace(release=a.release)
    opposite = (LESS | GREATER | EQUAL) & ~flags
    assert overlaps(EQUAL, a, flags, b) is not overlaps(EQUAL, a, opposite, b)
    assert overlaps(EQUAL, a, flags, b) is bool(flags & (LESS, EQUAL, GREATER)[compare_evr(a, b) + 1])


def _random_version(chance: random.Random, like: str = "") -> str:
    if like and chance.random() < 0.6:
        return like[: chance.randint(0, len(like))] + chance.choice(ALPHABET)
    return "".join(chance.choice(ALPHABET) for _letter in range(chance.randint(1, 7)))


def test_as_the_rpm_library() -> None:
    chance = random.Random(418)
    with samples.system_module("rpm") as rpm:
        for _round in range(20000):
            a = _random_version(chance)
            b = _random_version(chance, a)
            assert rpmvercmp(a, b) == rpm.labelCompare(("0", a, "1"), ("0", b, "1")), (a, b)


def test_ranges_as_the_rpm_library() -> None:
    chance = random.Random(2009)
    operators = [LESS, LESS | EQUAL, GREATER, GREATER | EQUAL, EQUAL]
    with samples.system_module("rpm") as rpm:
        for _round in range(5000):
            texts = [
                "%s%s%s" % (chance.choice(["", "1:"]), chance.choice(["1", "1.0", "1.0~a", "1.0^a", "2"]), release)
                for release in (chance.choice(["", "-1", "-2"]), chance.choice(["", "-1", "-2"]))
            ]
            flags = [chance.choice(operators) for _side in texts]
            ours = overlaps(flags[0], parse_evr(texts[0]), flags[1], parse_evr(texts[1]))
            sides = [rpm.ds(("x", flag, text), rpm.RPMTAG_PROVIDENAME) for flag, text in zip(flags, texts)]
            assert ours == bool(sides[0].Compare(sides[1])), (flags, texts)


def test_the_cache_is_bounded() -> None:
    assert evr.version_key.cache_info().maxsize
