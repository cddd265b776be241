"""The landing page: what this is and where to go on, with nothing from elsewhere."""

from __future__ import annotations

from html import escape
from typing import Final

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
<p>The web app is not built here: <code>make run</code> builds it where Node.js 20.19 or
newer can be had. The API works without it.</p>
<ul><li><a href="/docs">How to call it</a>: every operation and every error code</li>
<li><a href="/openapi.json">OpenAPI</a> and <a href="/asyncapi.json">AsyncAPI</a>
documents</li><li><a href="/v1/providers">Providers</a>, without a token</li>
<li><a href="/readyz">Is it ready?</a> · <a href="/metrics">Metrics</a></li></ul>
<h2>Try it</h2><p>A token for trying things out:</p>
<pre>slotcast token --role patient --subject pat_1</pre>
<p>Find a free slot, and book it:</p>
<pre>curl {{this address}}/v1/providers?sort=soonest
curl {{this address}}/v1/bookings -H "Authorization: Bearer $TOKEN" \\
  -H "Idempotency-Key: my-first" -H "Content-Type: application/json" \\
  -d '{{"provider_id":"prv_…","visit_type":"…","start":"…"}}'</pre>""",
    )
