"""Deletes an app, twice: nothing to delete is no error. Prints whether it is gone, as one line of JSON."""

import sys

from common import connect, finish, wait_until
from flyte.remote import App


def main(endpoint: str, name: str) -> None:
    connect(endpoint)
    App.delete(name)
    wait_until(name, None)
    App.delete(name)
    finish({"gone": True})


if __name__ == "__main__":
    main(*sys.argv[1:])
