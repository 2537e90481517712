"""The catalogue: `GET /books` answers all books, `GET /books?author=lem` those of an author, `GET /` what there is."""

import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

BOOKS = json.loads(Path(__file__).with_name("books.json").read_text(encoding="utf-8"))


class Catalogue(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlsplit(self.path)
        if url.path == "/healthz":
            self.answer(200, {"ok": True})
        elif url.path == "/books":
            author = parse_qs(url.query).get("author", [""])[0].lower()
            self.answer(200, [book for book in BOOKS if author in book["author"].lower()])
        elif url.path == "/":
            self.answer(200, {"books": len(BOOKS), "paths": ["/books", "/books?author=lem", "/healthz"]})
        else:
            self.answer(404, {"error": f"no such path: {url.path}"})

    def answer(self, status, content):
        body = json.dumps(content, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code="-", size="-"):
        if not self.path.startswith("/healthz"):
            super().log_request(code, size)


class Server(ThreadingHTTPServer):
    daemon_threads = False  # requests under way are finished before the process ends
    request_queue_size = 128


server = Server(("", int(os.environ.get("PORT", "8081"))), Catalogue)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print(f"serving {len(BOOKS)} books on port {server.server_port}", flush=True)
server.serve_forever()
server.server_close()
