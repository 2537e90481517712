"""Answers every GET with what the app knows, as JSON. Nothing but the standard library."""

import hashlib
import json
import os
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known: dict[str, object] = {"name": os.environ["NAME"], "pid": os.getpid()}
        if password := os.environ.get("DB_PASSWORD"):
            # The value itself is nobody's business.
            known["password_sha256"] = hashlib.sha256(password.encode()).hexdigest()
        if url := os.environ.get("BACKEND_URL"):
            with urllib.request.urlopen(url, timeout=10) as answer:
                known["backend"] = json.load(answer)
        body = json.dumps(known).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    port = int(os.environ["PORT"])
    print(f"{os.environ['NAME']} listens", flush=True)
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
