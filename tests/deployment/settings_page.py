"""The page of all settings, made from the settings themselves.

Usage: python -m tests.deployment.settings_page > docs/operations/settings.md
"""

from __future__ import annotations

import ast
import inspect
import sys

from cluster.site import settings as module
from cluster.site.settings import ENV_PREFIX, SECRETS, Settings

HEAD = """# Settings

Each is an environment variable. Those marked *fixed* are written into a site when it
is made and cannot be changed later; those marked *secret* are never shown, and with
`_FILE` at the end of the name the variable names a file with the value (mode 600).

This page is made from `cluster/site/settings.py`.
"""
FIXED = frozenset({"shards", "placement", "cell_minutes"})


def described() -> dict[str, str]:
    """What the source says of each setting: the text below it."""
    tree = ast.parse(inspect.getsource(module))
    (of_settings,) = (
        node
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == "Settings"
    )
    found: dict[str, str] = {}
    name = ""
    for node in of_settings.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        elif (
            name
            and isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            found[name] = " ".join(node.value.value.split()).replace("``", "`")
            name = ""
    return found


def page() -> str:
    """The whole page."""
    texts = described()
    lines = [HEAD, "| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.default
        value = getattr(default, "value", default)
        shown = str(value).lower() if isinstance(value, bool) else str(value or "")
        if field.default_factory is not None:
            value, shown = "", "by cores"
        shown = "0" if value == 0 and not isinstance(value, bool) else shown
        marks = [
            word
            for word, names in (("*fixed*", FIXED), ("*secret*", SECRETS))
            if name in names
        ]
        told = " ".join([*marks, texts.get(name, "")]).replace("|", "\\|")
        code = f"`{shown}`" if shown else ""
        lines.append(f"| `{ENV_PREFIX}{name.upper()}` | {code} | {told} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
