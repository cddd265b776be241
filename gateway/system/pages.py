"""Pages for people that need nothing from elsewhere: the landing page and the docs."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from gateway.http.endpoint import Operation
from gateway.http.openapi import codes_of
from gateway.wire.problems import CODES

_STYLE: Final = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;
color:#1a2b32;background:#fbfdfd}a{color:#00667a}
code,pre{font:14px ui-monospace,monospace}
pre{background:#eef4f5;padding:1rem;overflow:auto;border-radius:.5rem}
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;
padding:.35rem .6rem;border-bottom:1px solid #d6e2e4}h2{margin-top:2.2rem}
.method{font-weight:700;color:#00667a}details{margin:.4rem 0}summary{cursor:pointer}
"""


def _page(title: str, body: str) -> bytes:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body>{body}</body></html>"
    ).encode()


def landing_page(version: str) -> bytes:
    """What this is, and where to go on."""
    return _page(
        "Slotcast",
        f"""<h1>Slotcast</h1>
<p>Live scheduling for medical care. This server is running, version
{escape(version)}.</p>
<p><strong><a href="/live">Watch it live</a></strong>: every slot, the moment it
changes; hold one and book it.</p>
<ul><li><a href="/docs">How to call it</a>: every operation and every error code</li>
<li><a href="/openapi.json">OpenAPI</a> and <a href="/asyncapi.json">AsyncAPI</a>
documents</li><li><a href="/v1/providers">Providers</a>, open to everybody</li>
<li><a href="/readyz">Is it ready?</a> · <a href="/metrics">Metrics</a></li></ul>
<h2>Try it</h2><p>A token for trying things out:</p>
<pre>slotcast token --role patient --subject pat_1</pre>
<p>Find a free slot, and book it:</p>
<pre>curl {{this address}}/v1/providers?sort=soonest
curl {{this address}}/v1/bookings -H "Authorization: Bearer $TOKEN" \\
  -H "Idempotency-Key: my-first" -H "Content-Type: application/json" \\
  -d '{{"provider_id":"prv_…","visit_type":"…","start":"…"}}'</pre>""",
    )


def docs_page(operations: Sequence[Operation], version: str) -> bytes:
    """Every operation and every code, without a script and without the network."""
    rows = "".join(_row(operation) for operation in operations)
    codes = "".join(
        f'<tr id="{code}"><td><code>{code}</code></td><td>{status}</td>'
        f"<td>{escape(title)}</td></tr>"
        for code, (status, title) in CODES.items()
    )
    return _page(
        "Slotcast: operations",
        f"""<h1>Operations</h1><p>Version {escape(version)}. The full truth, with all
schemas: <a href="/openapi.json">/openapi.json</a> for REST,
<a href="/asyncapi.json">/asyncapi.json</a> for the live socket. Send
<code>Authorization: Bearer &lt;token&gt;</code>; operations marked “open” need none.
Writes take an <code>Idempotency-Key</code>.</p>{rows}
<h2>Error codes</h2><table><tr><th>code</th><th>status</th><th>meaning</th></tr>
{codes}</table>""",
    )


def _row(operation: Operation) -> str:
    queries = "".join(
        f"<li><code>{escape(query.name)}</code>: {escape(query.description)}</li>"
        for query in operation.query
    )
    listed = f"<ul>{queries}</ul>" if queries else ""
    body = getattr(operation.body, "__name__", "")
    takes = f"<p>Body: <code>{body}</code></p>" if body else ""
    codes = ", ".join(f'<a href="#{code}">{code}</a>' for code in codes_of(operation))
    opened = " · open" if operation.public else ""
    return (
        f'<details><summary><span class="method">{operation.method}</span> '
        f"<code>{escape(operation.path)}</code> {escape(operation.summary)}{opened}"
        f"</summary>{listed}{takes}<p>May be refused with: {codes}</p></details>"
    )
