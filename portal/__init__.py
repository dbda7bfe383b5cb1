"""The CloudCX contacts and webhooks portal. `create_app` is the only place where everything meets."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from . import assets, audit_log, config, health, jobs, metrics, overview, web
from .accounts import account_views as account
from .accounts import cookies, floods, proof_views, security_views
from .accounts import views as accounts
from .accounts import workspace_views as workspaces
from .contacts import bulk_views as contact_bulk
from .contacts import contact_views as contacts
from .contacts import definition_views as definitions
from .contacts import duplicate_views, list_views, payload, present
from .contacts import export_views as exports
from .docs import views as docs
from .extensions import csrf, db, limiter, login
from .importing import views as imports
from .people import views as people
from .privacy import views as privacy
from .sandbox import views as sandbox
from .webhooks import alarms, delivery, publisher, samples, trying
from .webhooks import bulk_views as bulk
from .webhooks import present as contacts_of_webhooks

ROOT = Path(__file__).parent.parent


def create_app(settings: Mapping[str, Any] | None = None) -> Flask:
    """The WSGI application, configured from the environment; `settings` go before it.

    Raises config.ConfigError (the process ends with one clear line) when the environment is unsafe for production.
    """
    app = Flask(__name__, root_path=str(ROOT))
    app.config.update(config.load())
    app.config.update(settings or {})
    app.config["DATA"].mkdir(parents=True, exist_ok=True)
    jobs.init_app(app)
    for extension in (db, csrf, login, limiter):
        extension.init_app(app)
    app.session_interface = cookies.Cookies()
    web.init_app(app)
    publisher.init_app(app)
    samples.init_app(app, lambda: payload.sample() | alarms.sample_bodies())
    contacts_of_webhooks.init_app(app, present.SOURCE)
    entrances = (accounts, account, proof_views, security_views, workspaces, people)
    keeping = (contacts, list_views, contact_bulk, duplicate_views, definitions, exports, imports, privacy)
    sending = (trying, delivery, bulk, sandbox)
    for feature in (overview, *entrances, *keeping, *sending, docs, health, metrics, audit_log):
        app.register_blueprint(feature.blueprint)
    floods.init_app(app)  # after the blueprints, which find out who asks
    if os.environ.get("FLASK_RUN_FROM_CLI") == "true":  # web has no commands, and is 5 to 10 MB lighter without
        from . import cli

        cli.init_app(app)
    assets.init_app(app, ROOT / "static")
    if hops := app.config["PROXIES"]:  # the client's address and scheme as told by the proxies in front; the host is
        # what they pass on as Host: a header that many of them do not set would be the client's own word
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0)  # type: ignore[method-assign]
    return app
