"""Whom something is done to: those that were ticked, or all that match. Nothing selected never means everything."""

import uuid
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import Select, func, select

from ..extensions import db
from .columns import Column, own_id
from .listing import SIZES, Asked
from .models import Contact

ALL = "match"
"""What says in a form that all that match are meant."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Contacts of a workspace; `ids` is None when all that match are meant."""

    asked: Asked
    ids: tuple[uuid.UUID, ...] | None = ()

    @classmethod
    def of(cls, form: Any, columns: dict[str, Column]) -> Self:
        """Read what the list's form sends."""
        asked = Asked.of(form, columns)
        if form.get("all") == ALL:
            return cls(asked, None)
        ids = {key: None for text in form.getlist("id") if (key := own_id(text))}
        return cls(asked, tuple(ids)[: max(SIZES)])

    @property
    def is_empty(self) -> bool:
        return self.ids == ()

    @property
    def fields(self) -> list[list[str]]:
        """What a form has to send to mean the same again, as pairs."""
        if self.ids is None:
            return [["all", ALL], *self.asked.parameters]
        return [*(["id", str(key)] for key in self.ids), *self.asked.parameters]

    def of_them(self, own: Select[Any]) -> Select[Any]:
        """Of a SELECT of the workspace's contacts those that are selected."""
        if self.ids is not None:
            return own.where(Contact.id.in_(self.ids))
        return own.where(*self.asked.conditions(Contact))

    def count(self, own: Select[Any]) -> int:
        """How many there are now, exactly."""
        rows = self.of_them(own).with_only_columns(Contact.id).subquery()
        return db.session.scalar(select(func.count()).select_from(rows)) or 0
