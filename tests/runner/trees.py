# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The trees and environments that the tools want: a copy of the work tree, a private home, a clean Ansible."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from .engine import ROOT

CACHE = ROOT / ".cache"
BIN = ROOT / ".venv" / "bin"
NAME = Path("ansible_collections", "xtreemos", "cluster")

# ansible-test fetches its own pip installer from a host of its project. pip comes with Python as well.
_GET_PIP = """\
import subprocess
import sys

# A process of its own: in this one ensurepip would leave pip without its configuration file.
subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL)
words = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "-q", *words]))
"""


def listed_files() -> list[str]:
    """Paths of the work tree that git tracks or would track, relative to the root, sorted."""
    argv = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    out = subprocess.run(argv, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout.decode()
    return sorted({name for name in out.split("\0") if name and os.path.lexists(ROOT / name)})


def copy_tree(temp: Path) -> Path:
    """The work tree where ansible-test wants it: <temp>/tree/ansible_collections/xtreemos/cluster. Made once.

    Without recorded data: it is what other programs wrote, no source to judge.
    """
    target = temp / "tree" / NAME
    if target.is_dir():
        return target
    for name in (one for one in listed_files() if not one.startswith("tests/golden/")):
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, place, follow_symlinks=False)
    return target


def ansible_env(collections: Path) -> dict[str, str]:
    """Ansible sees the collections of one folder; what it and its friends leave at home stays beside that folder."""
    home = collections.parent / "home"
    home.mkdir(parents=True, exist_ok=True)
    return {
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "ANSIBLE_HOME": str(home / ".ansible"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ANSIBLE_REMOTE_TMP": str(home / ".ansible" / "remote"),
        "HOME": str(home),
        "PATH": "%s%s%s" % (BIN, os.pathsep, os.environ.get("PATH", "")),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _link_user_settings(home: Path) -> None:
    # ansible-test drops PIP_* variables, so a user's mirror settings arrive only through pip's own file.
    for name in (".config/pip", ".pip"):
        source, link = Path.home() / name, home / name
        if source.exists() and not link.exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(source)


def private_home() -> dict[str, str]:
    """A home in the cache for ansible-test, with the pip installer that needs no download."""
    home = CACHE / "home"
    shim_dir = home / ".ansible" / "test" / "cache"
    shim_dir.mkdir(parents=True, exist_ok=True)
    _link_user_settings(home)
    for name in ("get_pip_24_2.py", "get_pip_25_2.py"):
        (shim_dir / name).write_text(_GET_PIP)
    return {"HOME": str(home), "PATH": "%s%s%s" % (BIN, os.pathsep, os.environ.get("PATH", ""))}
