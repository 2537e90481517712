"""Lists more apps than fit on a page, through the SDK. Prints what it saw, as one line of JSON."""

from __future__ import annotations

import sys

from common import connect, finish
from flyte.remote import App
from flyteidl2.app import app_definition_pb2 as definition
from flyteidl2.core import tasks_pb2

# More than two pages of the SDK's 100.
COUNT = 205


def app(number: int) -> definition.App:
    """One that is stopped, and that could not run where a server starts it all the same."""
    return definition.App(
        metadata=definition.Meta(
            id=definition.Identifier(project="crowd", domain="development", name=f"app-{number:03}"),
        ),
        spec=definition.Spec(
            container=tasks_pb2.Container(image="none", command=["no-such-program"]),
            ingress=definition.IngressConfig(),
            desired_state=definition.Spec.DESIRED_STATE_STOPPED,
        ),
    )


def main(endpoint: str, profile: str) -> None:
    connect(endpoint, "crowd")
    for number in range(COUNT):
        App.create(app(number))
    seen: dict[str, object] = {"all": [found.name for found in App.listall(limit=1000)]}
    seen["limited"] = [found.name for found in App.listall(limit=150)]
    if profile == "full":
        # An open-source server neither sorts nor filters.
        seen["sorted"] = [found.name for found in App.listall(limit=1000, sort_by=("created_at", "asc"))]
        seen["newest"] = [found.name for found in App.listall(limit=3, sort_by=("created_at", "desc"))]
        seen["stopped"] = len(list(App.listall(limit=1000, in_status="stopped")))
        seen["active_or_failed"] = len(list(App.listall(limit=1000, in_status=("active", "failed"))))
    finish(seen)


if __name__ == "__main__":
    main(*sys.argv[1:])
