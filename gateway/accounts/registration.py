"""Registering, confirming an address, and replacing a password."""

from __future__ import annotations

import asyncio

from actors.domain.ids import Millis, PatientId
from care.accounts.accounts import RESET_MS, VERIFY_MS, EndedWhy, SignInContext
from care.accounts.addresses import InvalidAddress, written_address
from care.accounts.factors.values import Method
from care.accounts.flows import FlowKind
from care.accounts.ids import AccountId, SessionId
from care.accounts.passwords import Weakness, prepared, weakness_of
from care.accounts.ports import DemoAccount, EmailChange, Flow, NewAccount
from care.grants.values import GrantRefused
from gateway.access.tokens import Caller
from gateway.accounts.needs import AuthNeeds
from gateway.accounts.refusals import LinkExpired, SessionEnded, password_refused
from gateway.accounts.service import SignIn, identity_of
from gateway.wire.errors import FieldError, Forbidden, InvalidRequest


class Registration:
    """Makes accounts and changes their passwords. One per gateway."""

    def __init__(self, needs: AuthNeeds, sign_in: SignIn) -> None:
        self._it = needs
        self._sign_in = sign_in

    async def register(self, email: str, password: str, language: str) -> None:
        """Make an account; a known address gets a mail that says so.

        Both cost the same: a hash and a transaction.

        Raises:
            InvalidRequest: the address is none, or the password is refused.
        """
        email = email_of(email)
        secret, now = self._it.random.secret(), self._it.clock.now()
        new = NewAccount(
            account_id=AccountId(self._it.random.id("acc")),
            patient_id=PatientId(self._it.random.id("pat")),
            email=email,
            password_hash=await self._hashed(password, email),
            language=language,
            verify=Flow(FlowKind.VERIFY_EMAIL, secret, Millis(now + VERIFY_MS)),
        )
        mails = self._it.mails
        await self._it.accounts.register(
            new,
            welcome=mails.welcome(email, secret),
            known=mails.known(email),
            now=now,
        )

    async def verify_email(self, secret: str) -> None:
        """Confirm a first or another address. Raises LinkExpired."""
        now, accounts = self._it.clock.now(), self._it.accounts
        if await accounts.verify_email(secret, now=now):
            return
        if not await accounts.finish_email_change(secret, now=now):
            raise LinkExpired

    async def change_email(self, caller: Caller, email: str) -> None:
        """Mail a link to a new address; it is the account's once that was opened.

        The old one is told. Nothing tells whether the new one has an account.

        Raises:
            InvalidRequest: it is no address.
            Forbidden: the account belongs to a demo.
        """
        session = await self._sign_in.session_of(caller)
        if Method.DEMO in session.methods:
            # All visitors of a demo share its people, who are found by address.
            raise Forbidden("People of a demo site keep their address.")
        account = await self._it.accounts.find(session.account_id)
        if account is None:
            raise SessionEnded
        email, mails = email_of(email), self._it.mails
        secret, now = self._it.random.secret(), self._it.clock.now()
        change = EmailChange(
            email=email,
            flow=Flow(FlowKind.CHANGE_EMAIL, secret, Millis(now + VERIFY_MS)),
            link=mails.new_address(email, secret),
            known=mails.known(email),
            notice=mails.address_changes(account.email),
        )
        await self._it.accounts.begin_email_change(account.account_id, change, now=now)

    async def forgot(self, email: str) -> None:
        """Mail a link for a new password, if the address has an account."""
        secret, now = self._it.random.secret(), self._it.clock.now()
        flow = Flow(FlowKind.RESET_PASSWORD, secret, Millis(now + RESET_MS))
        message = self._it.mails.reset(email, secret)
        await self._it.credentials.begin_reset(email, flow, message, now=now)

    async def reset(self, secret: str, password: str) -> None:
        """Use the link of a mail: all sessions end, none begins.

        Raises:
            LinkExpired: it was used, or its time is up.
            PasswordRefused: the password is too weak; the link still works.
        """
        now = self._it.clock.now()
        account = await self._it.credentials.reset_account(secret, now=now)
        if account is None:
            raise LinkExpired
        made = await self._hashed(password, account.email)
        if await self._it.credentials.finish_reset(secret, made, now=now) is None:
            raise LinkExpired
        await self._sign_in.sign_out_everywhere(account.account_id, EndedWhy.PASSWORD)

    async def change_password(self, caller: Caller, password: str) -> None:
        """Replace the password of a caller: their other sessions end.

        Raises:
            PasswordRefused: the password is too weak.
        """
        session = await self._sign_in.session_of(caller)
        account = await self._it.accounts.find(session.account_id)
        assert account is not None, "sessions refer to accounts"
        made = await self._hashed(password, account.email)
        await self._it.credentials.set_password(
            account.account_id,
            made,
            notice=self._it.mails.password_changed(account.email),
            now=self._it.clock.now(),
        )
        spare = SessionId(identity_of(caller).session)
        await self._sign_in.sign_out_everywhere(
            account.account_id, EndedWhy.PASSWORD, spare
        )

    async def demo_account(self, persona: str, context: SignInContext) -> AccountId:
        """The account of a demo site's person, made at the first call."""
        account_id = AccountId(self._it.random.id("acc"))
        wanted = DemoAccount(account_id, f"{persona}@demo.example.org", context)
        try:
            made = await self._it.accounts.demo_account(
                wanted, now=self._it.clock.now()
            )
        except GrantRefused:
            raise Forbidden("This person of the demo has another account.") from None
        return made.account_id

    async def _hashed(self, password: str, email: str) -> str:
        # In a thread: the list of common passwords takes a moment to load.
        weakness = await asyncio.to_thread(weakness_of, password, [email])
        if weakness is None and self._it.breached is not None:
            # Read from a map: what is not in memory is read from the disk.
            known = self._it.breached.has
            if await asyncio.to_thread(known, prepared(password)):
                weakness = Weakness.BREACHED
        if weakness is not None:
            raise password_refused(weakness)
        return await self._it.passwords.hashed(prepared(password))


def email_of(text: str) -> str:
    """An address as it was meant. Raises InvalidRequest."""
    try:
        return written_address(text)
    except InvalidAddress as error:
        message = f"is no e-mail address: {error}"
        raise InvalidRequest("", FieldError("email", message)) from None
