"""Takes an app of the shop through what the SDK can do with one. Prints what it saw, as one line of JSON."""

import sys

from common import ask, connect, falls_silent, finish, phase, wait_until
from flyte.remote import App
from flyteidl2.app.app_definition_pb2 import Spec

# Races show only now and then.
ROUNDS = 5


def main(endpoint: str) -> None:
    connect(endpoint)
    seen: dict[str, object] = {}
    first = wait_until("backend", "ACTIVE")
    pid = ask(first)["pid"]

    App.get("backend").deactivate(wait=True)
    stopped = wait_until("backend", "STOPPED")
    seen["stopped"] = Spec.DesiredState.Name(stopped.desired_state)
    seen["silent"] = falls_silent(first)

    # A watch by somebody who has not seen yet that the app is there already.
    seen["late_watch"] = phase(first.watch(wait_for="deactivated"))

    stopped.activate(wait=True)
    again = wait_until("backend", "ACTIVE")
    seen["started"] = Spec.DesiredState.Name(again.desired_state)
    seen["same_url"] = again.endpoint == first.endpoint
    seen["other_process"] = ask(again)["pid"] != pid
    seen["already_active"] = phase(again.activate(wait=True))

    for _ in range(ROUNDS):
        wait_until("backend", "ACTIVE").deactivate(wait=True)
        wait_until("backend", "STOPPED").activate(wait=True)
    seen["in_the_end"] = phase(wait_until("backend", "ACTIVE"))
    finish(seen)


if __name__ == "__main__":
    main(sys.argv[1])
