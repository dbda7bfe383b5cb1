"""The forms of sign-up and sign-in."""

import hmac
from typing import Any

from wtforms import PasswordField, StringField
from wtforms.validators import Email, InputRequired, Length, ValidationError

from ..fields import Form, text
from . import service

MIN_PASSWORD, MAX_PASSWORD = 12, 128
EMAIL = Email("Give a full e-mail address, such as dana@example.com.")


class SignupForm(Form):
    """The first visit: a workspace and its Administrator."""

    workspace = text("Workspace", 100, InputRequired("Name the workspace, for example your company."))
    name = text("Your name", 100, InputRequired("Tell us your name."))
    email = text("Email", 254, InputRequired("Give your e-mail address."), EMAIL, render_kw={"type": "email"})
    password = PasswordField(
        "Password",
        [
            InputRequired("Choose a password."),
            Length(MIN_PASSWORD, MAX_PASSWORD, f"Use {MIN_PASSWORD} to {MAX_PASSWORD} characters."),
        ],
        description=f"At least {MIN_PASSWORD} characters. A few words in a row are easy to remember.",
    )
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
    token = None


class WorkspaceForm(Form):
    """One more workspace."""

    name = text("Workspace", 100, InputRequired("Name the workspace, for example your company."))


class LoginForm(Form):
    """Sign-in. Says the same for an unknown address and for a wrong password."""

    email = text("Email", 254, InputRequired("Give your e-mail address."), render_kw={"type": "email"})
    password = PasswordField("Password", [InputRequired("Give your password."), Length(max=MAX_PASSWORD)])
