# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write docs/reference from the plugins' documentation and the roles' argument_specs.

``.venv/bin/python docs/generate.py`` writes the pages and removes those of things that are gone;
``--check`` writes nothing and exits with 1 when a page is not what the code says.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "reference"
NAMESPACE = "xtreemos.cluster."
KINDS = {
    "module": "modules",
    "filter": "filter",
    "lookup": "lookup",
    "callback": "callback",
    "inventory": "inventory",
}
MARK = "<!-- Written by docs/generate.py from the code; changes made here are lost. -->\n"

Doc = t.Dict[str, t.Any]


# --- Ansible's markup as Markdown ------------------------------------------------------------------------------


def _code(match: re.Match[str]) -> str:
    return "`%s`" % match.group(1).replace("\\)", ")").replace("\\", "")


def _plugin(match: re.Match[str]) -> str:
    name, kind = match.group(2), match.group(3) or ("module" if match.group(1) == "M" else "plugin")
    short = name[len(NAMESPACE) :]
    return "[%s](%s_%s.md)" % (name, kind, short) if name.startswith(NAMESPACE) else "`%s`" % name


_MARKUP: t.Sequence[tuple[str, t.Callable[[re.Match[str]], str] | str]] = (
    (r"\b(M|P)\(([^)#]+)(?:#(\w+))?\)", _plugin),
    (r"\b(?:O|V|C|E|RV)\(((?:[^)\\]|\\.)*)\)", _code),
    (r"\bB\(([^)]*)\)", r"**\1**"),
    (r"\bI\(([^)]*)\)", r"*\1*"),
    (r"\bU\(([^)]*)\)", r"<\1>"),
    (r"\bL\(([^,)]*), *([^)]*)\)", r"[\1](\2)"),
)


def markdown(text: str) -> str:
    for pattern, new in _MARKUP:
        text = re.sub(pattern, new, text)
    return text.strip()


def paragraphs(value: str | list[str] | None) -> list[str]:
    items = [value] if isinstance(value, str) else list(value or [])
    return [markdown(str(item)) for item in items]


def _cell(value: str | list[str] | None) -> str:
    return " ".join(paragraphs(value)).replace("|", "\\|").replace("\n", " ")


