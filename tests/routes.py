"""Every route: who may call it, what it names and what is sent to it. A new route needs a row here."""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Flask

from portal.accounts.models import Role
from tests.conftest import PASSWORD
from tests.world import RECOVERY_CODE

CONTACT = {
    "email": "changed@example.com", "phone_number": "", "whatsapp_number": "", "avatar_url": "", "owner": "",
    "lead_stage": "Lead", "priority": "Low",
}  # fmt: skip
WEBHOOK = {"ContactDeleted": "y", "url": "https://changed.example/hook"}


class Kept(io.BytesIO):
    """A file that can be sent again and again: who sends it closes it."""

    def close(self) -> None:
        self.seek(0)


@dataclass(frozen=True)
class Route:
    """An endpoint with one of its methods; those that are not public are for members."""

    endpoint: str
    method: str = "GET"
    names: str = ""
    """What the id in its address names: a table, or a thing of the world that `tests/world.py` makes."""
    form: Mapping[str, str] = field(default_factory=dict)
    """Fields that it accepts; {id} is the id in the address, {email} that of the person whose world it is."""
    file: str = ""
    """What stands in the file that it accepts."""
    changes: bool = False
    public: int = 0
    """The status that those without a session get; 0 where they are asked to log in."""
    csrf: bool = True
    """Whether a POST needs the token of the page that it comes from."""

    def address(self, app: Flask, key: object = "") -> str:
        """Its path with that id."""
        rule = next(rule for rule in app.url_map.iter_rules(self.endpoint) if self.method in (rule.methods or ()))
        return re.sub("<.+?>", str(key), rule.rule)

    def filled(self, key: object, email: str = "") -> dict[str, Any]:
        """What is sent to it about the thing with that id."""
        form = {name.format(id=key): value.format(id=key, email=email) for name, value in self.form.items()}
        return form | ({"file": (Kept(self.file.encode()), "people.csv")} if self.file else {})


def change(endpoint: str, names: str = "", form: Mapping[str, str] | None = None) -> Route:
    """A POST that changes rows."""
    return Route(endpoint, "POST", names, form or {}, changes=True)


PROOF = {"password": PASSWORD, "code": RECOVERY_CODE}
ANOTHER = "four words nobody knows"
SIGNUP = {"workspace": "W", "name": "N", "email": "{id}@example.com", "password": PASSWORD}
NEWCOMER = {"name": "N", "email": "{id}@example.org", "password": PASSWORD}
TAG = {"{id}-name": "Changed", "{id}-color": "#123456"}

FIELD = {"name": "Changed", "is_visible": "y"}

