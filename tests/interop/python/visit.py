"""Waits until the apps of the shop run, and prints what each is and answers, as one line of JSON."""

import sys

from common import ask, connect, finish, wait_until


def main(endpoint: str) -> None:
    connect(endpoint)
    seen = {}
    for name in ("backend", "frontend"):
        app = wait_until(name, "ACTIVE")
        seen[name] = {"revision": app.revision, "url": app.endpoint, "answer": ask(app)}
    finish(seen)


if __name__ == "__main__":
    main(sys.argv[1])
