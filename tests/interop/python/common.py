"""What the scripts share: a session of the SDK, and looking at its apps."""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.request
from typing import Any, NoReturn

import flyte
from flyte.remote import App
from flyteidl2.app.app_definition_pb2 import Status

# Seconds to wait for what should take a moment.
PATIENCE = 30


def connect(endpoint: str, project: str = "flytesnacks") -> None:
    flyte.init(endpoint=endpoint, insecure=True, project=project, domain="development")


def finish(seen: dict[str, Any]) -> NoReturn:
    """Prints what a script saw, as one line of JSON, and ends it."""
    print(json.dumps(seen))
    leave(0)


def leave(code: int) -> NoReturn:
    """Ends the process as it stands: now and then the SDK's HTTP library aborts while the interpreter is torn down."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def phase(app: App) -> str:
    return Status.DeploymentStatus.Name(app.deployment_status).removeprefix("DEPLOYMENT_STATUS_")


def find(name: str) -> App | None:
    """As a list has it: the answer to a get may be 30 s old where the server is an open-source one."""
    return next((app for app in App.listall(limit=1000) if app.name == name), None)


def wait_until(name: str, wanted: str | None) -> App | None:
    """Looks again and again until an app is in a phase; `None` is for one that is gone."""
    end = time.monotonic() + PATIENCE
    while True:
        app = find(name)
        now = phase(app) if app else None
        if now == wanted:
            return app
        if time.monotonic() > end:
            raise SystemExit(f"{name} is {now}, not {wanted}, after {PATIENCE} s: {app and app.pb2}")
        time.sleep(0.1)


def ask(app: App) -> Any:
    """What an app answers at its URL."""
    with urllib.request.urlopen(app.endpoint, timeout=10) as answer:
        return json.load(answer)


def falls_silent(app: App) -> bool:
    """Whether an app soon answers no more."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            ask(app)
        except OSError:
            return True
        time.sleep(0.1)
    return False
