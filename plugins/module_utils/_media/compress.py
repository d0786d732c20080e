# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compressed media files: always the same bytes for the same input, on reading the content tells. Private."""

from __future__ import annotations

import bz2
import lzma
import os
import tempfile
import typing as t
import zlib

from .._host.errors import ClusterError
from .._host.host import Host

KINDS = ("gzip", "xz", "lzma", "zstd", "none")
# Above any real medium, far below what a crafted file could ask for.
LIMIT = 1 << 30
# Above it the time and the memory of packing grow much faster than the result shrinks.
_PRESET = 3

_MAGIC = (
    (b"\x1f\x8b", "gzip"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (b"\x5d\x00\x00", "lzma"),
)


def sniff(data: bytes) -> str:
    """The compressor that wrote ``data``, by its first bytes; ``none`` for anything else."""
    return next((kind for magic, kind in _MAGIC if data.startswith(magic)), "none")


def gzip_bytes(data: bytes, level: int = 9) -> bytes:
    """A gzip member without name and time."""
    packer = zlib.compressobj(level, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


def _zstd(data: bytes, words: t.Sequence[str], host: Host) -> bytes:
    """Through files, as the commands of a host talk in text."""
    with tempfile.TemporaryDirectory(prefix="media-") as folder:
        source, result = os.path.join(folder, "in"), os.path.join(folder, "out")
        with open(source, "wb") as stream:
            stream.write(data)
        host.run(["zstd", "-q", *words, "-o", result, source])
        return host.read(result) or b""


def compress(data: bytes, kind: str, host: Host) -> bytes:
    """``data`` packed by one of :data:`KINDS`; zstd needs its program on the host."""
    if kind == "gzip":
        return gzip_bytes(data)
    if kind == "xz":
        return lzma.compress(data, format=lzma.FORMAT_XZ, preset=_PRESET)
    if kind == "lzma":
        return lzma.compress(data, format=lzma.FORMAT_ALONE, preset=_PRESET)
    return _zstd(data, ["-19", "-T1"], host) if kind == "zstd" else data


class _Unpacker(t.Protocol):
    def decompress(self, data: bytes, max_length: int) -> bytes: ...

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...


def _member(unpacker: _Unpacker, data: bytes, limit: int) -> tuple[bytes, bytes]:
    """Content of the first stream in ``data`` and what follows it; ValueError when it is cut off or too long."""
    content = unpacker.decompress(data, limit + 1)
    if len(content) > limit or not unpacker.eof:
        raise ValueError("too long or cut off")
    return content, unpacker.unused_data


def _streams(data: bytes, make: t.Callable[[], _Unpacker], limit: int) -> bytes:
    parts: list[bytes] = []
    while data:
        content, data = _member(make(), data, limit)
        limit -= len(content)
        parts.append(content)
    return b"".join(parts)


def inflate(data: bytes, limit: int = LIMIT) -> bytes:
    """The first gzip member of ``data``; whatever follows is ignored. ValueError when it is damaged."""
    try:
        return _member(zlib.decompressobj(31), data, limit)[0]
    except zlib.error as error:
        raise ValueError(str(error))


def decompress(data: bytes, name: str, host: Host | None = None, limit: int = LIMIT) -> bytes:
    """Content of a media file, whatever packed it; ClusterError names the file when it is damaged or absurd."""
    kind = sniff(data)
    try:
        if kind == "gzip":
            return _streams(data, lambda: zlib.decompressobj(31), limit)
        if kind in ("xz", "lzma"):
            return _streams(data, lzma.LZMADecompressor, limit)
        if kind == "bzip2":
            return _streams(data, bz2.BZ2Decompressor, limit)
        if kind == "zstd" and host is not None:
            return _zstd(data, ["-d", "--memory=256MB"], host)
    except (ValueError, OSError, EOFError, zlib.error, lzma.LZMAError, ClusterError) as error:
        raise ClusterError("%s: damaged %s data: %s" % (name, kind, error), "fetch or build it again")
    if kind == "zstd":
        raise ClusterError("%s: zstd data" % name, "unpack it with the zstd program first")
    return data
