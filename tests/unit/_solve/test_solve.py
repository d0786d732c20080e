# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pool, closure, installability and duplicates, with libsolv as the judge."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.hdlist import parse_hdlist
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.synthesis import Record, parse_synthesis
from ansible_collections.xtreemos.cluster.plugins.module_utils._rpm.evr import EQUAL, GREATER, Evr
from ansible_collections.xtreemos.cluster.plugins.module_utils._rpm.header import read_rpm
from ansible_collections.xtreemos.cluster.plugins.module_utils._solve.closure import closure, select
from ansible_collections.xtreemos.cluster.plugins.module_utils._solve.duplicates import duplicates, old_versions
from ansible_collections.xtreemos.cluster.plugins.module_utils._solve.installable import check
from ansible_collections.xtreemos.cluster.plugins.module_utils._solve.load import (
    pool_from_headers,
    pool_from_media,
    pool_from_packages,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._solve.pool import (
    Item,
    Pool,
    package_of,
    parse_item,
    pool_of,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._solve.report import media_report, report_lines
from ansible_collections.xtreemos.cluster.plugins.module_utils._solve.rich import RichError, parse_rich
from ansible_collections.xtreemos.cluster.tests.unit._media.samples import content, medium, run
from ansible_collections.xtreemos.cluster.tests.unit._rpm.samples import GOLDEN
from ansible_collections.xtreemos.cluster.tests.unit._solve.samples import (
    libsolv_broken,
    pool,
    random_records,
    record,
)
from hypothesis import given
from hypothesis import strategies as st


def names(made: Pool, text: str) -> list[str]:
    return [made.packages[number].nvra for number in made.providers(text)]


def broken(made: Pool) -> dict[str, str]:
    report = check(made)
    assert not report.undecided
    return {one.nvra: str(one) for one in report.broken}


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("a", Item("a")),
        ("a[*]", Item("a")),
        ("a[== 1:2-3]", Item("a", EQUAL, Evr(1, "2", "3"))),
        ("a[*][>= 1]", Item("a", GREATER | EQUAL, Evr(0, "1", None))),
        ("libc.so.6()(64bit)", Item("libc.so.6()(64bit)")),
        ("perl(A::B)[> 1.0]", Item("perl(A::B)", GREATER, Evr(0, "1.0", None))),
        ("odd]", Item("odd]")),
        ("a[== -1]", Item("a")),
        ("a[ 1]", Item("a", 0, Evr(0, "1", None))),
    ],
)
def test_items(text: str, item: Item) -> None:
    assert parse_item(text) == item


def test_packages() -> None:
    made = package_of(record("lib-a-1.0-2.x86_64", epoch=3, requires="x|x|y", suggests="s"), "main")
    assert (made.name, made.evr, made.arch, made.medium) == ("lib-a", Evr(3, "1.0", "2"), "x86_64", "main")
    assert (made.requires, made.suggests, str(made)) == (("x", "y"), ("s",), "lib-a-1.0-2.x86_64")


@pytest.mark.parametrize("nvra", [b"a", b"a-1.noarch", b"-1-1.noarch", b""])
def test_records_that_are_no_packages(nvra: bytes) -> None:
    with pytest.raises(ClusterError, match="no NAME-VERSION-RELEASE.ARCH"):
        package_of(Record(nvra, {}))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a", ["a-2-1.noarch", "a-1-1.noarch", "b-1-1.noarch"]),
        ("a[*]", ["a-2-1.noarch", "a-1-1.noarch", "b-1-1.noarch"]),
        ("a[< 2]", ["a-1-1.noarch", "b-1-1.noarch"]),
        ("a[>= 2]", ["a-2-1.noarch"]),
        ("a[> 5]", []),
        ("/bin/sh", ["c-1-1.noarch"]),
        ("/from/headers", ["c-1-1.noarch"]),
        ("(a[>= 2] or c)", ["a-2-1.noarch", "c-1-1.noarch"]),
        ("(a with v)", ["b-1-1.noarch"]),
        ("(a without v)", ["a-2-1.noarch", "a-1-1.noarch"]),
        ("none", []),
        ("(broken", []),
    ],
)
def test_providers(text: str, wanted: list[str]) -> None:
    records = [record("a-1-1.noarch"), record("b-1-1.noarch", provides="a[== 1]|v"), record("a-2-1.noarch")]
    records.append(record("c-1-1.noarch", provides="/bin/sh"))
    made = Pool([package_of(one) for one in records], {"/from/headers": [3]})
    assert names(made, text) == wanted


