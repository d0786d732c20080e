# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Is what a user would install complete, and nothing more?"""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

from .engine import Job, StepFailed
from .trees import BIN, NAME, ansible_env, copy_tree

# What an installed collection has at its top, and nothing else.
WANTED = {"MANIFEST.json", "FILES.json", "CHANGELOG.md", "LICENSE", "README.md", "requirements.txt"}
WANTED.update(("docs", "inventories", "meta", "playbooks", "plugins", "roles"))


def build(job: Job) -> None:
    """Build the tarball from a copy of the tree and install it without any server."""
    tree = copy_tree(job.temp)
    env = ansible_env(job.temp / "empty")
    job.run(BIN / "ansible-galaxy", "collection", "build", "--force", "--output-path", job.temp, cwd=tree, env=env)
    tarballs = list(job.temp.glob("xtreemos-cluster-*.tar.gz"))
    if len(tarballs) != 1:
        raise StepFailed("expected one tarball, found %s" % [path.name for path in tarballs])
    target = job.temp / "installed"
    # --force: the link in the venv counts as an installed collection as well.
    words = ("collection", "install", "--offline", "--force", "-p")
    job.run(BIN / "ansible-galaxy", *words, target, tarballs[0], cwd=job.temp, env=env)
    _compare_content(target / NAME)


def _compare_content(root: Path) -> None:
    have = {path.name for path in root.iterdir()}
    strange = sorted(have - WANTED) + [str(path.relative_to(root)) for path in root.rglob("*.pyc")][:3]
    if strange:
        raise StepFailed("the tarball holds %s: see build_ignore in galaxy.yml" % ", ".join(strange))
    if WANTED - have:
        raise StepFailed("the tarball lacks %s" % ", ".join(sorted(WANTED - have)))


def installed(job: Job) -> None:
    """From the installed tarball: documentation of every plugin, and every playbook by its full name."""
    collections = job.temp / "installed"
    root = collections / NAME
    if not root.is_dir():
        raise StepFailed("nothing is installed: the step build did not pass")
    env = ansible_env(collections)
    for kind in ("module", "filter", "inventory", "callback"):
        _read_docs(job, env, kind, root)
    _read_roles(job, env, root)
    names = sorted("xtreemos.cluster.%s" % path.stem for path in (root / "playbooks").glob("*.yml"))
    failed = [name for name in names if not _reads(job, env, name)]
    if failed:
        raise StepFailed("playbooks that Ansible cannot read: %s" % ", ".join(failed))
    _run_playbook(job, env, root)


def _reads(job: Job, env: t.Mapping[str, str], name: str) -> bool:
    words = ("-i", "localhost,", "--syntax-check", name)
    return job.execute([BIN / "ansible-playbook", *words], job.temp, env)[0] == 0


def _run_playbook(job: Job, env: t.Mapping[str, str], root: Path) -> None:
    """One that needs no machine really runs, with the tarball's inventory: the end of a rack that is not there."""
    more = {**env, "LAB_STATE": str(job.temp / "no-rack")}
    words = ("-i", root / "inventories" / "lab", "xtreemos.cluster.lab_down")
    output = job.run(BIN / "ansible-playbook", *words, cwd=job.temp, env=more)
    if not re.search(r"^rack .*ok=[1-9].* changed=0 .*failed=0", output, re.M):
        raise StepFailed("xtreemos.cluster.lab_down did not run on the rack, or changed something")


def _read_docs(job: Job, env: t.Mapping[str, str], kind: str, root: Path) -> None:
    folder = root / "plugins" / ("modules" if kind == "module" else kind)
    if not any(path.stem != "__init__" for path in folder.glob("*.py")):
        return
    files = job.run(BIN / "ansible-doc", "-t", kind, "-F", "xtreemos.cluster", cwd=job.temp, env=env)
    rows = [line.split() for line in files.splitlines() if line.startswith("xtreemos.cluster.")]
    places = {row[0]: row[-1] for row in rows}
    strange = [place for place in places.values() if not Path(place).is_relative_to(root)]
    if strange or not places:
        raise StepFailed("%s documentation does not come from the installed tarball: %s" % (kind, strange or "none"))
    text = job.run(BIN / "ansible-doc", "-t", kind, "--json", *sorted(places), cwd=job.temp, env=env)
    shown = json.loads(text[text.index("{") :])
    bad = [name for name in places if not shown.get(name, {}).get("doc", {}).get("short_description")]
    if bad:
        raise StepFailed("%s without documentation: %s" % (kind, ", ".join(bad)))


def _read_roles(job: Job, env: t.Mapping[str, str], root: Path) -> None:
    roles = sorted(path.name for path in (root / "roles").glob("*") if path.is_dir())
    if not roles:
        return
    text = job.run(BIN / "ansible-doc", "-t", "role", "-l", "--json", "xtreemos.cluster", cwd=job.temp, env=env)
    shown = json.loads(text[text.index("{") :])
    missing = [name for name in roles if "xtreemos.cluster.%s" % name not in shown]
    if missing:
        raise StepFailed("roles without argument_specs: %s" % ", ".join(missing))
