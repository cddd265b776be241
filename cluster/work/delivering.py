"""The job that delivers messages to people, and its channels."""

from __future__ import annotations

from collections.abc import Mapping

from actors.ports import Clock
from care.jobs.jobs import Job, JobError
from care.jobs.ports import Handler
from care.notices.messages import DELIVER, Channel, MessageSender, OutgoingMessages
from cluster.site.site import Site
from persistence.keys.ring import KeyRing
from persistence.notices.folder import FolderCourier
from persistence.notices.outbox import SqlOutgoingMessages
from persistence.notices.smtp import SmtpCourier
from persistence.notices.twilio import TwilioCourier
from persistence.sql.records import Records


def message_handlers(
    outgoing: OutgoingMessages, couriers: Mapping[Channel, MessageSender], clock: Clock
) -> Mapping[str, Handler]:
    """Handlers of jobs that deliver messages."""

    async def deliver(job: Job) -> None:
        found = await outgoing.find(job.key)
        if found is None or found.sent_at is not None:
            return
        courier = couriers.get(found.message.channel)
        if courier is None:
            channel = found.message.channel.value
            raise JobError(f"this site sends no {channel}", final=True)
        await courier.deliver(found)
        await outgoing.mark_sent(job.key, now=clock.now())

    return {DELIVER: deliver}


def message_handlers_of(
    site: Site, records: Records, clock: Clock
) -> Mapping[str, Handler]:
    """The handlers of a site, over its records.

    Raises:
        Obstacle: the keys of sealed data cannot be used.
    """
    ring = KeyRing(records, site.key_encryption_keys(), clock)
    return message_handlers(
        SqlOutgoingMessages(records, ring), couriers_of(site), clock
    )


def couriers_of(site: Site) -> Mapping[Channel, MessageSender]:
    """The sender of each channel.

    Without a mail server, or a service for phones, theirs go into a folder.
    """
    settings = site.settings
    folder = FolderCourier(site.folder.path / "outgoing")
    mail: MessageSender = folder
    sms: MessageSender = folder
    if settings.mail:
        mail = SmtpCourier(settings.mail, settings.mail_from)
    if settings.sms:
        sms = TwilioCourier(settings.sms, settings.sms_from)
    return {Channel.MAIL: mail, Channel.SMS: sms}
