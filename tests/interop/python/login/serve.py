"""Serves an authorization server and a gate before a control plane, both over TLS with a private authority.

    serve.py UPSTREAM DIRECTORY

Prints one line of JSON with their addresses and the authority's file, then serves until it is killed. At the gate,
`/control` beside the services takes settings (POST, JSON) and tells what was seen (GET).
"""

from __future__ import annotations

import json
import logging
import socket
import ssl
import sys
import threading
from pathlib import Path
from typing import Any

import oauth
import trustme
import uvicorn
from gate import AUDIENCE, Gate
from werkzeug.serving import make_server

SETTINGS: dict[str, Any] = {
    # Seconds that access tokens live.
    "lifetime": 3600,
    # The audience that tokens are issued for.
    "audience": AUDIENCE,
    # Seconds that the clocks of the authorization server and of the gate are ahead.
    "issuer_ahead": 0,
    "gate_ahead": 0,
    # A status with which the token endpoint answers a page; 0: it works.
    "page": 0,
    # Whether there is a log-in by code, and the seconds between two questions.
    "device": True,
    "interval": 1,
    "methods": ["client_secret_basic", "client_secret_post", "none"],
    # The header that carries the token.
    "header": "flyte-authorization",
    # Methods that are refused once, and that fail once with an unknown error.
    "refuse_once": [],
    "fail_once": [],
    # Access tokens that are good no more.
    "revoked": [],
}


def main() -> None:
    upstream, directory = sys.argv[1], Path(sys.argv[2])
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    ca_file, chain, key = directory / "ca.pem", directory / "chain.pem", directory / "key.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    key.write_bytes(certificate.private_key_pem.bytes())
    chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))

    # Where browsers come back to: a port that is free now.
    with socket.create_server(("127.0.0.1", 0)) as probe:
        redirect = f"http://localhost:{probe.getsockname()[1]}/callback"
    settings = dict(SETTINGS)
    logging.disable(logging.WARNING)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    issuer_socket = socket.create_server(("127.0.0.1", 0))
    issuer = f"https://localhost:{issuer_socket.getsockname()[1]}"
    app, kept, keys = oauth.build(settings, issuer, redirect)
    port = issuer_socket.getsockname()[1]
    server = make_server("127.0.0.1", port, app, threaded=True, ssl_context=context, fd=issuer_socket.fileno())
    threading.Thread(target=server.serve_forever, daemon=True).start()

    gate = Gate(settings, keys, issuer, redirect, upstream)

    async def dispatch(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] != "/control":
            return await gate(scope, receive, send)
        if scope["method"] == "POST":
            body = b""
            while True:
                message = await receive()
                body += message.get("body", b"")
                if not message.get("more_body"):
                    break
            change(json.loads(body))
        seen = {
            "calls": gate.calls,
            "leaks": gate.leaks,
            "token_requests": kept.requests,
            "handed_out": [*kept.handed_out, *gate.signatures],
        }
        await gate.answer(send, 200, "application/json", json.dumps(seen).encode())

    def change(wanted: dict[str, Any]) -> None:
        if wanted.pop("revoke_access", False):
            settings["revoked"] = list(kept.handed_out)
        if wanted.pop("revoke_refresh", False):
            for token in kept.refresh.values():
                token.revoked = True
        if wanted.pop("forget_calls", False):
            gate.calls.clear()
            kept.requests.clear()
        unknown = wanted.keys() - settings.keys()
        assert not unknown, unknown
        settings.update(wanted)

    listener = socket.create_server(("127.0.0.1", 0))
    told = {
        "gate": f"localhost:{listener.getsockname()[1]}",
        "issuer": issuer.removeprefix("https://"),
        "redirect_port": int(redirect.split(":")[2].split("/")[0]),
        "ca": str(ca_file),
        "secrets": [oauth.SECRET, oauth.SECRET_POST],
    }
    print(json.dumps(told), flush=True)
    config = uvicorn.Config(
        dispatch, lifespan="off", log_config=None, date_header=False, ssl_certfile=str(chain), ssl_keyfile=str(key)
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
