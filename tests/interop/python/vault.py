"""Creates, lists, reads and deletes secrets through the SDK. Prints what it saw, as one line of JSON."""

from __future__ import annotations

import sys

from common import connect, finish
from connectrpc.errors import ConnectError
from flyte.remote import Secret


def refusal(action) -> str | None:
    try:
        action()
    except ConnectError as error:
        return error.code.value
    return None


def main(endpoint: str) -> None:
    connect(endpoint, "vault")
    for number in range(25):
        Secret.create(f"key-{number:02}", value=b"\x00\xff binary")
    secret = Secret.get("key-07")
    seen = {
        # Pages of ten.
        "all": [found.name for found in Secret.listall(limit=10)],
        "name": secret.name,
        "type": secret.type,
        "again": refusal(lambda: Secret.create("key-00", value="x")),
        "missing": refusal(lambda: Secret.get("nothing")),
    }
    Secret.delete("key-07")
    seen["deleted"] = refusal(lambda: Secret.get("key-07"))
    finish(seen)


if __name__ == "__main__":
    main(*sys.argv[1:])
