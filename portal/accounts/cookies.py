"""Cookies that other hosts and plain http can neither read nor set."""

from flask import Flask, current_app, has_request_context, request
from flask.sessions import SecureCookieSessionInterface

HOST_ONLY = "__Host-"
"""With this before its name a browser takes a cookie over https alone, from this host alone, for all of its pages."""


class Cookies(SecureCookieSessionInterface):
    """Flask's session cookie: whenever the browser speaks https, it is Secure and bound to the host."""

    def get_cookie_secure(self, app: Flask) -> bool:
        """Whether the browser may send it over https only."""
        return are_secure()

    def get_cookie_name(self, app: Flask) -> str:
        """Its name."""
        return name(super().get_cookie_name(app))


def are_secure() -> bool:
    """Whether the browser speaks https: the portal's address says so, or this request does."""
    return bool(current_app.config["SESSION_COOKIE_SECURE"]) or (has_request_context() and request.is_secure)


def name(plain: str) -> str:
    """What a cookie is called."""
    return HOST_ONLY + plain if are_secure() else plain
