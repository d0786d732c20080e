# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variable files of the distribution families: the same names in each, and a way to install."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

ROLES = Path(__file__).resolve().parents[2] / "roles"
FAMILIES = ("debian", "fedora", "redhat", "mageia")
OURS = ("cluster_nodes", "diskless", "lab", "pxe_server")


def files_of(role: str) -> dict[str, Path]:
    return {family: path for family in FAMILIES if (path := ROLES / role / "vars" / (family + ".yml")).is_file()}


WITH_FAMILIES = sorted(role.name for role in ROLES.iterdir() if len(files_of(role.name)) > 1)


def test_roles_of_several_families() -> None:
    assert {*OURS, "mirror_host"} <= set(WITH_FAMILIES)


@pytest.mark.parametrize("role", WITH_FAMILIES)
def test_the_family_of_the_scenario_has_the_same_names(role: str) -> None:
    path = ROLES.parent / "extensions" / "molecule" / role / "vars" / "molecule.yml"
    if path.exists():
        assert set(yaml.safe_load(path.read_text())) >= set(yaml.safe_load(files_of(role)["debian"].read_text()))


@pytest.mark.parametrize("role", WITH_FAMILIES)
def test_every_family_has_the_same_names(role: str) -> None:
    texts = {family: path.read_text(encoding="utf-8") for family, path in files_of(role).items()}
    kinds = {
        family: {key: type(value) for key, value in yaml.safe_load(text).items()} for family, text in texts.items()
    }
    first = next(iter(kinds.values()))
    assert first and all(kind == first for kind in kinds.values()), kinds
    assert all(key.startswith("__%s_" % role) for key in first)
    assert all(len(text.splitlines()) <= 40 for text in texts.values())


@pytest.mark.parametrize(
    "role", [role for role in WITH_FAMILIES if (ROLES / role / "tasks/install-debian.yml").exists()]
)
def test_every_family_can_install(role: str) -> None:
    for family in files_of(role):
        tasks = yaml.safe_load((ROLES / role / "tasks" / ("install-%s.yml" % family)).read_text(encoding="utf-8"))
        installer = "ansible.builtin.apt" if family == "debian" else "ansible.builtin.dnf"
        assert installer in tasks[0], (role, family)


