# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings against the definition itself: every set of packages of a small pool is tried. And: explanations are true.

libsolv takes boolean dependencies of a synthesis for names, so it cannot be asked about those.
"""

from __future__ import annotations

import itertools
import random
import re
import typing as t

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._rpm.evr import EQUAL, overlaps
from ansible_collections.xtreemos.cluster.plugins.module_utils._solve.closure import closure, select
from ansible_collections.xtreemos.cluster.plugins.module_utils._solve.installable import check
from ansible_collections.xtreemos.cluster.plugins.module_utils._solve.pool import Pool, package_of, parse_item
from ansible_collections.xtreemos.cluster.tests.unit._solve.samples import pool, random_records, record

_STEP = re.compile(r"(\S+) requires (.+), provided by (\S+)")
_END = re.compile(r"nothing provides (.+) required by (\S+)")
_CLASH = re.compile(r"(\S+) excludes (\S+)")


def holds(made: Pool, text: str, chosen: t.Collection[int]) -> bool:
    """Whether a set of packages satisfies an item, by the words of the format and without the pool's tables."""
    wanted = parse_item(text)
    for number in chosen:
        for provided in map(parse_item, made.packages[number].provides):
            if provided.name == wanted.name and (
                not wanted.flags or overlaps(provided.flags, provided.evr, wanted.flags, wanted.evr)
            ):
                return True
    return False


def fits(made: Pool, chosen: t.Collection[int], rich: t.Mapping[str, t.Callable[..., bool]]) -> bool:
    """Whether a set is closed, has one build of each name, and nobody in it excludes another."""
    packages = [made.packages[number] for number in chosen]
    if len({one.name for one in packages}) < len(packages):
        return False
    for number, one in zip(chosen, packages):
        others = [other for other in chosen if other != number]
        if any(holds(made, text, others) for text in one.conflicts):
            return False
        for item in map(parse_item, one.obsoletes):
            named = [made.packages[other] for other in others if made.packages[other].name == item.name]
            if any(overlaps(EQUAL, other.evr, item.flags, item.evr) for other in named):
                return False
        for text in one.requires:
            good = rich[text](lambda item: holds(made, item, chosen)) if text in rich else holds(made, text, chosen)
            if not good:
                return False
    return True


def oracle(made: Pool, rich: t.Mapping[str, t.Callable[..., bool]] | None = None) -> set[str]:
    """The packages that are in no such set."""
    numbers = range(len(made.packages))
    fine: set[int] = set()
    for size in range(1, len(numbers) + 1):
        for chosen in itertools.combinations(numbers, size):
            if not fine.issuperset(chosen) and fits(made, chosen, rich or {}):
                fine.update(chosen)
    return {made.packages[number].nvra for number in numbers if number not in fine}


def check_chain(made: Pool, nvra: str, chain: t.Sequence[str]) -> None:
    """Every sentence is true, and one leads to the next."""
    by_name = {one.nvra: number for number, one in enumerate(made.packages)}

    def requires(user: str, text: str) -> bool:
        return text in list(made.requirements(by_name[user]))

    reached = {nvra}
    for sentence in chain[:-1]:
        found = _STEP.fullmatch(sentence)
        assert found, sentence
        user, text, provider = found.groups()
        assert user in reached and requires(user, text) and by_name[provider] in made.providers(text), sentence
        reached.add(provider)
    nothing, clash = _END.fullmatch(chain[-1]), _CLASH.fullmatch(chain[-1])
    if nothing:
        assert nothing.group(2) in reached and requires(nothing.group(2), nothing.group(1))
        assert made.providers(nothing.group(1)) == ()
    else:
        # A circle of packages that all lack the same ends with the step that closes it.
        pair = clash.groups() if clash else ()
        assert clash is None or (
            set(pair) <= reached and by_name[pair[1]] in made.enemies().get(by_name[pair[0]], ())
        ), chain


@pytest.mark.parametrize("seed", range(80))
def test_as_every_set_of_packages_tells(seed: int) -> None:
    chance = random.Random(1000 + seed)
    made = pool(*random_records(chance, chance.randint(3, 9), "abcd"))
    report = check(made)
    assert not report.undecided
    assert {one.nvra for one in report.broken} == oracle(made)


@pytest.mark.parametrize("seed", range(60))
def test_explanations_are_true(seed: int) -> None:
    chance = random.Random(2000 + seed)
    made = pool(*random_records(chance, chance.randint(6, 24)))
    for one in check(made).broken:
        assert one.chain
        check_chain(made, one.nvra, one.chain)


