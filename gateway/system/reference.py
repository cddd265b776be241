"""The interactive reference: Swagger UI over our OpenAPI document, served by us.

Its files come from a package (fastapi-swagger), so no other host is asked. The live
socket has a reference of its own beside it, made from the AsyncAPI document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from typing import Any, Final

_HEAD: Final = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width,initial-scale=1">'
    "<title>{title}</title>"
)

ASSETS: Final = {
    "/docs/swagger-ui-bundle.js": b"text/javascript; charset=utf-8",
    "/docs/swagger-ui.css": b"text/css; charset=utf-8",
    "/docs/start.js": b"text/javascript; charset=utf-8",
    "/docs/reference.css": b"text/css; charset=utf-8",
}
"""Files of the pages below, and their types."""

_START: Final = b"""\
window.addEventListener("load", () => {
  SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#reference",
    deepLinking: true,
    persistAuthorization: false,
    tryItOutEnabled: true,
    displayRequestDuration: true,
    docExpansion: "none",
    validatorUrl: null,
    queryConfigEnabled: false,
  });
});
"""
_STYLE: Final = b"""\
body{font:16px/1.5 system-ui,sans-serif;margin:0;color:#1a2b32;background:#fbfdfd}
nav{padding:.6rem 1.2rem;border-bottom:1px solid #d6e2e4}nav a{margin-right:1.2rem}
a{color:#00667a}main{max-width:64rem;margin:1.5rem auto;padding:0 1rem}
main code{font:14px ui-monospace,monospace}table{border-collapse:collapse;width:100%}
td,th{text-align:left;vertical-align:top;padding:.35rem .6rem;
border-bottom:1px solid #d6e2e4}h2{margin-top:2.2rem}
@media(prefers-color-scheme:dark){body{color:#e3edf0;background:#10181b}
a{color:#6fd0e4}nav,td,th{border-color:#2b3a40}
.swagger-ui{background:#fbfdfd}}
"""
_CODE: Final = re.compile("`([^`]+)`")
_LINKS: Final = (
    '<nav><a href="/docs">REST</a><a href="/docs/live">Live socket</a>'
    '<a href="/docs/codes">Error codes</a><a href="/openapi.json">OpenAPI</a>'
    '<a href="/asyncapi.json">AsyncAPI</a></nav>'
)


def asset(path: str) -> bytes:
    """A file of the reference, by its path."""
    if path == "/docs/start.js":
        return _START
    if path == "/docs/reference.css":
        return _STYLE
    name = path.rpartition("/")[2]
    return (files("fastapi_swagger.resources") / name).read_bytes()


def rest_page(version: str) -> bytes:
    """Swagger UI."""
    return _page(
        f"Slotcast {version}: REST",
        '<div id="reference"></div>'
        '<noscript><main>The reference needs scripts; <a href="/openapi.json">the '
        "document</a> does not.</main></noscript>"
        '<script src="/docs/swagger-ui-bundle.js"></script>'
        '<script src="/docs/start.js"></script>',
        '<link rel="stylesheet" href="/docs/swagger-ui.css">',
    )


def codes_page(codes: Mapping[str, tuple[int, str]]) -> bytes:
    """Every error code, with its status and meaning."""
    rows = "".join(
        f'<tr id="{code}"><td><code>{code}</code></td><td>{status}</td>'
        f"<td>{escape(title)}</td></tr>"
        for code, (status, title) in codes.items()
    )
    return _page(
        "Slotcast: error codes",
        "<main><h1>Error codes</h1><p>Errors are <code>application/problem+json</code>"
        " (RFC 9457); programs switch on <code>code</code>.</p><table><tr><th>code</th>"
        f"<th>status</th><th>meaning</th></tr>{rows}</table></main>",
    )


def live_page(document: Mapping[str, Any]) -> bytes:
    """The live socket: its channel, messages and fields, from the AsyncAPI document."""
    schemas = document["components"]["schemas"]
    messages = document["components"].get("messages", {})
    parts = [
        "<main><h1>Live socket</h1>",
        f"<p>{_prose(document['info'].get('description', ''))}</p>",
        "<p>Connect with a WebSocket to <code>/v1/live</code>, subprotocol "
        "<code>slotcast.v1</code>.</p>",
    ]
    for name, message in messages.items():
        parts.append(f'<h2 id="{escape(name)}">{escape(name)}</h2>')
        parts.append(f"<p>{escape(message.get('summary', ''))}</p>")
        parts.append(_fields(_resolved(message.get("payload", {}), schemas)))
    parts.append("</main>")
    return _page("Slotcast: live socket", "".join(parts))


def _prose(text: str) -> str:
    """Text of a document as HTML: what it has in backquotes is code."""
    return _CODE.sub(r"<code>\1</code>", escape(text))


def _resolved(schema: Any, schemas: Mapping[str, Any]) -> Any:
    """A schema, or the one that it refers to."""
    if isinstance(schema, dict) and "$ref" in schema:
        return schemas.get(schema["$ref"].rpartition("/")[2], {})
    return schema


def _fields(schema: Any) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(_type_of(field))}</td>"
        f"<td>{_prose(field.get('description', ''))}</td></tr>"
        for name, field in schema.get("properties", {}).items()
    )
    head = "<tr><th>field</th><th>type</th><th>meaning</th></tr>"
    return f"<table>{head}{rows}</table>" if rows else ""


def _type_of(field: Mapping[str, Any]) -> str:
    """A field's type in a few words."""
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    if "enum" in field:
        return " or ".join(map(str, field["enum"]))
    if "const" in field:
        return str(field["const"])
    for way in ("anyOf", "oneOf"):
        if way in field:
            return " or ".join(_type_of(one) for one in field[way])
    kind = str(field.get("type", "any"))
    return f"{kind} of {_type_of(field['items'])}" if _has_items(field) else kind


def _has_items(field: Mapping[str, Any]) -> bool:
    return isinstance(field.get("items"), Mapping)


def _page(title: str, body: str, head: str = "") -> bytes:
    style = '<link rel="stylesheet" href="/docs/reference.css">'
    return (
        f"{_HEAD.format(title=escape(title))}{head}{style}</head>"
        f"<body>{_LINKS}{body}</body></html>"
    ).encode()