@pytest.mark.parametrize(
    ("text", "demands"),
    [
        ("(a or b)", ["(a or b)"]),
        ("(a or b >= 1 or c)", ["(a or b[>= 1] or c)"]),
        ("(a and b = 2)", ["a", "b[== 2]"]),
        ("(a and (b or c()(64bit)))", ["a", "(b or c()(64bit))"]),
        ("(a if b)", []),
        ("(a unless b)", []),
        ("(a if b else c)", ["(a or c)"]),
        ("((a))", ["a"]),
        ("(lib.so()(64bit))", ["lib.so()(64bit)"]),
        ("(a[>= 1] or b)", ["(a[>= 1] or b)"]),
    ],
)
def test_boolean_dependencies(text: str, demands: list[str]) -> None:
    assert list(parse_rich(text).demands()) == demands


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "(",
        "()",
        "(a",
        "(a or)",
        "(or a)",
        "(a b)",
        "(a or b and c)",
        "(a) b)",
        "(a >=)",
        "(" * 50 + "a" + ")" * 50,
    ],
)
def test_no_boolean_dependencies(text: str) -> None:
    with pytest.raises(RichError):
        parse_rich(text)


@given(
    st.text("ab ()<=>", max_size=20) | st.lists(st.sampled_from(["(", ")", "a", "or", "and", ">=", "1"])).map(" ".join)
)
def test_any_boolean_dependency(text: str) -> None:
    try:
        found = parse_rich(text)
    except RichError:
        return
    assert parse_rich("(%s)" % found) is not None and list(found.demands()) is not None


