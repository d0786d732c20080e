# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parts of the nightly build: sources, specs, the store, boot entries, the timer's program."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import typing as t
import zipfile
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._build import pxe, pyz, source, spec, tool
from ansible_collections.xtreemos.cluster.plugins.module_utils._build.fill import fill
from ansible_collections.xtreemos.cluster.plugins.module_utils._build.source import KINDS, Head, parse_source
from ansible_collections.xtreemos.cluster.plugins.module_utils._build.store import (
    Build,
    Store,
    parse_manifest,
    render_manifest,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Completed, LocalHost, MemoryHost
from ansible_collections.xtreemos.cluster.tests.unit._build.samples import Rpmbuild, options, project, published, run
from ansible_collections.xtreemos.cluster.tests.unit._chroot.samples import needs_root
from ansible_collections.xtreemos.cluster.tests.unit._image import samples as image
from hypothesis import given
from hypothesis import strategies as st

COMMIT, OTHER = "a" * 40, "b" * 40
SVN = parse_source({"type": "svn", "url": "svn://svn.example.org/k/trunk"})


# Sources.


@pytest.mark.parametrize(
    ("ref", "told", "wanted"),
    [
        ("", "%s\tHEAD\n" % COMMIT, COMMIT),
        ("main", "%s\trefs/heads/main\n%s\trefs/tags/main\n" % (COMMIT, OTHER), COMMIT),
        ("v1", "%s\trefs/tags/v1\n%s\trefs/tags/v1^{}\n" % (OTHER, COMMIT), COMMIT),
        ("v1", "%s\trefs/tags/v1\n" % COMMIT, COMMIT),
        ("gone", "", None),
        ("", "", None),
    ],
)
def test_the_newest_of_git(ref: str, told: str, wanted: str | None) -> None:
    host = MemoryHost(script={"git ls-remote": (0, told, "")})
    where = parse_source({"url": "/x", "ref": ref})
    if wanted:
        assert KINDS["git"].head(where, host) == Head(wanted)
    else:
        with pytest.raises(ClusterError, match="/x has no branch or tag"):
            KINDS["git"].head(where, host)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((1, "", "svn: E170013: Unable to connect\nsvn: E000111: refused\n"), "svn: E170013: Unable to connect"),
        ((128, "", "ssh: no\nfatal: Could not read from remote repository.\n"), "fatal: Could not read"),
        ((1, "", ""), "exit code 1"),
        ((0, "nonsense\n", ""), "svn tells 'nonsense', no revision"),
    ],
)
def test_a_repository_that_does_not_answer(answer: tuple[int, str, str], told: str) -> None:
    with pytest.raises(ClusterError) as caught:
        KINDS["svn"].head(SVN, MemoryHost(script={"svn info": answer}))
    assert told in str(caught.value) and SVN.url in str(caught.value) and caught.value.hint


def test_the_newest_of_subversion() -> None:
    host = MemoryHost(script={"svn info": (0, "1411\n", "")})
    assert KINDS["svn"].head(SVN, host) == Head("1411", 1411)
    assert host.ran == [["svn", "info", "--non-interactive", "--show-item", "last-changed-revision", SVN.url]]
    pinned = parse_source({"type": "svn", "url": SVN.url, "revision": "7"})
    assert KINDS["svn"].head(pinned, host) == Head("7", 7)


def test_a_real_subversion_repository(tmp_path: Path) -> None:
    if not shutil.which("svnadmin"):
        pytest.skip("subversion is not installed")
    subprocess.run(["svnadmin", "create", tmp_path / "repo"], check=True)
    url = "file://%s/repo/trunk" % tmp_path
    (tmp_path / "in").mkdir()
    (tmp_path / "in/file").write_text("one\n")
    words = ["svn", "import", "--quiet", "--non-interactive", "--message", "one", str(tmp_path / "in"), url]
    subprocess.run(words, check=True)
    where, host = parse_source({"type": "svn", "url": url}), LocalHost()
    head = KINDS["svn"].head(where, host)
    assert head.number == 1
    tars = []
    for _round in range(2):
        assert KINDS["svn"].export(where, head, str(tmp_path / "cache"), host) == head
        KINDS["svn"].tar(where, head, str(tmp_path / "cache"), "k-0r1", str(tmp_path / "t.tar"), host)
        source.pack(str(tmp_path / "t.tar"), str(tmp_path / "t.tar.gz"))
        tars.append((tmp_path / "t.tar.gz").read_bytes())
    assert tars[0] == tars[1] and source.member(str(tmp_path / "t.tar.gz"), "k-0r1/file") == b"one\n"
    assert source.member(str(tmp_path / "t.tar.gz"), "k-0r1/none") is None
    with pytest.raises(ClusterError, match="cannot reach file://.*/none: svn: "):
        KINDS["svn"].head(parse_source({"type": "svn", "url": "file://%s/none" % tmp_path}), host)


# Specs.

VALUES = {"name": "k", "version": "0r7", "revision": "7", "commit": COMMIT, "tarball": "k-0r7.tar.gz", "date": "20070201"}


