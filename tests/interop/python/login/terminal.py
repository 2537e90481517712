"""Runs a program at a terminal of its own, with somebody who logs in by code when they are asked to.

    terminal.py MANNER PROGRAM ARGUMENT...

What the program writes to the terminal goes to stderr, its stdout stays what it is. MANNER is one of browser.py.
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import threading
from pathlib import Path

PAGE = re.compile(rb"https://\S+/device\?user_code=[-\w]+")


class Watcher:
    """Passes on what is written, and opens the first page that asks for a code."""

    def __init__(self, manner: str) -> None:
        self.manner = manner
        self.opened = False
        self.lock = threading.Lock()

    def follow(self, source: int, target: int) -> None:
        seen = b""
        while True:
            try:
                part = os.read(source, 4096)
            except OSError:
                part = b""
            if not part:
                return
            os.write(target, part)
            seen += part
            self.look(seen)

    def look(self, seen: bytes) -> None:
        # A page is whole when something follows it.
        found = next((found for found in PAGE.finditer(seen) if found.end() < len(seen)), None)
        with self.lock:
            if found is None or self.opened:
                return
            self.opened = True
        browser = Path(__file__).parent / "browser.py"
        subprocess.run([sys.executable, browser, self.manner, found[0].decode()], check=True)


def main() -> None:
    manner, command = sys.argv[1], sys.argv[2:]
    ours, theirs = pty.openpty()
    program = subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    watcher = Watcher(manner)
    assert program.stdout is not None
    threads = [
        threading.Thread(target=watcher.follow, args=(ours, 2)),
        threading.Thread(target=watcher.follow, args=(program.stdout.fileno(), 1)),
    ]
    for thread in threads:
        thread.start()
    code = program.wait()
    for thread in threads:
        thread.join()
    sys.exit(code)


if __name__ == "__main__":
    main()