# Installability: packages, and the packages that are broken with their chains.
CASES: list[tuple[str, list[Record], dict[str, str]]] = [
    (
        "chain",
        [
            record("a-1-1.noarch", requires="b"),
            record("b-1-1.noarch", requires="c[>= 2]"),
            record("c-1-1.noarch"),
            record("d-1-1.noarch"),
        ],
        {
            "a-1-1.noarch": "a-1-1.noarch requires b, provided by b-1-1.noarch; "
            "nothing provides c[>= 2] required by b-1-1.noarch",
            "b-1-1.noarch": "nothing provides c[>= 2] required by b-1-1.noarch",
        },
    ),
    ("circle", [record("a-1-1.noarch", requires="b"), record("b-1-1.noarch", requires="a")], {}),
    (
        "circle that lacks something",
        [record("a-1-1.noarch", requires="b"), record("b-1-1.noarch", requires="a|x")],
        {
            "a-1-1.noarch": "a-1-1.noarch requires b, provided by b-1-1.noarch; "
            "nothing provides x required by b-1-1.noarch",
            "b-1-1.noarch": "nothing provides x required by b-1-1.noarch",
        },
    ),
    ("another provider", [record("a-1-1.noarch", requires="v"), record("b-1-1.noarch", provides="v")], {}),
    (
        "conflict with what it needs",
        [record("a-1-1.noarch", requires="b", conflicts="b"), record("b-1-1.noarch")],
        {"a-1-1.noarch": "a-1-1.noarch requires b, provided by b-1-1.noarch; a-1-1.noarch excludes b-1-1.noarch"},
    ),
    (
        "obsoletes what it needs",
        [record("a-1-1.noarch", requires="b", obsoletes="b[< 2]"), record("b-1-1.noarch")],
        {"a-1-1.noarch": "a-1-1.noarch requires b, provided by b-1-1.noarch; a-1-1.noarch excludes b-1-1.noarch"},
    ),
    (
        "obsoletes go by names",
        [record("a-1-1.noarch", requires="b", obsoletes="v"), record("b-1-1.noarch", provides="v")],
        {},
    ),
    (
        "two builds of a name",
        [record("a-1-1.noarch", requires="b[== 1]|b[== 2]"), record("b-1-1.noarch"), record("b-2-1.noarch")],
        {
            "a-1-1.noarch": "a-1-1.noarch requires b[== 2], provided by b-2-1.noarch; "
            "a-1-1.noarch requires b[== 1], provided by b-1-1.noarch; b-2-1.noarch excludes b-1-1.noarch"
        },
    ),
    (
        "the other choice works",
        [
            record("a-1-1.noarch", requires="v|c"),
            record("b-1-1.noarch", provides="v"),
            record("d-1-1.noarch", provides="v"),
            record("c-1-1.noarch", conflicts="b"),
        ],
        {},
    ),
    (
        "a conflict breaks those above",
        [
            record("t-1-1.noarch", requires="a"),
            record("a-1-1.noarch", requires="b|c"),
            record("b-1-1.noarch", conflicts="c"),
            record("c-1-1.noarch"),
        ],
        {
            "a-1-1.noarch": "a-1-1.noarch requires c, provided by c-1-1.noarch; "
            "a-1-1.noarch requires b, provided by b-1-1.noarch; c-1-1.noarch excludes b-1-1.noarch",
            "t-1-1.noarch": "",
        },
    ),
    ("rich", [record("a-1-1.noarch", requires="(x or b)|(y if z)"), record("b-1-1.noarch")], {}),
    (
        "rich that lacks something",
        [record("a-1-1.noarch", requires="(x or y >= 2)")],
        {"a-1-1.noarch": "nothing provides (x or y[>= 2]) required by a-1-1.noarch"},
    ),
]