@pytest.mark.parametrize(
    ("text", "define", "wanted"),
    [
        ("Version: @version@\nSource: @tarball@\n", "", "Version: 0r7\nSource: k-0r7.tar.gz\n"),
        ("Release: @revision@\n%build\nsed s/@prefix@/x/\n", "", "Release: 7\n%build\nsed s/@prefix@/x/\n"),
        ("%define krgversion 0r1\n%define krgversion2 x\n", "krgversion", "%define krgversion 0r7\n%define krgversion2 x\n"),
        ("%global v \t1\nuser@example.org\n", "v", "%global v \t0r7\nuser@example.org\n"),
    ],
)
def test_specs_from_templates(text: str, define: str, wanted: str) -> None:
    assert spec.render_spec(text, VALUES, define, "s") == wanted


@pytest.mark.parametrize(
    ("text", "define", "told"),
    [
        ("Version: 1\n", "", "s takes no version from the revision"),
        ("Version: @version@\nName: @nmae@\n", "", "s: nothing is known for @nmae@"),
        ("%define other 1\n", "krgversion", "s has no line %define krgversion"),
    ],
)
def test_bad_templates(text: str, define: str, told: str) -> None:
    with pytest.raises(ClusterError) as caught:
        spec.render_spec(text, VALUES, define, "s")
    assert told in str(caught.value) and caught.value.hint


@given(st.text(max_size=100))
def test_any_template_is_rendered_or_refused(text: str) -> None:
    try:
        out = spec.render_spec(text + "\nVersion: @version@\n", VALUES, "", "s")
    except ClusterError as error:
        assert "s: " in str(error)
    else:
        assert out.endswith("Version: 0r7\n")


# The store.


def build(number: int, serial: int, **more: t.Any) -> Build:
    return Build("k", "0r%d" % number, number, COMMIT, serial, "20070201_0230", **more)


def test_manifests_go_round(tmp_path: Path) -> None:
    one = build(7, 3, packages=("RPMS/a.rpm",), done=("published",))
    assert parse_manifest(render_manifest(one), "m") == one
    for bad in (b"", b"{}", b"[]", b'{"format": 1, "name": "k"}', b'{"format":1,"packages":1,"done":[]}'):
        with pytest.raises(ClusterError, match="m is damaged"):
            parse_manifest(bad, "m")


def test_builds_are_ordered_by_their_making() -> None:
    rows = [build(10, 1), build(9, 2), build(11, 3)]
    files = {"/d/builds/%s/manifest.json" % one.folder: render_manifest(one) for one in rows}
    store = Store("/d", MemoryHost(files))
    assert [one.revision for one in store.all()] == [10, 9, 11]
    assert [one.revision for one in store.surplus(2)] == [10] and store.surplus(3) == []
    assert [one.revision for one in store.surplus(2, 1)] == [10, 9]


# Options of another module.

OPTIONS: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "many": {"type": "list", "elements": "str", "default": ["a"]},
    "count": {"type": "int"},
    "yes": {"type": "bool", "default": True},
    "kind": {"type": "str", "choices": ["x", "y"], "default": "x"},
    "rows": {"type": "list", "elements": "dict", "options": {"path": {"type": "path", "required": True}}},
    "free": {"type": "dict", "default": {}},
}


def test_options_are_completed() -> None:
    rows = {"name": 7, "count": "3", "yes": "no", "rows": [{"path": "/p"}], "free": {"a": 1}, "many": "a,b"}
    wanted = {"name": "7", "many": ["a", "b"], "count": 3, "yes": False, "kind": "x", "rows": [{"path": "/p"}]}
    assert fill(OPTIONS, rows, "o") == {**wanted, "free": {"a": 1}}
    assert fill(OPTIONS, {"name": "n"}, "o")["many"] == ["a"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"name": None}, "o lacks name"),
        ({"nmae": 1}, "o has no option nmae"),
        ({"count": "x"}, "o.count is no number: 'x'"),
        ({"yes": "maybe"}, "o.yes is no yes or no: 'maybe'"),
        ({"kind": "z"}, "o.kind: unknown 'z'"),
        ({"rows": 1}, "o.rows is no list: 1"),
        ({"rows": [{"path": "/p"}, {}]}, "o.rows[1] lacks path"),
        ({"free": []}, "o.free is no mapping"),
    ],
)
def test_options_that_are_wrong(more: dict[str, t.Any], told: str) -> None:
    with pytest.raises(ClusterError) as caught:
        fill(OPTIONS, {"name": "n", **more}, "o")
    assert told in str(caught.value) and caught.value.hint


# Boot entries.


