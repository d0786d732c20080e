# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes to urpmi.cfg, without touching a disk. This module util is private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._host.errors import ClusterError
from .._media.urpmicfg import BOOLEANS, FLAGS, VALUES, Block, Options, UrpmiCfg, new_block
from .source import is_local
from .wanted import Wanted

# The place of a medium without priority.
MIDDLE = 50


@dataclass(frozen=True)
class Globals:
    """Global options to set and to take away."""

    options: t.Mapping[str, t.Optional[str]]
    unset: frozenset[str] = frozenset()


def global_options(given: t.Mapping[str, t.Any]) -> Globals:
    """From the option ``options``: None takes an option away; ClusterError for a name that urpmi does not know."""
    options: Options = {}
    unset = set()
    for key, value in given.items():
        if key not in VALUES | FLAGS | BOOLEANS:
            raise ClusterError("options: urpmi knows no option %r" % key, "see urpmi.cfg(5)")
        text = _text(key, value)
        if text is False:
            unset.add(key)
        else:
            options[key] = None if text is True else str(text)
    return Globals(options, frozenset(unset))


def _text(key: str, value: t.Any) -> str | bool:
    """What is written; True for a flag, False for nothing."""
    if value is None or value == "":
        return False
    word = str(value).lower()
    if key not in VALUES and word not in ("1", "true", "yes", "on", "0", "false", "no", "off"):
        raise ClusterError("options: %s cannot be %r" % (key, value), "yes or no")
    yes = word in ("1", "true", "yes", "on")
    if key in FLAGS:
        return yes
    if key in BOOLEANS:
        return "01"[yes]
    if "\n" in str(value) or str(value) != str(value).strip() or str(value)[:1] in "'\"":
        raise ClusterError("options: %s cannot be %r" % (key, value), "one line, no blanks or quotes at its ends")
    return str(value)


def merged(now: Options, options: t.Mapping[str, t.Optional[str]], unset: t.AbstractSet[str]) -> Options:
    """The options after a change."""
    kept = {key: value for key, value in now.items() if key not in unset}
    return {**kept, **options}


def changed_block(block: Block, one: Wanted) -> Block:
    """The block of a medium that is there already."""
    url = block.url if one.url is None else one.url
    return block.with_url(url).with_options(merged(block.options, dict(one.options), one.unset))


def _removed(cfg: UrpmiCfg, names: t.AbstractSet[str]) -> UrpmiCfg:
    """Without some media; comments above them move on to what follows."""
    blocks: list[Block] = []
    loose: tuple[str, ...] = ()
    for block in cfg.blocks:
        if block.name in names:
            loose += tuple(line for line in block.before if line.strip())
            continue
        blocks.append(replace(block, before=block.before + loose) if loose else block)
        loose = ()
    return replace(cfg, blocks=tuple(blocks), after=loose + cfg.after)


def _added(cfg: UrpmiCfg, wanted: t.Iterable[Wanted]) -> UrpmiCfg:
    blocks = list(cfg.blocks)
    places = {block.name: at for at, block in enumerate(blocks) if block.name}
    for one in wanted:
        if one.name in places:
            blocks[places[one.name]] = changed_block(blocks[places[one.name]], one)
    # Local media stand before the first remote one, as urpmi puts them.
    remote = next((at for at, block in enumerate(blocks) if block.name and not is_local(block.url)), len(blocks))
    for one in wanted:
        if one.name in places:
            continue
        if not one.url and not one.options.get("mirrorlist"):
            raise ClusterError("medium %r is new and has no url" % one.name, "give url, or mirrorlist")
        local = is_local(one.url or "")
        blocks.insert(remote if local else len(blocks), new_block(one.name, one.url or "", dict(one.options)))
        remote += local
    return replace(cfg, blocks=tuple(blocks))


def _ordered(cfg: UrpmiCfg, wanted: t.Sequence[Wanted], exclusive: bool) -> UrpmiCfg:
    """Wanted media change places among themselves only."""
    if not exclusive and all(one.priority is None for one in wanted):
        return cfg
    rank = {one.name: (MIDDLE if one.priority is None else one.priority) for one in wanted}
    now = [block for block in cfg.blocks if block.name in rank]
    if exclusive:
        index = {one.name: at for at, one in enumerate(wanted)}
        now.sort(key=lambda block: index[block.name])
    queue = iter(sorted(now, key=lambda block: rank[block.name]))
    return replace(cfg, blocks=tuple(next(queue) if block.name in rank else block for block in cfg.blocks))


def _with_globals(cfg: UrpmiCfg, wanted: Globals) -> UrpmiCfg:
    """The first global block takes the options; one that is missing is made at the top."""
    blocks = list(cfg.blocks)
    first = next((at for at, block in enumerate(blocks) if not block.name), -1)
    for at, block in enumerate(blocks):
        if not block.name:
            rest = block.options if at == first else {k: v for k, v in block.options.items() if k not in wanted.options}
            blocks[at] = block.with_options(merged(rest, wanted.options if at == first else {}, wanted.unset))
    if first < 0 and wanted.options:
        blocks.insert(0, new_block("", "", dict(wanted.options)))
    return replace(cfg, blocks=tuple(blocks))


def _spaced(cfg: UrpmiCfg, old: UrpmiCfg) -> UrpmiCfg:
    """A blank line above each block that is new or has moved, a line end at the end of the file."""
    if cfg.blocks == old.blocks:
        return cfg
    blocks = list(cfg.blocks)
    after = cfg.after
    if not old.blocks and any(line.strip() for line in after):
        blocks[0] = replace(blocks[0], before=tuple(line for line in after if line.strip()))
        after = ("",)
    neighbours = {(one.name, other.name) for one, other in zip(old.blocks, old.blocks[1:])}
    for at, block in enumerate(blocks):
        same = at > 0 and (blocks[at - 1].name, block.name) in neighbours
        if at and not same and not (block.before and not block.before[0].strip()):
            blocks[at] = replace(block, before=("", *block.before))
        elif at == 0 and block.before == ("",) and block.name not in [one.name for one in old.blocks[:1]]:
            blocks[at] = replace(block, before=())
    return replace(cfg, blocks=tuple(blocks), after=after or ("",))


def edit(cfg: UrpmiCfg, wanted: t.Sequence[Wanted], exclusive: bool, options: Globals) -> UrpmiCfg:
    """The file as it should be; the same object's text when nothing is to change."""
    present = [one for one in wanted if one.state != "absent"]
    keep = {one.name for one in present}
    gone = {one.name for one in wanted if one.state == "absent"}
    if exclusive:
        gone |= set(cfg.media) - keep
    new = _removed(cfg, gone & set(cfg.media))
    if present and not new.blocks:
        new = replace(new, blocks=(Block(""),))
    new = _ordered(_added(_with_globals(new, options), present), present, exclusive)
    return _spaced(new, cfg)