@pytest.mark.parametrize(("records", "wanted"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_installability(records: list[Record], wanted: dict[str, str]) -> None:
    found = broken(pool(*records))
    assert found.keys() == wanted.keys()
    for nvra, chain in wanted.items():
        steps = found[nvra].split("; ")
        if chain:
            assert sorted(steps[:-1]) == sorted(chain.split("; ")[:-1])
            ends = steps[-1].split(" excludes "), chain.split("; ")[-1].split(" excludes ")
            assert sorted(ends[0]) == sorted(ends[1])


@pytest.mark.parametrize("seed", range(60))
def test_as_libsolv(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    records = random_records(chance, chance.randint(4, 18))
    assert set(broken(pool(*records))) == libsolv_broken(records, tmp_path)


def test_the_recorded_medium() -> None:
    text = content(GOLDEN / "a-plain" / "media_info" / "synthesis.hdlist.cz")
    report = check(pool_of({"main": parse_synthesis(text)}))
    causes = report.causes()
    assert "nothing provides a-simple[> 99] required by a-broken-1.0-1mdv2009.0.noarch" in causes
    assert any("/bin/from-other-media" in cause for cause in causes)
    # libsolv takes boolean dependencies for names and calls this one broken.
    assert "a-rich-1.0-1mdv2009.0.noarch" not in {one.nvra for one in report.broken}
    assert all(one.medium == "main" and one.chain for one in report.broken)


def test_a_search_that_is_given_up() -> None:
    """Pigeons and holes: nothing is forced, every choice fails late."""
    holes = 7
    items = ["h%d" % number for number in range(holes)]
    records = [record("p%d-1-1.noarch" % number, requires="hole%d" % number) for number in range(holes + 1)]
    for pigeon in range(holes + 1):
        for hole in items:
            others = "|".join("%s-%d" % (hole, other) for other in range(holes + 1) if other != pigeon)
            provided = "hole%d" % pigeon
            records.append(record("%s-%d-1-1.noarch" % (hole, pigeon), provides=provided, conflicts=others))
    everyone = "|".join("p%d" % number for number in range(holes + 1))
    records.append(record("all-1-1.noarch", requires=everyone))
    report = check(pool(*records), budget=50)
    assert report.undecided == ("all-1-1.noarch",) and not report.broken


# Closure.

SHOP = [
    record("app-1-1.noarch", requires="lib[>= 2]|mta|/bin/sh", suggests="docs|nothing"),
    record("lib-1-1.noarch"),
    record("lib-2-1.noarch", requires="base"),
    record("base-1-1.noarch", provides="/bin/sh"),
    record("postfix-1-1.noarch", provides="mta"),
    record("exim-1-1.noarch", provides="mta"),
    record("docs-1-1.noarch"),
    record("odd-1-1.noarch", requires="missing[> 1]"),
]


def walk(
    *wanted: str, **options: object
) -> tuple[list[str], dict[str, tuple[str, tuple[str, ...]]], dict[str, list[str]]]:
    made = pool(*SHOP)
    found = closure(made, select(made, wanted), **options)  # type: ignore[arg-type]
    return [nvra[: -len(".noarch")] for nvra in found.packages], found.choices, found.missing


def test_closure() -> None:
    packages, choices, missing = walk("app")
    assert packages == ["app-1-1", "lib-2-1", "exim-1-1", "base-1-1"]
    assert choices == {"mta": ("exim-1-1.noarch", ("postfix-1-1.noarch",))} and missing == {}


def test_closure_tells_why() -> None:
    made = pool(*SHOP)
    found = closure(made, select(made, ["app"]))
    assert found.packages["app-1-1.noarch"] == "wanted"
    assert found.packages["base-1-1.noarch"] == "/bin/sh required by app-1-1.noarch"


def test_choices() -> None:
    assert "postfix-1-1" in walk("app", prefer=["postfix"])[0] and walk("app", prefer=["postfix"])[1] == {}
    assert "postfix-1-1" in walk("app", "postfix")[0] and "exim-1-1" not in walk("app", "postfix")[0]
    assert {"postfix-1-1", "exim-1-1"} <= set(walk("app", policy="all")[0])
    with pytest.raises(ClusterError, match="mta required by app-1-1.noarch: there is a choice of exim, postfix"):
        walk("app", policy="fail")
    with pytest.raises(ClusterError, match="unknown choice policy 'any'"):
        walk("app", policy="any")


def test_suggestions_and_missing_things() -> None:
    assert "docs-1-1" in walk("app", suggests=True)[0] and walk("app", suggests=True)[2] == {}
    assert walk("odd")[2] == {"missing[> 1]": ["odd-1-1.noarch"]}


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["lib"], ["lib-2-1"]),
        (["lib-1-1.noarch"], ["lib-1-1"]),
        (["[de]*"], ["docs-1-1", "exim-1-1"]),
        (["mta"], ["exim-1-1"]),
        (["lib", "lib[>= 1]", "l?b"], ["lib-2-1"]),
    ],
)
def test_selection(words: list[str], wanted: list[str]) -> None:
    made = pool(*SHOP)
    assert [made.packages[number].nvra for number in select(made, words)] == [one + ".noarch" for one in wanted]


def test_selection_names_what_is_unknown() -> None:
    with pytest.raises(ClusterError, match=r"no package is called nope, x\*"):
        select(pool(*SHOP), ["lib", "x*", "nope"])


@pytest.mark.parametrize("seed", range(20))
def test_a_closure_is_closed(seed: int) -> None:
    made = pool(*random_records(random.Random(seed), 15))
    found = closure(made, [0, 1], policy=random.Random(seed).choice(["first", "all"]))
    chosen = set(found.numbers)
    for number in chosen:
        for text in made.packages[number].requires:
            assert text in found.missing or chosen.intersection(made.providers(text))
    assert len(found.packages) == len(found.numbers)


# Duplicates.


