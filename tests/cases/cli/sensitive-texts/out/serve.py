import http.server
import os

PGPASSWORD = "another-canaryq"
OPTIONS = "--token another-canaryr"
HEADERS = {"Authorization": "Bearer another-canary1ssss"}

print("ready")
http.server.HTTPServer(("", int(os.environ["PORT"])), http.server.SimpleHTTPRequestHandler).serve_forever()
