"""The WSGI entry point: everything meets in `create_app`."""

from portal import create_app

app = create_app()
