# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The small Python of stage1: imports, closure, the agent's zip."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly import pyz
from ansible_collections.xtreemos.cluster.plugins.module_utils._image import agent, edit, pyclosure
from ansible_collections.xtreemos.cluster.plugins.module_utils._image.tree import Tree
from ansible_collections.xtreemos.cluster.tests.unit._image import samples

LIB = "usr/lib/python3.11/"
PYTHON = {
    "usr/bin/python3": edit.link("python3.11"),
    "usr/bin/python3.11": edit.Node(samples.STATIC, 0o755),
    LIB + "os.py": edit.text("import abc\nimport posix\nfrom os2 import path\n"),
    LIB + "abc.py": edit.text("def f():\n    import huge\n"),
    LIB + "os2.py": edit.text("try:\n    import fast\nexcept ImportError:\n    fast = None\n"),
    LIB + "huge.py": edit.text(""),
    LIB + "runpy.py": edit.text("import os\n"),
    LIB + "io.py": edit.text(""),
    LIB + "zipimport.py": edit.text(""),
    LIB + "encodings/__init__.py": edit.text("from . import aliases\n"),
    LIB + "encodings/aliases.py": edit.text(""),
    LIB + "encodings/utf_8.py": edit.text("import codecs\n"),
    LIB + "codecs.py": edit.text(""),
    LIB + "lib-dynload/fast.cpython-311-x86_64-linux-gnu.so": edit.Node(samples.elf()),
    LIB + "__pycache__/os.cpython-311.pyc": edit.text("MAGICode"),
}


@pytest.mark.parametrize(
    ("source", "package", "everywhere", "wanted"),
    [
        ("import a.b, c", "", False, {"a.b", "c"}),
        ("from a import b", "", False, {"a", "a.b"}),
        ("from . import b", "p", False, {"p", "p.b"}),
        ("from .m import x", "p.q", False, {"p.q.m", "p.q.m.x"}),
        ("from ..m import x", "p.q", False, {"p.m", "p.m.x"}),
        ("def f():\n import a", "", False, set()),
        ("def f():\n import a", "", True, {"a"}),
        ("class A:\n import a", "", False, {"a"}),
        ("if 1:\n  import a\nelse:\n  import b", "", False, {"a", "b"}),
        ("", "", True, set()),
    ],
)
def test_imports(source: str, package: str, everywhere: bool, wanted: set[str]) -> None:
    assert pyclosure.imports(source, package, everywhere) == wanted


def python_tree(tmp_path: Path, **more: edit.Node) -> Tree:
    return samples.tree(tmp_path, {**PYTHON, **more})


def test_closure_follows_module_level_only(tmp_path: Path) -> None:
    tree = python_tree(tmp_path)
    assert pyclosure.interpreter(tree) == ("usr/bin/python3.11", "3.11")
    closure = pyclosure.Closure(tree, "3.11")
    names = [path[len(LIB) :] for path in closure.files(["os", "encodings.utf_8", "nothing.like.it"])]
    assert names == [
        "abc.py",
        "codecs.py",
        "encodings/__init__.py",
        "encodings/aliases.py",
        "encodings/utf_8.py",
        "lib-dynload/fast.cpython-311-x86_64-linux-gnu.so",
        "os.py",
        "os2.py",
    ]
    assert closure.compiled(LIB + "os.py") == LIB + "__pycache__/os.cpython-311.pyc"
    assert closure.compiled(LIB + "abc.py") is None


NEWER = """\
'''A text
from which nothing is imported.'''
import abc
from os2 import (
    path,
)
from . import near; import after
try:
    import fast
except* ImportError:
    def f():
        import huge

        import huge2
    import back
unknown grammar! def
type X[T] = list[T]
class A:
    import inner
    async  def g(self):
        from huge3 import b
"""


def test_a_newer_python_than_the_builders(tmp_path: Path) -> None:
    wanted = {"abc", "os2", "os2.x", "p", "p.near", "after", "fast", "back", "inner"}
    assert pyclosure.plain_imports(NEWER, "p") == wanted
    files = {**PYTHON, LIB + "os.py": edit.text(NEWER)}
    closure = pyclosure.Closure(samples.tree(tmp_path, files), "3.11")
    assert LIB + "abc.py" in closure.files(["os"]) and LIB + "huge.py" not in closure.files(["os"])


@pytest.mark.parametrize("name", ["socket", "argparse", "threading", "typing", "re", "subprocess"])
def test_reading_lines_finds_what_the_grammar_finds(name: str) -> None:
    spec = importlib.util.find_spec(name)
    source = Path(spec.origin).read_text()  # type: ignore[union-attr, arg-type]
    packages = {found.partition(".")[0] for found in pyclosure.imports(source, name)}
    assert packages <= {found.partition(".")[0] for found in pyclosure.plain_imports(source, name)}


def test_no_python(tmp_path: Path) -> None:
    assert pyclosure.interpreter(samples.tree(tmp_path)) is None


SOURCES = {
    "agent": b"import sys\nfrom . import wire\ndef main():\n    from .late import X\n    print(wire.A + X)\n"
    b"    return 4\n",
    "wire": b"import json as j\nA = 'a'\n",
    "late": b"X = 'x'\n",
    "unused": b"",
    "__init__": b"",
}


def test_collect_follows_the_package() -> None:
    sources = agent.collect(SOURCES.__getitem__)
    assert list(sources) == ["__init__.py", "agent.py", "late.py", "wire.py"]
    assert agent.needs(sources) == ["json", "sys"]


@pytest.mark.parametrize("magic", [b"", importlib.util.MAGIC_NUMBER, b"old!"])
def test_the_zip_runs(tmp_path: Path, magic: bytes) -> None:
    data = agent.pyz(agent.collect(SOURCES.__getitem__), magic)
    assert data == agent.pyz(agent.collect(SOURCES.__getitem__), magic)
    (tmp_path / "a.pyz").write_bytes(data)
    done = subprocess.run([sys.executable, "-S", "-E", str(tmp_path / "a.pyz")], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (4, b"ax\n")
    compiled = [name for name in zipfile.ZipFile(tmp_path / "a.pyz").namelist() if name.endswith(".pyc")]
    assert bool(compiled) == (magic == importlib.util.MAGIC_NUMBER)


def test_the_real_agent_answers(tmp_path: Path) -> None:
    (tmp_path / "a.pyz").write_bytes(agent.pyz(agent.collect(pyz.read_source), importlib.util.MAGIC_NUMBER))
    argv = [sys.executable, "-S", "-E", str(tmp_path / "a.pyz"), "node", "--target", str(tmp_path / "x")]
    done = subprocess.run(argv, capture_output=True, check=False)
    assert done.returncode == 1 and b"sha256" in done.stderr
