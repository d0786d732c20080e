# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The protocol of gpg-agent against a scripted one."""

from __future__ import annotations

import socket
import threading
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._sign.assuan import (
    Agent,
    AgentError,
    escape,
    parse_sexp,
    signature_values,
    unescape,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture
def scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[t.Callable[..., str]]:
    """Starts an agent that says ``answers``, one after each line it gets, and leaves. ``heard`` holds these lines."""
    monkeypatch.chdir(tmp_path)
    servers = []

    def start(heard: list[bytes], *answers: bytes) -> str:
        server = socket.socket(socket.AF_UNIX)
        server.bind("s")
        server.listen(1)
        servers.append(server)
        thread = threading.Thread(target=serve, args=(server, heard, answers), daemon=True)
        thread.start()
        return "s"

    def serve(server: socket.socket, heard: list[bytes], answers: t.Sequence[bytes]) -> None:
        link, _address = server.accept()
        with link, link.makefile("rb") as lines:
            for number, answer in enumerate(answers, 1):
                link.sendall(answer)
                if number < len(answers):
                    heard.append(lines.readline())

    yield start
    for server in servers:
        server.close()


HELLO = b"OK Pleased to meet you\n"


def test_data_and_status(scripted: t.Callable[..., str]) -> None:
    heard: list[bytes] = []
    path = scripted(heard, HELLO, b"# comment\nS ONE a b\nD a%25b\nD %0Ac\nOK\n")
    with Agent(path) as agent:
        answer = agent.command("GET it")
    assert (answer.data, answer.status) == (b"a%b\nc", ["ONE a b"])
    assert heard[0] == b"GET it\n"


def test_the_passphrase_is_given_when_asked_for(scripted: t.Callable[..., str]) -> None:
    heard: list[bytes] = []
    path = scripted(heard, HELLO, b"INQUIRE PASSPHRASE x\n", b"", b"D sig\nOK\n")
    with Agent(path, b"a%b\nc") as agent:
        assert agent.command("PKSIGN").data == b"sig" and agent.asked == 1
    assert heard == [b"PKSIGN\n", b"D a%25b%0Ac\n", b"END\n"]


@pytest.mark.parametrize(("question", "passphrase"), [(b"PASSPHRASE", None), (b"PINENTRY_LAUNCHED 1", b"secret")])
def test_nothing_is_given_otherwise(scripted: t.Callable[..., str], question: bytes, passphrase: bytes | None) -> None:
    heard: list[bytes] = []
    path = scripted(heard, HELLO, b"INQUIRE " + question + b"\n", b"ERR 67108963 Canceled <GPG Agent>\n")
    with Agent(path, passphrase) as agent, pytest.raises(AgentError, match="^Canceled$") as caught:
        agent.command("PKSIGN")
    assert caught.value.code == 99 and heard[1] == b"END\n"


def test_an_agent_that_goes_away(scripted: t.Callable[..., str]) -> None:
    path = scripted([], HELLO, b"D half")
    with Agent(path) as agent, pytest.raises(ClusterError, match="gpg-agent does not answer: it closed"):
        agent.command("PKSIGN")


def test_no_agent(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="cannot talk to gpg-agent at .*: No such file"):
        Agent(str(tmp_path / "none")[-90:])


def test_a_passphrase_that_does_not_fit(scripted: t.Callable[..., str]) -> None:
    path = scripted([], HELLO, b"INQUIRE PASSPHRASE\n")
    with Agent(path, b"x" * 2000) as agent, pytest.raises(ClusterError, match="too long"):
        agent.command("PKSIGN")


@given(st.binary(max_size=300))
def test_escapes(data: bytes) -> None:
    assert unescape(escape(data)) == data and b"\n" not in escape(data)


Tree = st.recursive(st.binary(max_size=20), lambda inner: st.lists(inner, max_size=4), max_leaves=12)


def render(tree: t.Any) -> bytes:
    return b"%d:%s" % (len(tree), tree) if isinstance(tree, bytes) else b"(" + b"".join(map(render, tree)) + b")"


@given(Tree)
def test_expressions(tree: t.Any) -> None:
    assert parse_sexp(render(tree)) == tree


@given(st.binary(max_size=60) | Tree.map(render).map(lambda data: data[:-1]) | Tree.map(render))
def test_what_is_no_signature(data: bytes) -> None:
    try:
        assert isinstance(signature_values(data), list)
    except ValueError:
        pass


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (b"(7:sig-val(3:rsa(1:s3:abc)))", [b"abc"]),
        (b"(7:sig-val(5:eddsa(1:r2:ab)(1:s2:cd)))", [b"ab", b"cd"]),
        (b"(7:sig-val(5:ecdsa(1:r1:a)(1:s1:b)(4:hash6:sha256)))", [b"a", b"b"]),
    ],
)
def test_signature_values(text: bytes, wanted: list[bytes]) -> None:
    assert signature_values(text) == wanted


@pytest.mark.parametrize("text", [b"", b"()", b"(", b"3:abc", b"(7:sig-val)", b"(5:error3:abc)", b"(9:abc)", b"()()"])
def test_refused_values(text: bytes) -> None:
    with pytest.raises(ValueError):
        signature_values(text)
