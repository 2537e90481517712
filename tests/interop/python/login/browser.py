"""A browser and whoever sits before it.

    browser.py approve|deny|as-eve|old-tab URL

Opens a log-in page, fills in its form and goes where it is sent. `old-tab` comes back with the state of another log-in.
"""

from __future__ import annotations

import re
import sys
import urllib.error
import urllib.parse
import urllib.request


def main() -> None:
    manner, url = sys.argv[1], sys.argv[2]
    if manner == "old-tab":
        url = re.sub(r"([?&]state=)[^&]*", r"\1of-another-log-in", url)
    with urllib.request.urlopen(url, timeout=10) as page:
        assert b"<form" in page.read()
    form = {"user": "eve" if manner == "as-eve" else "ada"}
    if manner != "deny":
        form["agree"] = "yes"
    try:
        with urllib.request.urlopen(url, urllib.parse.urlencode(form).encode(), timeout=10) as page:
            page.read()
    except urllib.error.HTTPError as error:
        assert manner in ("deny", "old-tab"), error


if __name__ == "__main__":
    main()
