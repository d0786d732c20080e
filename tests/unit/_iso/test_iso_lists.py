# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists of packages and rpmsrate: grammar, round trips, damage."""

from __future__ import annotations

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import MemoryHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._iso.lists import (
    Line,
    Patterns,
    parse_list,
    read_lists,
    render_list,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._iso.rpmsrate import (
    clean_rpmsrate,
    in_category,
    parse_rpmsrate,
    render_rpmsrate,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._rpm.evr import Evr
from ansible_collections.xtreemos.cluster.plugins.module_utils._solve.pool import Package
from hypothesis import given
from hypothesis import strategies as st

# In the manner of the lists of BCD.
INPUT = b"""\
# basesystem
  bash
CAT_GNOME 4

INSTALL 1
*nvidia*cuda*
#locales-(en|fr)
mozilla-thunderbird-*5.0*
^procps$
"""
RATES = b"""\
# what the installer knows
CAT_SYSTEM
  5 bash
  4 SOUND||PHOTO alsa-utils
  INSTALL
    3 TYPE"Laptop x" cpufreq acpi
    !LAPTOP 5 dhcp-client   # a comment
CAT_GNOME
  5 META_CLASS"desktop" gnome-panel gnome-session
  2 gnome-games
"""


def package(name: str, version: str = "1", release: str = "1", arch: str = "noarch") -> Package:
    return Package("%s-%s-%s.%s" % (name, version, release, arch), name, Evr(0, version, release), arch)


def test_a_list() -> None:
    lines = parse_list(INPUT, "input")
    assert [(line.text, line.rate, line.number) for line in lines] == [
        ("bash", None, 2),
        ("CAT_GNOME", 4, 3),
        ("INSTALL", 1, 5),
        ("*nvidia*cuda*", None, 6),
        ("mozilla-thunderbird-*5.0*", None, 8),
        ("^procps$", None, 9),
    ]
    assert [line.is_pattern for line in lines] == [False, False, False, True, True, True]
    assert str(lines[1]) == "CAT_GNOME 4 (input line 3)"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"a\nb c\n", "input line 2: 'b c' is neither"),
        (b"CAT_X 7\n", "input line 1"),
        (b"cat_x 4\n", "input line 1"),
        (b"a\n\n\xff\xfe\n", "input line 3: no UTF-8"),
        (b"a\0b\n", "input line 1"),
        (b"^a(\n", "bad regular expression"),
    ],
)
def test_a_bad_list(data: bytes, told: str) -> None:
    with pytest.raises(ClusterError) as error:
        parse_list(data, "input")
    assert told in error.value.message and error.value.hint


def test_a_missing_list() -> None:
    with pytest.raises(ClusterError, match="the list lists/none does not exist"):
        read_lists(["lists/none"], (), "packages", MemoryHost())
    lines = read_lists(["l"], [" word "], "packages", MemoryHost({"l": b"one\n"}))
    assert [str(line) for line in lines] == ["one (l line 1)", "word (packages)"]


@pytest.mark.parametrize(
    ("pattern", "name", "found"),
    [
        ("bash", "bash", True),
        ("bash", "bash-doc", False),
        ("bash-1", "bash", True),
        ("bash-1-1", "bash", True),
        ("bash-1-1.noarch", "bash", True),
        ("bas?", "bash", True),
        ("*as*", "bash", True),
        ("as*", "bash", False),
        ("*as", "bash", False),
        ("bash-*1*", "bash", True),
        ("bash-[23]*", "bash", False),
        ("^ba", "bash", True),
        ("sh$", "bash", True),
        ("1$", "bash", False),
        ("^ash$", "bash", False),
    ],
)
def test_patterns(pattern: str, name: str, found: bool) -> None:
    lines = [Line("other", "x", 1), Line(pattern, "x", 2)]
    assert (Patterns(lines).find(package(name)) == lines[1]) is found


def test_no_patterns() -> None:
    assert Patterns(()).find(package("a")) is None


WORD = st.text(st.characters(codec="ascii", categories=("L", "N", "P"), exclude_characters="#"), min_size=1)


