"""The texts of mails about accounts.

Links carry their secret behind ``#``, which browsers send to no server and write into
no log; the page it opens acts by POST. They always begin with the site's own address,
whatever name the request gave.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from care.notices.messages import Channel, Message


class AccountMails:
    """Writes the mails; ``site_url`` is the site's public address, without a path."""

    def __init__(self, site_url: str) -> None:
        self._url = site_url.rstrip("/")

    def welcome(self, email: str, secret: str) -> Message:
        """To someone who registers."""
        return Message(
            "verify_email",
            email,
            "Confirm your e-mail address",
            "Welcome to Slotcast. Confirm that this address is yours:\n\n"
            f"{self._url}/#/verify-email?token={secret}\n\n"
            "The link works for three days. If you did not register, do not open it; "
            "without it nothing happens.",
        )

    def known(self, email: str) -> Message:
        """To someone whose address is registered again."""
        return Message(
            "already_registered",
            email,
            "You have an account already",
            "Someone, probably you, wanted to register this address with Slotcast, "
            "which has an account already. Sign in, or choose a new password:\n\n"
            f"{self._url}/#/forgot-password\n\n"
            "If it was not you, nothing has changed and there is nothing to do.",
        )

    def vouched(self, email: str, provider: str, secret: str) -> Message:
        """To someone who signs in by a provider for the first time."""
        return Message(
            "verify_email",
            email,
            "Confirm your e-mail address",
            f"Welcome to Slotcast. Someone, probably you, signed in with {provider} "
            "and gave this address. Confirm that it is yours:\n\n"
            f"{self._url}/#/verify-email?token={secret}\n\n"
            f"The link works for three days. If you did not sign in with {provider}, "
            "do not open it; without it nothing happens.",
        )

    def identity_linked(self, email: str, provider: str) -> Message:
        """To the owner, after a provider was linked."""
        return Message(
            "identity_linked",
            email,
            f"{provider} was linked",
            f"Your Slotcast account can be signed in to with {provider} now. If it was "
            f"not you, unlink it and change your password:\n\n{self._url}/#/security",
        )

    def identity_unlinked(self, email: str) -> Message:
        """To the owner, after a provider was unlinked."""
        return Message(
            "identity_unlinked",
            email,
            "A way to sign in was removed",
            "A provider was unlinked from your Slotcast account. If it was not you, "
            f"change your password:\n\n{self._url}/#/security",
        )

    def reset(self, email: str, secret: str) -> Message:
        """To someone who asks for a new password."""
        return Message(
            "reset_password",
            email,
            "Choose a new password",
            "Choose a new password for Slotcast:\n\n"
            f"{self._url}/#/reset-password?token={secret}\n\n"
            "The link works for 30 minutes and once. If you did not ask for it, there "
            "is nothing to do: your password has not changed.",
        )

    def reused(self, email: str) -> Message:
        """To the owner of a session that ended because an old token came again."""
        return Message(
            "session_reuse",
            email,
            "You were signed out on one device",
            "A sign-in key of one of your devices was used twice, so the device was "
            "signed out. If you did not just restore a backup of it, someone may have "
            f"copied the key: change your password.\n\n{self._url}/#/sessions",
        )

    def password_changed(self, email: str) -> Message:
        """To the owner, after the password was changed or reset."""
        return Message(
            "password_changed",
            email,
            "Your password was changed",
            "The password of your Slotcast account was changed, and other devices were "
            "signed out. If it was not you, choose a new one at once:\n\n"
            f"{self._url}/#/forgot-password",
        )

    def new_address(self, email: str, secret: str) -> Message:
        """To the address that an account wants to have."""
        return Message(
            "change_email",
            email,
            "Confirm your new e-mail address",
            "Confirm that your Slotcast account has this address from now on:\n\n"
            f"{self._url}/#/verify-email?token={secret}\n\n"
            "The link works for three days. If you did not ask for it, do not open it.",
        )

    def address_changes(self, email: str) -> Message:
        """To the address that an account has had."""
        return Message(
            "email_changes",
            email,
            "Your e-mail address is about to change",
            "Your Slotcast account will have another e-mail address once that is "
            "confirmed. If it was not you, change your password at once:\n\n"
            f"{self._url}/#/forgot-password",
        )

    def factor_added(self, email: str, kind: str) -> Message:
        """To the owner, after a factor was added."""
        return Message(
            "factor_added",
            email,
            "A second factor was added",
            f"Your Slotcast account has a new way to confirm a sign-in ({kind}). If it "
            "was not you, remove it and change your password:\n\n"
            f"{self._url}/#/security",
        )

    def factor_removed(self, email: str) -> Message:
        """To the owner, after a factor was removed."""
        return Message(
            "factor_removed",
            email,
            "A second factor was removed",
            "A way to confirm sign-ins was removed from your Slotcast account. If it "
            f"was not you, change your password:\n\n{self._url}/#/security",
        )

    def factors_reset_asked(self, email: str, due: str) -> Message:
        """To the owner, when an administrator asks to remove the second factors."""
        return Message(
            "factors_reset_asked",
            email,
            "Your second factors are about to be removed",
            "An administrator was told that you have lost what confirms your sign-ins. "
            f"It can be removed from {due} on, or earlier if a second administrator "
            "agrees. If you have not lost it, sign in with it once: that stops this. "
            "If you did not ask for it, tell your administrators too:\n\n"
            f"{self._url}/#/security",
        )

    def factors_reset(self, email: str) -> Message:
        """To the owner, after all second factors were removed."""
        return Message(
            "factors_reset",
            email,
            "Your second factors were removed",
            "All ways to confirm sign-ins and the recovery codes were removed from "
            "your Slotcast account by an administrator, and it was signed out "
            "everywhere. Sign in with your password and add a new one. If it was not "
            f"you who asked, change your password at once:\n\n{self._url}/#/security",
        )

    def recovery_code_used(self, email: str) -> Message:
        """To the owner, after someone signed in with a recovery code."""
        return Message(
            "recovery_code_used",
            email,
            "A recovery code was used",
            "A recovery code of your Slotcast account was used to sign in. It does not "
            "work any more. If it was not you, change your password and renew the "
            f"codes:\n\n{self._url}/#/security",
        )

    def recovery_codes_renewed(self, email: str) -> Message:
        """To the owner, after the recovery codes were replaced."""
        return Message(
            "recovery_codes_renewed",
            email,
            "New recovery codes",
            "Your Slotcast account has new recovery codes; the old ones do not work "
            "any more. If it was not you, change your password:\n\n"
            f"{self._url}/#/security",
        )

    def sms_code(self, phone: str, code: str) -> Message:
        """A code, with the line that lets phones fill it in only on this site."""
        return Message(
            "sms_code",
            phone,
            "",
            f"{code} is your Slotcast code, good for five minutes. Never "
            f"tell it to anyone.\n\n@{urlsplit(self._url).hostname} #{code}",
            Channel.SMS,
        )

    def phone_replaced(self, phone: str) -> Message:
        """To the phone that gets no codes any more."""
        return Message(
            "phone_replaced",
            phone,
            "",
            "Slotcast sends the codes of your account to another phone now. If it was "
            f"not you: {self._url}/#/security",
            Channel.SMS,
        )
