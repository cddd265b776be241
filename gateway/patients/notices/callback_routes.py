"""``/v1/webhooks/sms/{message_id}``: what became of messages to phones.

The service signs its address and form with the account's token (X-Twilio-Signature):
HMAC-SHA1 over the address that it was given and the sorted fields of the form.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha1
from typing import Annotated, Final
from urllib.parse import parse_qsl

from fastapi import Header, Path, Request, Response

from care.notices.messages import Attempt, DeliveryStatus
from gateway.access.rights import Of
from gateway.config import GatewayConfig, GatewayPorts
from gateway.http.features import ANYONE, FeatureRouter
from gateway.wire.errors import Forbidden, InvalidRequest

router = FeatureRouter(prefix="/v1/webhooks", tags=["notices"], audited=False)

FIELDS_MAX: Final = 100
STATUSES: Final = {
    "accepted": DeliveryStatus.SENT,
    "queued": DeliveryStatus.SENT,
    "sending": DeliveryStatus.SENT,
    "sent": DeliveryStatus.SENT,
    "delivered": DeliveryStatus.DELIVERED,
    "read": DeliveryStatus.DELIVERED,
    "undelivered": DeliveryStatus.FAILED,
    "failed": DeliveryStatus.FAILED,
}
"""The service's words; any of them proves that it took the message."""
_FORM: Final = "application/x-www-form-urlencoded"


@router.post(
    "/sms/{message_id}",
    right=ANYONE,
    of=Of.SECRET,
    takes_token=False,
    idempotent=False,
    status_code=204,
    refusals=["forbidden"],
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                _FORM: {
                    "schema": {
                        "type": "object",
                        "required": ["MessageStatus"],
                        "properties": {
                            "MessageStatus": {"type": "string"},
                            "MessageSid": {"type": "string"},
                        },
                    }
                }
            },
        }
    },
)
async def sms_status(
    request: Request,
    message_id: Annotated[str, Path(max_length=100)],
    x_twilio_signature: Annotated[str, Header(max_length=100)] = "",
) -> Response:
    """Record what became of a message. Repeated and late calls change nothing."""
    ports: GatewayPorts = request.app.state.ports
    config: GatewayConfig = request.app.state.config
    assert ports.outgoing is not None, "mounted only where there are messages"
    form = await _form_of(request)
    address = f"{config.public_url}/v1/webhooks/sms/{message_id}"
    expected = signature(config.sms_token, address, form)
    if not config.sms_token or not hmac.compare_digest(
        expected.encode(), x_twilio_signature.encode("utf-8", "replace")
    ):
        raise Forbidden("The signature is not right.")
    said = dict(form)
    status = STATUSES.get(said.get("MessageStatus", ""))
    if status is not None:
        attempt = Attempt(message_id, status, said.get("MessageSid", ""))
        await ports.outgoing.settle([attempt], now=ports.clock.now())
    return Response(status_code=204)


def signature(token: str, address: str, form: Iterable[tuple[str, str]]) -> str:
    """What the service signs a call with."""
    fields = "".join(f"{key}{value}" for key, value in sorted(set(form)))
    made = hmac.new(token.encode(), f"{address}{fields}".encode(), sha1)
    return b64encode(made.digest()).decode()


async def _form_of(request: Request) -> list[tuple[str, str]]:
    try:
        body = (await request.body()).decode()
        return parse_qsl(body, keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError:
        raise InvalidRequest("The form cannot be read.") from None
