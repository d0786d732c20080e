# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The seam between AnsibleModule and the core packages. This module util is private to the collection."""

from __future__ import annotations

import errno
import typing as t

from ansible.module_utils.basic import AnsibleModule

from .errors import ClusterError
from .host import LocalHost

Result = t.Dict[str, t.Any]


def _os_error(error: OSError) -> str:
    return ": ".join(str(part) for part in (error.filename, error.strerror or error) if part)


def run_module(module: AnsibleModule, work: t.Callable[[LocalHost], Result]) -> t.NoReturn:
    """Call ``work(host)`` and end the module with its result.

    ``work`` returns ``changed`` and whatever else the module promises; ``actions`` is added from the host when it
    is missing, the texts of ``warnings`` go to Ansible, ``diff`` is dropped when nobody asked. A ClusterError becomes
    ``msg`` and ``hint``, and so does what the system refuses.
    """
    host = LocalHost()
    try:
        result = work(host)
    except ClusterError as error:
        module.fail_json(msg=str(error), hint=error.hint, actions=host.actions)
    except OSError as error:
        hint = "run the task as root (become)" if error.errno in (errno.EACCES, errno.EPERM) else ""
        module.fail_json(msg=str(ClusterError(_os_error(error), hint)), hint=hint, actions=host.actions)
    for line in result.pop("warnings", ()):
        module.warn(line)
    result.setdefault("actions", host.actions)
    if not module._diff:
        result.pop("diff", None)
    module.exit_json(**result)
    raise AssertionError("exit_json does not return")