ROUTES = [
    Route("account.index"),
    Route("account.password"),
    Route("account.two_step"),
    Route("account.end_other_sessions"),
    Route("account.end_session", names="user_session"),
    change("account.end_other_sessions", form={"password": PASSWORD}),
    change("account.end_session", "user_session", {"password": PASSWORD}),
    change("account.index", form={"name": "Changed"}),
    change("account.new_codes", form=PROOF),
    change("account.password", form={"current": PASSWORD, "password": ANOTHER}),
    Route("account.two_step", "POST"),
    change("account.two_step_off", form=PROOF),
    Route("audit.download", changes=True),
    Route("audit.index"),
    Route("accounts.here"),
    Route("accounts.log_in", public=200),
    Route("accounts.log_in", "POST", form={"email": "{email}", "password": PASSWORD}, public=303),
    Route("accounts.settings"),
    Route("accounts.signup", public=200),
    Route("accounts.signup", "POST", form=SIGNUP, changes=True, public=303),
    Route("bulk.ask"),
    Route("bulk.show", names="bulk"),
    change("bulk.begin", form={"act": "resend"}),
    change("bulk.replay", "webhook", {"days": "7"}),
    change("bulk.stop", "bulk"),
    Route("contacts.edit", names="contact"),
    Route("contacts.group", names="contact"),
    Route("contacts.index"),
    Route("contacts.new"),
    Route("contacts.picture", names="avatar", public=200),
    Route("contacts.show", names="contact"),
    Route("contacts.suggest", names="contact"),
    Route("contacts.tags"),
    change("contacts.delete", "contact"),
    change("contacts.delete_tag", "tag"),
    change("contacts.edit", "contact", CONTACT),
    change("contacts.group", "contact", {"of": "company", "company_name": "Changed", "job_title": ""}),
    change("contacts.tag", "contact", {"add": "Changed"}),
    change("contacts.upload", "contact", {"remove": "y"}),
    change("contacts.edit_tag", "tag", TAG),
    change("contacts.new", form=CONTACT),
    change("contacts.tags", form={"new-name": "Changed", "new-color": "#123456"}),
    Route("contact_bulk.ask", "POST", form={"all": "match", "act": "edit"}),
    Route("contact_bulk.bin_"),
    Route("contact_bulk.show", names="contact_bulk"),
    change("contact_bulk.begin", form={"all": "match", "act": "delete"}),
    change("contact_bulk.empty"),
    Route("contact_bulk.restore", "POST", form={"id": "{id}"}),
    change("contact_bulk.stop", "contact_bulk"),
    change("contact_bulk.undo", "contact_bulk"),
    Route("contact_list.add_filter"),
    Route("contact_list.columns"),
    change("contact_list.columns", form={"add": "city"}),
    change("contact_list.delete_view", "contact_view"),
    change("contact_list.save_view", form={"name": "Mine"}),
    Route("definitions.edit_field", names="custom_field"),
    Route("definitions.fields"),
    Route("definitions.new_field"),
    Route("definitions.words"),
    change("definitions.delete_field", "custom_field"),
    change("definitions.delete_word", "list_word"),
    change("definitions.edit_field", "custom_field", FIELD),
    change("definitions.move_field", "custom_field", {"steps": "1"}),
    change("definitions.move_word", "list_word", {"steps": "-1"}),
    change("definitions.new_field", form={**FIELD, "type": "text"}),
    change("definitions.rename_word", "list_word", {"{id}-name": "Changed"}),
    change("definitions.words", form={"kind": "priority", "priority-name": "Changed"}),
    Route("duplicates.choose"),
    Route("duplicates.index"),
    Route("duplicates.merge", "POST"),
    Route("deliveries.download", changes=True),
    Route("deliveries.index"),
    Route("deliveries.judge", "POST", "delivery", {"signature": "v1,{id}"}),
    Route("deliveries.lab", names="delivery"),
    Route("deliveries.show", names="delivery"),
    change("deliveries.resend", "delivery"),
    Route("docs.asyncapi", public=200),
    Route("docs.receiving", public=200),
    Route("docs.schema", names="schema", public=200),
    Route("exports.ask"),
    Route("exports.ask", "POST", form={"all": "match"}),
    Route("exports.download", changes=True),
    change("exports.download", form={"column": "city"}),
    Route("health.show", public=200),
    Route("metrics.show", public=404),  # no token is set
    Route("imports.columns", names="contact_import"),
    Route("imports.refused", names="contact_import", changes=True),
    Route("imports.show", names="contact_import"),
    Route("imports.upload"),
    Route("imports.upload", "POST", file="Email\na@example.com\n", changes=True),
    change("imports.check", "contact_import", {"to-0": "email", "match-0": "email"}),
    change("imports.read_again", "contact_import", {"is_data": "y"}),
    change("imports.run", "contact_import"),
    change("imports.stop", "contact_import"),
    Route("overview.index"),
    change("overview.add_sample"),
    Route("privacy.erase", names="contact"),
    Route("privacy.export", names="contact", changes=True),
    Route("privacy.show", names="erasure"),
    change("privacy.erase", "contact", {"name": "z~qcontact.first_name z~qcontact.last_name"}),
    Route("proof.code", public=303),
    Route("proof.code", "POST", public=303),
    Route("proof.forgot", public=200),
    Route("proof.forgot", "POST", form={"email": "{email}"}, public=200),
    Route("proof.reset", names="reset", public=200),
    Route("proof.reset", "POST", "reset", {"password": ANOTHER}, changes=True, public=303),
    Route("sandbox.fill"),
    Route("sandbox.receive", names="sandbox", public=302),
    Route("sandbox.receive", "POST", "sandbox", changes=True, public=200, csrf=False),
    Route("sandbox.show"),
    change("sandbox.set_mode", form={"mode": "error"}),
    change("sandbox.use"),
    Route("security.index"),
    change("security.index", form={"minutes": "15"}),
    change("security.link", "member"),
    change("security.require_two_steps", form={"needs_two_steps": "y"}),
    change("security.two_step_off", "member"),
    Route("webhooks.apps"),
    Route("webhooks.charts", names="webhook"),
    Route("webhooks.edit", names="webhook"),
    Route("webhooks.index"),
    Route("webhooks.new"),
    Route("webhooks.show", names="webhook"),
    Route("webhooks.test_result", names="delivery"),
    Route("webhooks.check", "POST", form=WEBHOOK),
    change("webhooks.delete", "webhook"),
    change("webhooks.edit", "webhook", WEBHOOK),
    change("webhooks.new", form=WEBHOOK),
    change("webhooks.pause", "webhook"),
    change("webhooks.resume", "webhook"),
    change("webhooks.rotate", "webhook"),
    change("webhooks.test", "webhook"),
    Route("people.handing_over", names="hand_over"),
    Route("people.index"),
    Route("people.show", names="member"),
    change("people.activate", "former"),
    change("people.change_role", "member", {"role": "Supervisor"}),
    change("people.deactivate", "member"),
    change("people.hand_over", "user_account", {"to": ""}),
    change("people.invite", form={"role": "Agent", "email": "new@example.com"}),
    change("people.remove", "member"),
    change("people.stop", "hand_over"),
    change("people.withdraw", "invitation"),
    Route("workspaces.join", names="invited", public=200),
    Route("workspaces.join", "POST", "invited", NEWCOMER, changes=True, public=303),
    Route("workspaces.new"),
    change("workspaces.enter", "workspace"),
    change("workspaces.new", form={"name": "Changed"}),  # one of the last: the session goes on in the new workspace
    change("accounts.log_out"),  # the last one: it ends the session that the others need
]

