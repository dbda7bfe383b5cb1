"""The forms of sign-up and sign-in."""

import hmac
from typing import Any

from wtforms import BooleanField, HiddenField, PasswordField, StringField
from wtforms.validators import Email, InputRequired, StopValidation, ValidationError

from .. import audit
from ..fields import Form, text
from . import passwords, second_step, service, typed

IDLE_MINUTES = 15, 999
EMAIL = Email("Give a full e-mail address, such as dana@example.com.")


class NewPassword:
    """A password that may be chosen by somebody whom the fields of these names are about, or who is signed in."""

    def __init__(self, *facts: str) -> None:
        self.facts = facts

    def __call__(self, form: Any, field: Any) -> None:
        known = [form[name].data or "" for name in self.facts if name in form]
        if problem := passwords.weakness(field.data or "", [*known, *form.facts]):
            raise StopValidation(problem)


def new_password(label: str, *facts: str) -> PasswordField:
    """The field for a password to choose; no length is told to the browser, which would cut what is pasted."""
    hint = f"At least {passwords.MIN} characters. A few words in a row are easy to remember."
    return PasswordField(label, [InputRequired("Choose a password."), NewPassword(*facts)], description=hint)


def known_password(label: str = "Password") -> PasswordField:
    """The field for the password that one has."""
    return PasswordField(label, [InputRequired("Give your password."), not_too_long])


def not_too_long(_form: Any, field: Any) -> None:
    """Say that no password is so long, instead of cutting it."""
    if passwords.is_too_long(field.data or ""):
        raise StopValidation(passwords.too_long(field.data))


def not_the_portal(_form: Any, field: Any) -> None:
    """Say that a person's name is their own: the audit log tells by that of the portal what nobody did."""
    if " ".join(passwords.plain(field.data or "").split()).casefold() == audit.PORTAL.casefold():
        raise StopValidation(f"“{audit.PORTAL}” stands in the audit log for what no person did. Tell us your own name.")


class AboutSomebody(Form):
    """A form with a password to choose; the view tells the `facts` that others know beside those in its fields."""

    facts: tuple[str, ...] = ()


class SignupForm(AboutSomebody):
    """The first visit: a workspace and its Administrator."""

    workspace = text("Workspace", 100, InputRequired("Name the workspace, for example your company."))
    name = text("Your name", 100, InputRequired("Tell us your name."), not_the_portal)
    email = text("Email", 254, InputRequired("Give your e-mail address."), EMAIL, render_kw={"type": "email"})
    password = new_password("Password", "workspace", "name", "email")
    token = StringField("Sign-up token", description="The portal printed it when it started.")

    def validate_email(self, field: Any) -> None:
        if service.email_is_known(field.data):
            raise ValidationError("There is an account with this address. Log in instead.")

    def validate_token(self, field: Any) -> None:
        expected = service.signup_token()
        if expected and not hmac.compare_digest(expected.encode(), (field.data or "").strip().encode()):
            raise ValidationError("This is not the token that the portal printed when it started.")


class JoinForm(SignupForm):
    """A new account for who was invited."""

    workspace = None
    password = new_password("Password", "name", "email")
    token = None


class WorkspaceForm(Form):
    """One more workspace."""

    name = text("Workspace", 100, InputRequired("Name the workspace, for example your company."))


class LoginForm(Form):
    """Sign-in. Says the same for an unknown address and for a wrong password."""

    email = text("Email", 254, InputRequired("Give your e-mail address."), render_kw={"type": "email"})
    password = known_password()
    typed = HiddenField(name=typed.NAME)


class CodeForm(Form):
    """The second step of a sign-in."""

    code = text("Code", 40, InputRequired("Type the code that your app shows."))
    typed = HiddenField(name=typed.NAME)


class ForgotForm(Form):
    """Who asks for a link by e-mail."""

    email = text("Email", 254, InputRequired("Give your e-mail address."), EMAIL, render_kw={"type": "email"})


class ResetForm(AboutSomebody):
    """A new password by a link."""

    password = new_password("New password")


class PasswordForm(AboutSomebody):
    """A new password for who knows the one before."""

    current = known_password("Current password")
    password = new_password("New password")


class NameForm(Form):
    """How somebody is called."""

    name = text("Name", 100, InputRequired("Tell us your name."), not_the_portal)


class KnownPasswordForm(Form):
    """The password once more, from who is logged in."""

    password = known_password()


class SetUpForm(Form):
    """The first code of an authenticator app, from somebody who knows the password."""

    password = known_password()
    code = text("Code", 40, InputRequired("Type the six digits that your app shows."))


class ProofForm(Form):
    """Password and code together, for what would weaken the account."""

    password = known_password()
    code = text("Code", 40, InputRequired("Type the code that your app shows, or a recovery code."))


class TwoStepsForm(Form):
    """Whether everybody in the workspace logs in in two steps."""

    needs_two_steps = BooleanField(
        "Require it of everybody",
        description="Who has not set it up does so after the next click or log-in, and reaches nothing else before.",
    )

    def validate_needs_two_steps(self, field: Any) -> None:
        if field.data and not second_step.is_on(service.person()):
            raise ValidationError("Set two-step log-in up for yourself first, so that you are not kept out.")


class IdleForm(Form):
    """After how long without anybody there a browser is logged out."""

    minutes = text(
        "Minutes without use",
        10,
        description=f"{IDLE_MINUTES[0]} to {IDLE_MINUTES[1]}. Empty keeps people logged in.",
        render_kw={"inputmode": "numeric"},
    )

    def validate_minutes(self, field: Any) -> None:
        least, most = IDLE_MINUTES
        if field.data and not (field.data.isdecimal() and least <= int(field.data) <= most):
            raise ValidationError(f"Type a whole number from {least} to {most}, or nothing.")

    @property
    def value(self) -> int | None:
        """The minutes, or None for never."""
        return int(self.minutes.data) if self.minutes.data else None