@pytest.mark.parametrize("role", OURS)
def test_the_option_names_every_family(role: str) -> None:
    assert set(files_of(role)) == set(FAMILIES)
    specs = yaml.safe_load((ROLES / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    option = specs["main"]["options"]["%s_family" % role]
    text = str(option["description"])
    assert option["default"] == "debian" and (role == "lab" or all(family in text for family in FAMILIES))
    defaults = yaml.safe_load((ROLES / role / "defaults/main.yml").read_text(encoding="utf-8"))
    assert defaults["%s_family" % role] == "debian"


# What Ansible makes of the files, in one run for all of them

PLAY = """
- name: Render what the boot server of a family writes
  hosts: localhost
  gather_facts: false
  vars_files:
    - "{{ role_folder }}/pxe_server/defaults/main.yml"
    - "{{ role_folder }}/pxe_server/vars/main.yml"
  vars:
    pxe_server_interface: eth1
    pxe_server_address: 10.0.1.1
  tasks:
    - name: Write it down
      ansible.builtin.include_tasks: render.yml
      vars:
        pxe_server_dhcp: "{{ {'backend': item.1} }}"
        pxe_server_subnets: []
        pxe_server_uefi: "{{ item.1 == 'kea' }}"
      loop: "{{ families | product(['isc', 'kea', 'dnsmasq', 'none']) | list }}"
- name: Ask for what a family cannot do
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Try
      ansible.builtin.include_tasks: try.yml
      loop: "{{ families | product(['diskless', 'lab']) | list }}"
"""
RENDER = """
- ansible.builtin.include_vars: "{{ role_folder }}/pxe_server/vars/{{ item.0 }}.yml"
- ansible.builtin.copy:
    dest: "{{ out }}/{{ item.0 }}-{{ item.1 }}.json"
    content: >-
      {{ {'files': __pxe_server_files, 'services': __pxe_server_services,
          'packages': __pxe_server_wanted_packages, 'dhcp': __pxe_server_dhcp_options} | to_json }}
    mode: "0644"
"""
TRY = """
- block:
    - ansible.builtin.include_role:
        name: "xtreemos.cluster.{{ item.1 }}"
        tasks_from: "{{ 'keys' if item.1 == 'lab' else 'main' }}"
      vars:
        diskless_family: "{{ item.0 }}"
        diskless_authorized_keys: [ssh-ed25519 A]
        diskless_images_root: /proc/nowhere
        lab_family: "{{ item.0 }}"
        lab_state: /proc/nowhere
        lab_run_dir: /proc/nowhere
        lab_ssh_port: 2222
  rescue:
    - ansible.builtin.copy:
        dest: "{{ out }}/{{ item.1 }}-{{ item.0 }}.txt"
        content: "{{ ansible_failed_result.msg }}"
        mode: "0644"
"""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what the plays wrote."""
    folder = tmp_path_factory.mktemp("families")
    for name, text in (("play.yml", PLAY), ("render.yml", RENDER), ("try.yml", TRY)):
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "templates").symlink_to(ROLES / "pxe_server" / "templates")
    words = {
        "ansible_python_interpreter": sys.executable,
        "role_folder": str(ROLES),
        "out": str(folder),
        "families": list(FAMILIES),
    }
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", "-c", "local"]
    done = subprocess.run(
        [*argv, "-e", json.dumps(words), str(folder / "play.yml")],
        env=dict(os.environ, ANSIBLE_LOCALHOST_WARNING="false", ANSIBLE_NOCOLOR="1"),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def rendered(out: Path, family: str, backend: str = "isc") -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", json.loads((out / ("%s-%s.json" % (family, backend))).read_text()))


def names_of(family: str) -> dict[str, t.Any]:
    text = (ROLES / "pxe_server/vars" / (family + ".yml")).read_text(encoding="utf-8")
    return {key.replace("__pxe_server_", ""): value for key, value in yaml.safe_load(text).items()}


RPM_PATHS = ["/etc/nginx/nginx.conf", "/etc/sysconfig/dhcpd", "/etc/sysconfig/xtreemos-tftp"]


@pytest.mark.parametrize(
    ("family", "paths", "packages"),
    [
        (
            "debian",
            ["/etc/default/isc-dhcp-server", "/etc/default/tftpd-hpa", "/etc/nginx/conf.d/xtreemos-boot.conf"],
            ["isc-dhcp-server", "nginx-light", "pxelinux", "radvd", "syslinux-common", "tftpd-hpa"],
        ),
        ("fedora", RPM_PATHS, ["dhcp-server", "nginx", "radvd", "syslinux-nonlinux", "tftp-server"]),
        ("redhat", RPM_PATHS, ["dhcp-server", "nginx", "radvd", "syslinux-tftpboot", "tftp-server"]),
        ("mageia", RPM_PATHS, ["dhcp-server", "nginx", "radvd", "syslinux", "tftp-server"]),
    ],
)
def test_names_of_the_boot_server(out: Path, family: str, paths: list[str], packages: list[str]) -> None:
    made = rendered(out, family)
    assert set(paths) <= {item["path"] for item in made["files"]}
    assert sorted(made["packages"]) == packages


@pytest.mark.parametrize("family", FAMILIES)
def test_the_units_of_the_boot_server_fit_together(out: Path, family: str) -> None:
    made, names = rendered(out, family), names_of(family)
    texts = {item["path"]: item.get("content", "") for item in made["files"]}
    units = "/etc/systemd/system/%s.service"
    for kind in ("isc", "tftp"):
        unit = texts[units % names[kind + "_service"]]
        assert "EnvironmentFile=%s\n" % names[kind + "_defaults"] in unit and names[kind + "_defaults"] in texts
    dhcp, leases = texts[units % names["isc_service"]], names["isc_leases"]
    assert "touch %s\n" % leases in dhcp and "-lf %s -cf %s " % (leases, names["isc_config"]) in dhcp
    for service in made["services"]:
        assert set(service.get("files", [])) - {names["isc_config"]} <= set(texts), service
    sources = [source for item in made["files"] for source in item.get("src", [])]
    assert {os.path.dirname(source) for source in sources} == set(names["loader_folders"])


@pytest.mark.parametrize("family", FAMILIES)
def test_nginx_listens_on_the_boot_interface_only(out: Path, family: str) -> None:
    made = rendered(out, family)
    site = next(item for item in made["files"] if item.get("validate", [""])[0] == "nginx")
    text = site["content"]
    assert [line.strip() for line in text.splitlines() if "listen " in line] == ["listen 10.0.1.1:80 default_server;"]
    whole = site["path"] == "/etc/nginx/nginx.conf"
    assert text.count("{") == text.count("}") and text.startswith("user nginx;") == whole
    assert bool(site["wrapper"]) != whole, "a file that is only a part is tested inside a whole one"


@pytest.mark.parametrize("family", FAMILIES)
def test_dhcp_that_is_left_to_another_server_is_not_installed(out: Path, family: str) -> None:
    both, other, names = rendered(out, family), rendered(out, family, "none"), names_of(family)
    assert set(both["packages"]) - set(other["packages"]) == set(names["isc_packages"])
    gone = {item["path"] for item in both["files"]} - {item["path"] for item in other["files"]}
    assert gone == {names["isc_defaults"], "/etc/systemd/system/%s.service" % names["isc_service"]}
    assert not [service for service in other["services"] if service.get("ours")]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("backend", "config"), [("kea", "/etc/kea/kea-dhcp4.conf"), ("dnsmasq", "/etc/xtreemos-dnsmasq.conf")]
)
def test_other_dhcp_servers_take_the_place_of_isc(out: Path, family: str, backend: str, config: str) -> None:
    made, none, names = rendered(out, family, backend), rendered(out, family, "none"), names_of(family)
    uefi = backend == "kea"
    wanted = [*names[backend + "_packages"], *(names["uefi_packages"] if uefi else [])]
    assert sorted(set(made["packages"]) - set(none["packages"])) == sorted(wanted)
    loaders = {"bios": "lpxelinux.0", "uefi_x64": "snponly.efi"} if uefi else None
    assert made["dhcp"].get("loaders") == loaders and made["dhcp"]["config_path"] == config
    efi = [item for item in made["files"] if item["path"].endswith("/snponly.efi")]
    assert [item["src"] for item in efi] == ([[names["uefi_loader"]]] if uefi else [])
    runs = {service["name"]: service for service in made["services"]}
    own = [name for name, service in runs.items() if config in service.get("files", [])]
    assert own == [names.get("%s_service" % backend, "xtreemos-dnsmasq")]
    texts = {item["path"]: item.get("content", "") for item in made["files"]}
    assert set(runs[own[0]]["files"]) - {config} <= set(texts)
    assert any("Restart=on-failure" in texts.get(path, "") for path in runs[own[0]]["files"])
    stopped = {name for name, service in runs.items() if service.get("state") == "stopped"}
    every = {names["isc_service"], names["kea_service"], "xtreemos-dnsmasq"}
    assert stopped == every - set(own) and all(runs[name]["ours"] for name in stopped)


@pytest.mark.parametrize("family", FAMILIES[1:])
@pytest.mark.parametrize(
    ("role", "told", "remedy"),
    [
        ("diskless", "images of packages are made by mmdebstrap, on Debian only", "diskless_root or diskless_tarball"),
        ("lab", "the head of the rack is made by mmdebstrap", "Run make lab on a Debian machine"),
    ],
)
def test_what_a_family_cannot_do_is_one_error_with_its_remedy(
    out: Path, family: str, role: str, told: str, remedy: str
) -> None:
    text = (out / ("%s-%s.txt" % (role, family))).read_text()
    assert text.startswith("%s_family %s: " % (role, family)) and told in text and remedy in text


@pytest.mark.parametrize("role", ["diskless", "lab"])
def test_debian_gets_past_that_error(out: Path, role: str) -> None:
    assert "/proc/nowhere" in (out / (role + "-debian.txt")).read_text()
