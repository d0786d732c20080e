# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a mirror offers to dnf and what dnf_client writes for it name the same repositories in the same words."""

from __future__ import annotations

import configparser
import typing as t
from pathlib import Path

import jinja2
import pytest
import yaml
from ansible.plugins.filter.core import FilterModule

ROLES = Path(__file__).resolve().parents[3] / "roles"
URL = "http://mirror.example.org:8080"
SECTIONS = ["release", "updates", "testing"]
TREE = {"name": "xtreemos", "distribution": "XtreemOS", "version": "2.1", "arches": ["x86_64"]}
MEDIA: list[dict[str, t.Any]] = [
    {"name": "main", "sections": SECTIONS},
    {"name": "contrib", "title": "Extras", "sections": [*SECTIONS, "backports"]},
]
SHARED = ("baseurl", "gpgcheck", "repo_gpgcheck")


def render(role: str, name: str, **words: t.Any) -> configparser.ConfigParser:
    """A template with the role's defaults, as Ansible fills it in."""
    folder = ROLES / role
    env = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined)
    filters = FilterModule().filters()
    env.filters.update({name: filters[name] for name in ("bool", "regex_replace")})
    values = yaml.safe_load((folder / "defaults/main.yml").read_text()) or {}
    text = env.from_string((folder / "templates" / name).read_text()).render({**values, **words})
    found = configparser.ConfigParser(interpolation=None, default_section="-")
    found.read_string(text)
    return found


def offered(sign: bool = True, media: t.Sequence[t.Mapping[str, t.Any]] | None = None) -> configparser.ConfigParser:
    tree = {**TREE, "media": MEDIA if media is None else media}
    return render("mirror_host", "dnf.repo.j2", tree=tree, mirror_host_url=URL, mirror_host_sign=sign)


def written(**more: t.Any) -> configparser.ConfigParser:
    given = {"media": ["main", "contrib"], "sections": ["release", "updates"], "repo_gpgcheck": True, **more}
    tree = {"name": TREE["name"], "version": TREE["version"], "url": URL + "/", **given}
    return render(
        "dnf_client", "client.repo.j2", dnf_client_trees=[tree], dnf_client_repositories=[], __dnf_client_key_file="/k"
    )


def test_clients_take_what_the_mirror_switches_on() -> None:
    mirror, client = offered(), written()
    assert client.sections() == [name for name in mirror.sections() if mirror[name]["enabled"] == "1"]
    assert len(client.sections()) == 4
    for name in client.sections():
        assert {key: client[name][key] for key in SHARED} == {key: mirror[name][key] for key in SHARED}, name
        assert client[name]["enabled"] == "1"


@pytest.mark.parametrize("section", ["testing", "backports"])
def test_other_sections_are_there_when_asked_for(section: str) -> None:
    mirror, client = offered(), written(media=["contrib"], sections=[section])
    name = "xtreemos-contrib-" + section
    assert client.sections() == [name]
    assert mirror[name]["enabled"] == "0"
    assert client[name]["baseurl"] == mirror[name]["baseurl"]
    assert client[name]["baseurl"] == URL + "/xtreemos/2.1/$basearch/media/contrib/" + section


def test_every_repository_of_a_signed_mirror_is_checked() -> None:
    for found in (offered(), written()):
        for name in found.sections():
            assert (found[name]["gpgcheck"], found[name]["repo_gpgcheck"]) == ("1", "1")
            assert found[name]["gpgkey"]


def test_a_mirror_without_keys_promises_none() -> None:
    mirror = offered(sign=False)
    assert not any(mirror.has_option(name, "gpgcheck") for name in mirror.sections())
    assert written(repo_gpgcheck=False)["xtreemos-main-release"]["repo_gpgcheck"] == "0"


def test_noauto_is_heeded() -> None:
    mirror = offered(media=[{"name": "main", "sections": SECTIONS, "noauto": ["updates"]}])
    on = {name: mirror[name]["enabled"] for name in mirror.sections()}
    assert on == {"xtreemos-main-release": "1", "xtreemos-main-updates": "0", "xtreemos-main-testing": "0"}
