"""The forms about members: whom to invite, what they may do, who gets their contacts."""

from collections.abc import Iterable

from wtforms import RadioField, SelectField
from wtforms.validators import InputRequired, Optional

from ..accounts.forms import EMAIL
from ..accounts.models import Membership, Role
from ..accounts.permissions import UPWARDS
from ..fields import Form, text


def role_field(default: Role | None = None) -> RadioField:
    """One of the roles."""
    roles = [role.value for role in reversed(UPWARDS)]
    return RadioField("Role", [InputRequired("Choose a role.")], choices=roles, default=default)


class InviteForm(Form):
    """Whom to invite, as what."""

    email = text("Email", 254, Optional(), EMAIL, render_kw={"type": "email"})
    role = role_field(Role.AGENT)


class RoleForm(Form):
    """What a member may do."""

    role = role_field()


class HandOverForm(Form):
    """Who gets a member's contacts."""

    to = SelectField("Hand them over to", validate_choice=True)

    def __init__(self, others: Iterable[Membership]) -> None:
        super().__init__()
        self.to.choices = [("", "Nobody"), *((str(other.user_id), other.user.name) for other in others)]