def _literal(value: t.Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return "`%s`" % text.replace("|", "\\|") if text else '`""`'


# --- tables ----------------------------------------------------------------------------------------------------


def _type(option: Doc) -> str:
    kind = str(option.get("type", "str"))
    return "%s of %s" % (kind, option["elements"]) if option.get("elements") else kind


def _default(option: Doc) -> str:
    if option.get("required"):
        return "**required**"
    return "" if option.get("default") is None else _literal(option["default"])


def _choices(option: Doc) -> str:
    choices = option.get("choices") or []
    return " Choices: %s." % ", ".join(_literal(str(choice)) for choice in choices) if choices else ""


def option_rows(options: Doc, prefix: str = "") -> t.Iterator[str]:
    """One table row per option, suboptions behind their parent with dotted names."""
    for name in sorted(options, key=lambda name: (not options[name].get("required"), name)):
        option = options[name]
        text = _cell(option.get("description")) + _choices(option)
        yield "| `%s%s` | %s | %s | %s |" % (prefix, name, _type(option), _default(option), text)
        inner = option.get("suboptions") or option.get("options") or {}
        yield from option_rows(inner, "%s%s%s." % (prefix, name, "[]" if option.get("type") == "list" else ""))


def return_rows(values: Doc, prefix: str = "") -> t.Iterator[str]:
    for name in sorted(values):
        value = values[name]
        returned = value.get("returned", "") if not prefix else ""
        yield "| `%s%s` | %s | %s | %s |" % (prefix, name, _type(value), returned, _cell(value.get("description")))
        yield from return_rows(value.get("contains") or {}, "%s%s." % (prefix, name))


def _table(title: str, head: str, rows: t.Iterable[str]) -> list[str]:
    body = list(rows)
    rule = re.sub(r"[^|]+", "---", head)
    return ["", "## " + title, "", head, rule, *body] if body else []


OPTION_HEAD = "| option | type | default | what |"


# --- pages -----------------------------------------------------------------------------------------------------


def plugin_page(kind: str, name: str, found: Doc) -> str:
    doc = found["doc"]
    lines = [MARK, "# %s %s" % (kind.capitalize(), name), "", markdown(doc["short_description"]) + ".", ""]
    lines += ["- " + text for text in paragraphs(doc.get("description"))]
    lines += _table("Options", OPTION_HEAD, option_rows(doc.get("options") or {}))
    support = [
        "| %s | %s | %s |" % (key, value.get("support", ""), _cell(value.get("description")))
        for key, value in sorted((doc.get("attributes") or {}).items())
    ]
    lines += _table("Attributes", "| attribute | support | what |", support)
    if found.get("examples"):
        lines += ["", "## Examples", "", "```yaml", found["examples"].strip("\n"), "```"]
    lines += _table("Return values", "| value | type | returned | what |", return_rows(found.get("return") or {}))
    return "\n".join(lines) + "\n"


def role_page(name: str, specs: Doc) -> str:
    lines = [MARK, "# Role %s%s" % (NAMESPACE, name)]
    for entry in sorted(specs, key=lambda entry: (entry != "main", entry)):
        spec = specs[entry]
        lines += ["", "## Entry point %s" % entry, "", markdown(spec.get("short_description", "")) + ".", ""]
        lines += ["- " + text for text in paragraphs(spec.get("description"))]
        rows = list(option_rows(spec.get("options") or {}))
        if rows:
            lines += ["", OPTION_HEAD.replace("option", "variable"), "|---|---|---|---|", *rows]
    return "\n".join(lines) + "\n"


def index_page(entries: t.Sequence[tuple[str, str, str]]) -> str:
    lines = [MARK, "# Reference", "", "Written from the code. `ansible-doc` shows the same on the command line."]
    for kind in (*KINDS, "role"):
        rows = ["| [%s](%s_%s.md) | %s |" % (name, kind, name, what) for k, name, what in entries if k == kind]
        title = {"inventory": "Inventories"}.get(kind, kind.capitalize() + "s")
        lines += _table(title, "| name | what |", rows)
    return "\n".join(lines) + "\n"


def _ansible_doc(*words: str) -> Doc:
    argv = [str(Path(sys.executable).with_name("ansible-doc")), "--json", *words]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit("%s failed: %s" % (" ".join(argv), done.stderr.strip()))
    return t.cast(Doc, json.loads(done.stdout))


def pages() -> dict[str, str]:
    """File name to text of every reference page."""
    found: dict[str, str] = {}
    entries: list[tuple[str, str, str]] = []
    for kind, folder in KINDS.items():
        if not any((ROOT / "plugins" / folder).glob("[a-z]*.*")):
            continue
        names = sorted(_ansible_doc("-t", kind, "-l", NAMESPACE.rstrip(".")))
        for name, doc in sorted(_ansible_doc("-t", kind, *names).items() if names else ()):
            short = name[len(NAMESPACE) :]
            found["%s_%s.md" % (kind, short)] = plugin_page(kind, name, doc)
            entries.append((kind, short, _cell(doc["doc"]["short_description"])))
    for path in sorted((ROOT / "roles").glob("*/meta/argument_specs.yml")):
        name, specs = path.parents[1].name, yaml.safe_load(path.read_text())["argument_specs"]
        found["role_%s.md" % name] = role_page(name, specs)
        entries.append(("role", name, _cell(specs.get("main", {}).get("short_description", ""))))
    found["README.md"] = index_page(entries)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="Write docs/reference from the code.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a page is stale")
    check = parser.parse_args().check
    wanted = pages()
    now = {path.name: path.read_text() for path in PAGES.glob("*.md")}
    stale = sorted(name for name in {*wanted, *now} if wanted.get(name) != now.get(name))
    if check:
        for name in stale:
            print("docs/reference/%s is not what the code says" % name)
        if stale:
            print("Run: .venv/bin/python docs/generate.py")
        return 1 if stale else 0
    PAGES.mkdir(parents=True, exist_ok=True)
    for name in stale:
        if name in wanted:
            (PAGES / name).write_text(wanted[name])
        elif now[name].startswith(MARK):
            (PAGES / name).unlink()
    print("%d pages, %d written or removed" % (len(wanted), len(stale)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
