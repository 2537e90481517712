import http.server
import os

PGPASSWORD = "canaryq"
OPTIONS = "--token canaryr"
HEADERS = {"Authorization": "Bearer canary1ssss"}

print("ready")
http.server.HTTPServer(("", int(os.environ["PORT"])), http.server.SimpleHTTPRequestHandler).serve_forever()