@given(st.lists(st.one_of(WORD.filter(lambda w: w[0] != "^" and w[-1] != "$"), st.just("CAT_A 3"))))
def test_lists_survive_a_round_trip(words: list[str]) -> None:
    lines = parse_list("".join(word + "\n" for word in words).encode(), "x")
    again = parse_list(render_list(lines), "x")
    assert [(line.text, line.rate) for line in again] == [(line.text, line.rate) for line in lines]


@given(st.binary(max_size=200))
def test_any_bytes_give_lists_or_one_error(data: bytes) -> None:
    for parse in (parse_list, parse_rpmsrate):
        try:
            parse(data, "x")  # type: ignore[operator]
        except ClusterError as error:
            assert "x line" in error.message or "x" in error.message


def test_rates() -> None:
    rows = parse_rpmsrate(RATES)
    (cpu,) = [row for row in rows if "cpufreq" in row.names]
    assert (cpu.rate, cpu.names) == (3, ("cpufreq", "acpi"))
    assert cpu.flags == (("CAT_SYSTEM",), ("INSTALL",), ('TYPE"Laptop x"',))
    (sound,) = [row for row in rows if "alsa-utils" in row.names]
    assert sound.flags == (("CAT_SYSTEM",), ("SOUND", "PHOTO")) and sound.has("PHOTO")
    (dhcp,) = [row for row in rows if "dhcp-client" in row.names]
    assert dhcp.rate == 5 and dhcp.has("!LAPTOP") and not dhcp.has("LAPTOP")
    assert render_rpmsrate(rows) == RATES


@pytest.mark.parametrize(
    ("category", "rate", "found"),
    [
        ("CAT_GNOME", 4, ["gnome-panel", "gnome-session"]),
        ("CAT_GNOME", 1, ["gnome-panel", "gnome-session", "gnome-games"]),
        ("INSTALL", 1, ["cpufreq", "acpi", "dhcp-client"]),
        ("CAT_SYSTEM", 4, ["bash", "alsa-utils", "dhcp-client"]),
        ("PHOTO", 5, []),
    ],
)
def test_categories(category: str, rate: int, found: list[str]) -> None:
    assert in_category(parse_rpmsrate(RATES), Line(category, "x", 1, rate)) == found


def test_an_unknown_category_tells_near_ones() -> None:
    with pytest.raises(ClusterError, match=r"no category CAT_GNOMES 4 \(x line 1\) \(near it: CAT_GNOME"):
        in_category(parse_rpmsrate(RATES), Line("CAT_GNOMES", "x", 1, 4))


@pytest.mark.parametrize(
    ("data", "told"), [(b"CAT_X\n\t5 a\n", "line 2: a tab"), (b"CAT_X\n  a\n", "line 2: a has no")]
)
def test_bad_rates(data: bytes, told: str) -> None:
    with pytest.raises(ClusterError, match=told):
        parse_rpmsrate(data)


def test_cleaning() -> None:
    rows = parse_rpmsrate(RATES)
    cleaned = render_rpmsrate(clean_rpmsrate(rows, {"bash", "cpufreq", "gnome-session"})).decode()
    assert cleaned == (
        "# what the installer knows\nCAT_SYSTEM\n  5 bash\n  INSTALL\n"
        '    3 TYPE"Laptop x" cpufreq\nCAT_GNOME\n  5 META_CLASS"desktop" gnome-session\n'
    )
    everything = {name for row in rows for name in row.names}
    assert render_rpmsrate(clean_rpmsrate(rows, everything)) == RATES


def test_a_line_that_others_depend_on_stays_when_it_is_cleaned() -> None:
    rows = parse_rpmsrate(b"CAT_X 5 a\n  b\n  c\n")
    assert render_rpmsrate(clean_rpmsrate(rows, {"b"})) == b"CAT_X 5\n  b\n"
    assert in_category(rows, Line("CAT_X", "x", 1, 5)) == ["a", "b", "c"]


@given(st.sets(st.sampled_from(["bash", "alsa-utils", "cpufreq", "acpi", "gnome-panel", "gnome-games"])))
def test_what_was_cleaned_parses_and_names_only_what_is_there(known: set[str]) -> None:
    rows = parse_rpmsrate(render_rpmsrate(clean_rpmsrate(parse_rpmsrate(RATES), known)))
    before = {name: row.rate for row in parse_rpmsrate(RATES) for name in row.names}
    assert {name: row.rate for row in rows for name in row.names} == {name: before[name] for name in known}