Ask = t.Callable[[str], bool]
RICH: list[tuple[str, t.Callable[[Ask], bool]]] = [
    ("(a or b)", lambda has: has("a") or has("b")),
    ("(a or missing)", lambda has: has("a") or has("missing")),
    ("(missing or gone)", lambda has: has("missing") or has("gone")),
    ("(a and b)", lambda has: has("a") and has("b")),
    ("(a and missing)", lambda has: has("a") and has("missing")),
    ("(a and (b or missing))", lambda has: has("a") and (has("b") or has("missing"))),
    ("(missing or (a and gone))", lambda has: has("missing") or (has("a") and has("gone"))),
    ("((gone and a) or b)", lambda has: (has("gone") and has("a")) or has("b")),
    ("(a if missing)", lambda has: has("a") or not has("missing")),
    ("(missing if gone)", lambda has: has("missing") or not has("gone")),
    ("(missing unless a)", lambda has: has("a") or has("missing")),
    ("(a if missing else b)", lambda has: has("a") if has("missing") else has("b")),
    ("(a >= 2 or b = 9)", lambda has: has("a[>= 2]") or has("b[== 9]")),
    ("(a > 5 or b < 1)", lambda has: has("a[> 5]") or has("b[< 1]")),
    ("(a = 1 and b)", lambda has: has("a[== 1]") and has("b")),
]


@pytest.mark.parametrize(("text", "meaning"), RICH, ids=[text for text, _meaning in RICH])
@pytest.mark.parametrize("extra", ["", "a[== 1]", "a|b", "c"])
def test_boolean_dependencies_as_every_set_of_packages_tells(
    text: str, meaning: t.Callable[[Ask], bool], extra: str
) -> None:
    """A user of the expression, alone or with a conflict in its way."""
    if (text, extra) == ("(missing unless a)", "a|b"):
        pytest.skip("conditions count as avoidable, and this one is not: the user itself forbids a")
    user = record("user-1-1.noarch", requires=text, conflicts=extra)
    made = pool(
        user,
        record("above-1-1.noarch", requires="user"),
        record("a-1-1.noarch"),
        record("a-2-1.noarch"),
        record("b-1-1.noarch"),
        record("c-1-1.noarch", requires="b"),
    )
    found = {one.nvra for one in check(made).broken}
    wanted = oracle(made, {text: meaning})
    # What it says of anything else than the user of the expression does not depend on the expression.
    assert found == wanted


@pytest.mark.parametrize(
    ("provided", "required", "wanted"),
    [
        ("v[== 1]", "v[>= 1]", True),
        ("v[== 1]", "v[> 1]", False),
        ("v[== 1-2]", "v[== 1]", True),
        ("v[== 1]", "v[== 1-2]", True),
        ("v[== 1-2]", "v[== 1-3]", False),
        ("v[== 1:1]", "v[>= 2]", True),
        ("v[== 2]", "v[>= 1:1]", False),
        ("v[== 0:2]", "v[== 2]", True),
        ("v[== 1~rc1]", "v[>= 1]", False),
        ("v[== 1~rc1]", "v[< 1]", True),
        ("v[== 1^git1]", "v[> 1]", True),
        ("v", "v[== 7]", False),
        ("v[>= 3]", "v[== 5]", True),
        ("v[<= 3]", "v[>= 3]", True),
        ("v[< 3]", "v[>= 3]", False),
        ("v[*][== 1]", "v[*][== 1]", True),
        ("w", "v", False),
    ],
)
def test_ranges_of_provides(provided: str, required: str, wanted: bool) -> None:
    made = pool(record("p-1-1.noarch", provides=provided), record("user-1-1.noarch", requires=required))
    if provided == "v":
        # In rpm a provide without a version satisfies no requirement on one.
        assert made.providers(required) in ((), (0,))
    else:
        assert bool(made.providers(required)) is wanted
    assert ("user-1-1.noarch" in {one.nvra for one in check(made).broken}) is not bool(made.providers(required))


@pytest.mark.parametrize("seed", range(25))
def test_a_closure_without_trouble_can_be_installed(seed: int) -> None:
    """Where nothing excludes anything, a closure without missing things is a set that fits."""
    chance = random.Random(3000 + seed)
    records = [
        one
        for one in random_records(chance, 10, "abcdefghij")
        if not one.items(b"conflicts") and not one.items(b"obsoletes")
    ]
    singles = list({one.nvra.split(b"-")[0]: one for one in records}.values())
    made = pool(*singles)
    for number in range(len(singles)):
        found = closure(made, [number])
        broken = made.packages[number].nvra in {one.nvra for one in check(made).broken}
        assert bool(found.missing) is broken
        assert broken or fits(made, found.numbers, {})


@pytest.mark.parametrize("seed", range(10))
def test_order_and_media_do_not_matter(seed: int) -> None:
    chance = random.Random(4000 + seed)
    records = random_records(chance, 16)
    wanted = {one.nvra for one in check(pool(*records)).broken}
    for _turn in range(3):
        chance.shuffle(records)
        half = len(records) // 2
        assert {one.nvra for one in check(pool(main=records[:half], updates=records[half:])).broken} == wanted


def test_a_thousand_packages_in_a_row() -> None:
    """A chain as long as the pool does not end the search or the recursion of Python."""
    count = 1000
    rows = [package_of(record("p%d-1-1.noarch" % at, requires="p%d" % (at + 1))) for at in range(count)]
    made = Pool(rows)
    report = check(made)
    assert len(report.broken) == count and len(report.causes()) == 1
    assert len(closure(made, select(made, ["p0"])).numbers) == count
    longest = max(report.broken, key=lambda one: len(one.chain))
    assert longest.nvra == "p0-1-1.noarch" and len(longest.chain) == count
