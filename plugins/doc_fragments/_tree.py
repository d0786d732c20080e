# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option C(tree) of the modules that work on a repository."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  tree:
    description: The repository.
    type: dict
    suboptions:
      path:
        description: The root of the distribution.
        type: path
        required: true
      distribution:
        description: Its name, for VERSION and product.id.
        type: str
        required: true
      version:
        description: Its version, a folder below O(tree.path).
        type: str
        required: true
      arches:
        description: The architectures, each a folder.
        type: list
        elements: str
        required: true
      media:
        description: The media, in the order of media.cfg.
        type: list
        elements: dict
        required: true
        suboptions:
          name:
            description: The folder of the medium.
            type: str
            required: true
          title:
            description: What clients show; by default the name with a capital.
            type: str
          sections:
            description: The sections, such as V(release), V(updates), V(testing), V(backports).
            type: list
            elements: str
            default: [release, updates, testing]
          media_type:
            description: Words for media.cfg, such as V(official) or V(non-free).
            type: list
            elements: str
            default: []
          debug:
            description: Whether there are media for debug packages.
            type: bool
            default: false
          noauto:
            description:
              - Sections that clients know but do not use by themselves.
              - By default all but V(release) and V(updates). Media of sources and of debug packages always are so.
            type: list
            elements: str
          updates_for:
            description: Sections that bring updates, each with the section whose packages they update.
            type: dict
            default: {updates: release}
          requires:
            description:
              - Media whose packages this one may need, by name; their sections V(release) and V(updates) count.
              - By default all media of the tree.
            type: list
            elements: str
      sources:
        description: Whether there are media for source packages.
        type: bool
        default: true
      media_32bit:
        description: Whether media.cfg of V(x86_64) also names the media of the 32-bit architecture of the tree.
        type: bool
        default: true
      based_on:
        description: Distributions of the same layout that this one builds on. Clients know their media but do not use
          them by themselves; the gate V(installable) counts their packages.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: What clients show.
            type: str
            required: true
          path:
            description: The folder that holds the architectures, such as V(/srv/mirror/mandriva/2009.0).
            type: path
            required: true
          media:
            description: The media, each C(MEDIUM/SECTION).
            type: list
            elements: str
            required: true
      vendor:
        description: For product.id.
        type: str
      branch:
        description: For VERSION and product.id.
        type: str
        default: Official
      product:
        description: For VERSION and product.id.
        type: str
        default: Download
      type:
        description: For product.id.
        type: str
      pubkey:
        description: File with the armored public keys of the packages, put into C(media_info) of every medium.
        type: path
      archive:
        description:
          - Where packages go that are taken out of the tree but kept, in the same folders; outside of what clients see.
          - By default C(PATH/VERSION/archive).
        type: path
      xml_info:
        description: Whether the media have the three XML files.
        type: bool
        default: true
      hdlist:
        description: Whether the media have hdlist.cz.
        type: bool
        default: true
      compression:
        description: What packs the files, as for M(xtreemos.cluster.hdlist).
        type: dict
        default: {}
        suboptions:
          synthesis:
            description: Of the synthesis.
            type: str
            choices: [gzip, xz, lzma, zstd, none]
            default: gzip
          xml_info:
            description: Of the XML files.
            type: str
            choices: [gzip, xz, lzma, zstd, none]
            default: lzma
      repodata:
        description: Whether C(createrepo_c) also writes rpm-md for dnf and zypper.
        type: bool
        default: true
      weak_dependencies:
        description: The line of the synthesis for packages that are only recommended.
        type: str
        choices: [suggests, recommends]
        default: suggests
      line_limit:
        description: The longest line of the synthesis in bytes.
        type: int
        default: 65535
"""
