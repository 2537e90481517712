"""Shows the log of an app, as `App.show_logs` prints it: for as long as the app runs."""

import sys

from common import connect, leave
from flyte.remote import App


def main(endpoint: str, name: str) -> None:
    connect(endpoint)
    App.get(name).show_logs(raw=True)
    leave(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