def test_duplicates() -> None:
    made = pool(
        record("a-1-1.noarch"),
        record("a-1-1.x86_64"),
        record("b-1-1.noarch"),
        record("b-1-1.noarch", epoch=1),
        updates=[
            record("a-1-1.noarch"),
            record("a-1.1-1.noarch"),
            record("a-1.1~rc1-1.noarch"),
            record("c-1-1.noarch"),
        ],
    )
    found = duplicates(made)
    assert list(found) == ["a.noarch", "b.noarch"]
    assert found["a.noarch"].newest == ("a-1.1-1.noarch", "updates")
    assert [nvra for nvra, _medium in found["a.noarch"].older] == ["a-1.1~rc1-1.noarch", "a-1-1.noarch", "a-1-1.noarch"]
    assert found["b.noarch"].again == (("b-1-1.noarch", "main"),)
    assert list(duplicates(made, ["b"])) == ["b.noarch"]
    assert old_versions(made) == ["a-1-1.noarch", "a-1.1~rc1-1.noarch"]


# Pools from media and from packages.


def test_every_source_gives_the_same_findings(tmp_path: Path) -> None:
    folder = medium(tmp_path / "m")
    run(folder)
    pools = [
        pool_from_media({"main": str(folder)}, LocalHost()),
        pool_from_headers({"main": parse_hdlist((folder / "media_info" / "hdlist.cz").read_bytes())}),
        pool_from_packages({"main": [read_rpm(str(path)) for path in sorted(folder.glob("*.rpm"))]}),
    ]
    findings = [check(made) for made in pools]
    assert findings[0].broken and findings[0].causes() == findings[1].causes() == findings[2].causes()
    assert [len(made.packages) for made in pools] == [42, 42, 42]


def test_files_of_other_media_are_found_in_headers(tmp_path: Path) -> None:
    """A synthesis does not list a file that only a package of another medium requires."""
    one, two = medium(tmp_path / "one", names=["a-simple"]), medium(tmp_path / "two", names=["a-filereq"])
    for folder in (one, two):
        run(folder)
    paths = {"one": one, "two": two}
    by_synthesis = pool_from_media({name: str(path) for name, path in paths.items()}, LocalHost())
    headers = {name: parse_hdlist((path / "media_info" / "hdlist.cz").read_bytes()) for name, path in paths.items()}
    wanted = "/usr/share/a-simple/data"
    assert by_synthesis.providers(wanted) == () and names(pool_from_headers(headers), wanted) == [
        "a-simple-1.0-1mdv2009.0.noarch"
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [(None, "medium main: .*does not exist"), (b"x\n", "bad line 1: x"), (b"\x1f\x8bx", "damaged gzip data")],
)
def test_media_that_are_no_good(tmp_path: Path, data: bytes | None, message: str) -> None:
    (tmp_path / "media_info").mkdir()
    if data is not None:
        (tmp_path / "media_info" / "synthesis.hdlist.cz").write_bytes(data)
    with pytest.raises(ClusterError, match=message):
        pool_from_media({"main": str(tmp_path)}, LocalHost())


def test_report() -> None:
    made = pool(
        record("a-1-1.noarch", requires="x"),
        *(record("b%d-1-1.noarch" % number, requires="a") for number in range(6)),
        record("c-1-1.noarch"),
        updates=[record("c-2-1.noarch"), record("a-1-1.noarch", requires="x")],
    )
    found = media_report(made)
    assert json.loads(json.dumps(found)) == found
    assert found["packages"] == 10 and len(found["broken"]) == 7
    assert found["broken"]["b0-1-1.noarch"]["chain"][-1] == "nothing provides x required by a-1-1.noarch"
    lines = report_lines(found)
    assert lines[0] == "10 packages, 7 cannot be installed"
    assert any("and 3 more" in line or "and 2 more" in line for line in lines)
    assert "c-2-1.noarch: older builds c-1-1.noarch (main)" in lines
    assert "a-1-1.noarch: in several media, main, updates" in lines