LEAST_ROLE = {
    "account.end_other_sessions": Role.AGENT,
    "account.end_session": Role.AGENT,
    "account.index": Role.AGENT,
    "account.new_codes": Role.AGENT,
    "account.password": Role.AGENT,
    "account.two_step": Role.AGENT,
    "account.two_step_off": Role.AGENT,
    "accounts.here": Role.AGENT,
    "accounts.log_out": Role.AGENT,
    "accounts.settings": Role.AGENT,
    "audit.download": Role.ADMINISTRATOR,
    "audit.index": Role.ADMINISTRATOR,
    "bulk.ask": Role.SUPERVISOR,
    "bulk.begin": Role.SUPERVISOR,
    "bulk.replay": Role.ADMINISTRATOR,
    "bulk.show": Role.SUPERVISOR,
    "bulk.stop": Role.SUPERVISOR,
    "contact_bulk.ask": Role.AGENT,
    "contact_bulk.begin": Role.AGENT,
    "contact_bulk.bin_": Role.AGENT,
    "contact_bulk.empty": Role.ADMINISTRATOR,
    "contact_bulk.restore": Role.AGENT,
    "contact_bulk.show": Role.AGENT,
    "contact_bulk.stop": Role.AGENT,
    "contact_bulk.undo": Role.AGENT,
    "contact_list.add_filter": Role.AGENT,
    "contact_list.columns": Role.AGENT,
    "contact_list.delete_view": Role.AGENT,
    "contact_list.save_view": Role.AGENT,
    "duplicates.choose": Role.SUPERVISOR,
    "duplicates.index": Role.SUPERVISOR,
    "duplicates.merge": Role.SUPERVISOR,
    "contacts.delete": Role.AGENT,
    "contacts.delete_tag": Role.SUPERVISOR,
    "contacts.edit": Role.AGENT,
    "contacts.edit_tag": Role.SUPERVISOR,
    "contacts.group": Role.AGENT,
    "contacts.index": Role.AGENT,
    "contacts.suggest": Role.AGENT,
    "contacts.tag": Role.AGENT,
    "contacts.upload": Role.AGENT,
    "contacts.new": Role.AGENT,
    "contacts.show": Role.AGENT,
    "contacts.tags": Role.SUPERVISOR,
    "definitions.delete_field": Role.ADMINISTRATOR,
    "definitions.delete_word": Role.ADMINISTRATOR,
    "definitions.edit_field": Role.ADMINISTRATOR,
    "definitions.fields": Role.ADMINISTRATOR,
    "definitions.move_field": Role.ADMINISTRATOR,
    "definitions.move_word": Role.ADMINISTRATOR,
    "definitions.new_field": Role.ADMINISTRATOR,
    "definitions.rename_word": Role.ADMINISTRATOR,
    "definitions.words": Role.ADMINISTRATOR,
    "deliveries.download": Role.SUPERVISOR,
    "deliveries.index": Role.AGENT,
    "deliveries.judge": Role.ADMINISTRATOR,
    "deliveries.lab": Role.ADMINISTRATOR,
    "deliveries.resend": Role.SUPERVISOR,
    "deliveries.show": Role.AGENT,
    "exports.ask": Role.SUPERVISOR,
    "exports.download": Role.SUPERVISOR,
    "imports.check": Role.SUPERVISOR,
    "imports.columns": Role.SUPERVISOR,
    "imports.read_again": Role.SUPERVISOR,
    "imports.refused": Role.SUPERVISOR,
    "imports.run": Role.SUPERVISOR,
    "imports.show": Role.SUPERVISOR,
    "imports.stop": Role.SUPERVISOR,
    "imports.upload": Role.SUPERVISOR,
    "overview.add_sample": Role.AGENT,
    "overview.index": Role.AGENT,
    "people.activate": Role.ADMINISTRATOR,
    "people.change_role": Role.ADMINISTRATOR,
    "people.deactivate": Role.ADMINISTRATOR,
    "people.hand_over": Role.ADMINISTRATOR,
    "people.handing_over": Role.ADMINISTRATOR,
    "people.stop": Role.ADMINISTRATOR,
    "people.index": Role.ADMINISTRATOR,
    "people.invite": Role.ADMINISTRATOR,
    "people.remove": Role.ADMINISTRATOR,
    "people.show": Role.ADMINISTRATOR,
    "people.withdraw": Role.ADMINISTRATOR,
    "privacy.erase": Role.ADMINISTRATOR,
    "privacy.export": Role.ADMINISTRATOR,
    "privacy.show": Role.ADMINISTRATOR,
    "sandbox.fill": Role.ADMINISTRATOR,
    "sandbox.set_mode": Role.ADMINISTRATOR,
    "sandbox.show": Role.ADMINISTRATOR,
    "sandbox.use": Role.ADMINISTRATOR,
    "security.index": Role.ADMINISTRATOR,
    "security.link": Role.ADMINISTRATOR,
    "security.require_two_steps": Role.ADMINISTRATOR,
    "security.two_step_off": Role.ADMINISTRATOR,
    "webhooks.apps": Role.SUPERVISOR,
    "webhooks.charts": Role.ADMINISTRATOR,
    "webhooks.check": Role.ADMINISTRATOR,
    "webhooks.delete": Role.ADMINISTRATOR,
    "webhooks.edit": Role.ADMINISTRATOR,
    "webhooks.index": Role.ADMINISTRATOR,
    "webhooks.new": Role.ADMINISTRATOR,
    "webhooks.pause": Role.ADMINISTRATOR,
    "webhooks.resume": Role.ADMINISTRATOR,
    "webhooks.rotate": Role.ADMINISTRATOR,
    "webhooks.show": Role.ADMINISTRATOR,
    "webhooks.test": Role.ADMINISTRATOR,
    "webhooks.test_result": Role.ADMINISTRATOR,
    "workspaces.enter": Role.AGENT,
    "workspaces.new": Role.AGENT,
}
"""Who may call what is not public: the least of the roles that may, by endpoint. A new route needs a row here, too."""
