"""The page: fetches the books from the backend at each request and shows them."""

import html
import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import ProxyHandler, build_opener

BACKEND_URL = os.environ["BACKEND_URL"].rstrip("/")
backend = build_opener(ProxyHandler({}))  # the backend is a neighbour: no proxy in between

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Books</title>
<style>
  body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem; color: #222 }}
  h1 {{ font-weight: 600 }}
  table {{ border-collapse: collapse; width: 100% }}
  td {{ padding: .5rem .75rem .5rem 0; border-top: 1px solid #ddd }}
  td:last-child {{ text-align: right; color: #777 }}
  footer {{ margin-top: 2rem; font-size: .85rem; color: #777 }}
</style>
<h1>Books</h1>
{content}
<footer>Data from <code>{backend}</code></footer>
</html>
"""


def page():
    """The status and the HTML of the page."""
    try:
        with backend.open(f"{BACKEND_URL}/books", timeout=10) as answer:
            books = json.load(answer)
    except (OSError, ValueError) as error:
        return 502, render(f"<p>The catalogue does not answer: {html.escape(str(error))}</p>")
    rows = "\n".join(
        "  <tr><td>{}</td><td>{}</td><td>{}</td></tr>".format(
            *(html.escape(str(book[key])) for key in ("title", "author", "year"))
        )
        for book in books
    )
    return 200, render(f"<table>\n{rows}\n</table>")


def render(content):
    return PAGE.format(content=content, backend=html.escape(BACKEND_URL))


class Frontend(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/healthz":
            self.answer(200, "ok\n", "text/plain")
        elif self.path == "/":
            self.answer(*page(), "text/html")
        else:
            self.answer(404, "not found\n", "text/plain")

    def answer(self, status, text, kind):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code="-", size="-"):
        if self.path != "/healthz":
            super().log_request(code, size)


class Server(ThreadingHTTPServer):
    daemon_threads = False  # requests under way are finished before the process ends
    request_queue_size = 128


server = Server(("", int(os.environ.get("PORT", "8082"))), Frontend)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print(f"serving on port {server.server_port}, data from {BACKEND_URL}", flush=True)
server.serve_forever()
server.server_close()
