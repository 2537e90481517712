"""What every app of the shop has in common: serving a few paths, asking a neighbour."""

import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

DEBUG = os.environ.get("LOG_LEVEL") == "debug"
neighbours = build_opener(ProxyHandler({}))  # no proxy in between


def ask(variable, path):
    """The JSON that the app whose address is in `variable` answers at `path`. Raises OSError or ValueError."""
    with neighbours.open(os.environ[variable].rstrip("/") + path, timeout=10) as answer:
        return json.load(answer)


class Server(ThreadingHTTPServer):
    daemon_threads = False  # requests under way are finished before the process ends
    request_queue_size = 128


def serve(paths):
    """Serves until asked to end. `paths` maps a path to a function that returns text (HTML) or data (JSON)."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            path = urlsplit(self.path).path
            if path == "/healthz":
                return self.answer(200, {"ok": True})
            if path not in paths:
                return self.answer(404, {"error": f"no such path: {path}"})
            try:
                return self.answer(200, paths[path]())
            except (OSError, ValueError) as error:
                return self.answer(502, {"error": str(error)})

        def answer(self, status, content):
            kind = "text/html" if isinstance(content, str) else "application/json"
            body = (content if isinstance(content, str) else json.dumps(content)).encode()
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, code="-", size="-"):
            if DEBUG or self.path != "/healthz":
                super().log_request(code, size)

    server = Server(("", int(os.environ["PORT"])), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"serving {', '.join(paths)} on port {server.server_port}", flush=True)
    server.serve_forever()
    server.server_close()