class Unpacking(Rpmbuild):
    """rpm2archive, but of a tree that the test has made."""

    def __init__(self, drop: t.Collection[str] = ()) -> None:
        super().__init__(files=[b"/boot/vmlinuz-" + image.VERSION.encode()])
        self.drop = drop

    def which(self, program: str) -> str | None:
        return super().which(program) or "/usr/bin/" + program

    def run(self, argv: t.Sequence[str], **more: t.Any) -> Completed:
        if argv[0] == "rpm2archive":
            where = Path(argv[1] + ".tar")
            image.make(where, drop=self.drop)
            with tarfile.open(argv[1] + ".tgz", "w:gz") as packed, tarfile.open(where) as plain:
                for row in plain:
                    row.name = "./" + row.name
                    packed.addfile(row, plain.extractfile(row) if row.isreg() else None)
            return Completed(tuple(argv), 0)
        if argv[0] == "depmod":
            folder = Path(argv[2]) / "lib/modules" / argv[3]
            for name, node in image.module_files().items():
                if "modules." in name:
                    (folder / name.rpartition("/")[2]).write_bytes(node.content)
            self.ran.append(list(argv))
            return Completed(tuple(argv), 0)
        return super().run(argv, **more)


@needs_root
@pytest.mark.parametrize("indexed", [True, False])
def test_a_kernel_becomes_what_nodes_boot(tmp_path: Path, indexed: bool) -> None:
    project(tmp_path / "project")
    dest = tmp_path / "tftp/nightly"
    more = {"pxe": {"dest": str(dest), "append": "console=ttyS0 quiet"}}
    host = Unpacking(() if indexed else ("usr/lib/modules/%s/modules.dep" % image.VERSION,))
    result = run(tmp_path, host=host, **more)
    assert result["entry"] == str(dest / "hello-0r1") and result["steps"] == ["published", "pxe"]
    assert (dest / "hello-0r1/vmlinuz").read_bytes() == b"kernel"
    assert (dest / "hello-0r1/stage1.img").read_bytes()[:2] == b"\x1f\x8b"
    assert (dest / "hello-0r1/entry.cfg").read_text() == (
        "label hello-0r1\n  kernel nightly/hello-0r1/vmlinuz\n"
        "  append initrd=nightly/hello-0r1/stage1.img console=ttyS0 quiet\n"
    )
    assert os.readlink(dest / "last") == "hello-0r1"
    assert [words[0] for words in host.ran].count("depmod") == (not indexed)
    assert not run(tmp_path, host=host, **more)["changed"]
    (dest / "hello-0r0").mkdir()
    (dest / "other").mkdir()
    run(tmp_path, host=host, **more)
    assert sorted(os.listdir(dest)) == ["hello-0r1", "last", "other"]


@needs_root
def test_other_packages_make_no_entry(tmp_path: Path) -> None:
    project(tmp_path / "project")
    result = run(tmp_path, pxe={"dest": str(tmp_path / "tftp")})
    assert result["entry"] == "" and not (tmp_path / "tftp").exists() and result["steps"][-1] == "pxe"


def test_a_tool_that_boot_entries_need_is_asked_for_first() -> None:
    class Bare(MemoryHost):
        def which(self, program: str) -> str | None:
            return None

    with pytest.raises(ClusterError, match="rpm2archive is not installed"):
        pxe.check({"dest": "/x"}, Bare())
    pxe.check(None, Bare())


# The timer's program.


def test_the_program_holds_what_it_imports_and_nothing_of_ansible() -> None:
    names = set(pyz.closure())
    assert {"_build.tool", "_build.nightly", "_chroot.enter", "_repo.publish", "_sign.job", "_errors"} <= names
    assert not any("wiring" in name for name in names)
    with zipfile.ZipFile(io.BytesIO(pyz.build())) as archive:
        texts = [archive.read(name) for name in archive.namelist() if name.endswith(".py")]
    assert pyz.build() == pyz.build() and not any(b"from ansible" in text or b"import ansible" in text for text in texts)


@needs_root
def test_the_program_builds(tmp_path: Path) -> None:
    """As the timer runs it: a Python without the collection. Its rpmbuild fails, as this chroot holds no program."""
    project(tmp_path / "project")
    (tmp_path / "tools.pyz").write_bytes(pyz.build())
    (tmp_path / "build.json").write_bytes(tool.render_options(options(tmp_path)))
    words = [sys.executable, "-I", str(tmp_path / "tools.pyz"), "build", str(tmp_path / "build.json")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 1 and "hello-0r1_hello.spec does not parse: rpmspec: No such file" in done.stderr
    assert "Traceback" not in done.stderr and published(tmp_path) == []


@pytest.mark.parametrize(
    ("words", "files", "code"),
    [
        ([], {}, 2),
        (["sync", "/f"], {}, 2),
        (["build", "/f"], {}, 1),
        (["build", "/f"], {"/f": b"[]"}, 1),
        (["check", "/f"], {"/f": b"{"}, 1),
    ],
)
def test_wrong_words(words: list[str], files: dict[str, bytes], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main(words, MemoryHost(files)) == code
    assert ("holds no options" if code == 1 else "usage:") in capsys.readouterr().err


@needs_root
def test_the_program_tells_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project(tmp_path / "project")
    (tmp_path / "build.json").write_bytes(tool.render_options({**options(tmp_path), "install": {"program": "/x"}}))
    assert "install" not in json.loads((tmp_path / "build.json").read_bytes())
    for line in ("hello 0r1: built\n  published\n", "hello 0r1: there already\n"):
        assert tool.main(["build", str(tmp_path / "build.json")], Rpmbuild()) == 0
        assert capsys.readouterr().out == line
