"""A browser that nobody knows, and limits that begin anew."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.extensions import limiter


@pytest.fixture
def visitor(app: Flask) -> FlaskClient:
    limiter.reset()
    return app.test_client()
