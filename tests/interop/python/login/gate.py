"""A gate before a control plane: it tells how to log in, checks the token of every call, and lets through what is good."""

from __future__ import annotations

import json
import struct
import time
from email.utils import formatdate
from typing import Any

import httpx
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from connectrpc.request import RequestContext
from flyteidl2.auth import auth_service_pb2 as metadata
from flyteidl2.auth import identity_pb2 as identity
from flyteidl2.auth.auth_service_connect import AuthMetadataService, AuthMetadataServiceASGIApplication
from flyteidl2.auth.identity_connect import IdentityService, IdentityServiceASGIApplication
from flyteidl2.cluster import payload_pb2 as clusters
from flyteidl2.dataproxy import dataproxy_service_pb2 as dataproxy
from joserfc.jwk import KeySet

AUDIENCE = "flyte"


class Refusal(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Metadata(AuthMetadataService):
    def __init__(self, settings: dict[str, Any], issuer: str, redirect: str) -> None:
        self.settings, self.issuer, self.redirect = settings, issuer, redirect

    async def get_o_auth2_metadata(
        self, request: metadata.GetOAuth2MetadataRequest, ctx: RequestContext
    ) -> metadata.GetOAuth2MetadataResponse:
        device = f"{self.issuer}/device/authorize" if self.settings["device"] else ""
        return metadata.GetOAuth2MetadataResponse(
            issuer=self.issuer,
            authorization_endpoint=f"{self.issuer}/authorize",
            token_endpoint=f"{self.issuer}/token",
            device_authorization_endpoint=device,
            token_endpoint_auth_methods_supported=self.settings["methods"],
            code_challenge_methods_supported=["S256"],
        )

    async def get_public_client_config(
        self, request: metadata.GetPublicClientConfigRequest, ctx: RequestContext
    ) -> metadata.GetPublicClientConfigResponse:
        return metadata.GetPublicClientConfigResponse(
            client_id="people",
            redirect_uri=self.redirect,
            scopes=["all", "offline"],
            authorization_metadata_key=self.settings["header"],
            audience=AUDIENCE,
        )


class Identity(IdentityService):
    async def user_info(self, request: identity.UserInfoRequest, ctx: RequestContext) -> identity.UserInfoResponse:
        subject = ctx.request_headers()["x-subject"]
        return identity.UserInfoResponse(
            subject=subject, name=subject.capitalize(), email=f"{subject}@example.com"
        )


class Tokens(JWTBearerTokenValidator):
    def __init__(self, keys: KeySet, issuer: str) -> None:
        super().__init__(issuer, AUDIENCE)
        self.keys = keys

    def get_jwks(self) -> KeySet:
        return self.keys


class Gate:
    def __init__(self, settings: dict[str, Any], keys: KeySet, issuer: str, redirect: str, upstream: str) -> None:
        self.settings, self.upstream = settings, upstream
        self.tokens = Tokens(keys, issuer)
        self.client = httpx.AsyncClient(timeout=None, trust_env=False)
        self.metadata = AuthMetadataServiceASGIApplication(Metadata(settings, issuer, redirect))
        self.identity = IdentityServiceASGIApplication(Identity())
        # Every call, with what was decided.
        self.calls: list[str] = []
        # The signatures of addresses.
        self.signatures: list[str] = []
        # Requests that brought a token where none belongs.
        self.leaks: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"]
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        method = path.rpartition("/")[2]
        if path.startswith(self.metadata.path):
            self.note_leak(path, headers)
            self.calls.append(f"{method}: open")
            return await self.metadata(scope, receive, send)
        if not path.startswith("/flyteidl2."):
            self.note_leak(path, headers)
            return await self.forward(scope, receive, send, headers)
        try:
            subject = self.admit(headers, method)
        except Refusal as refusal:
            self.calls.append(f"{method}: {refusal.code}")
            return await self.refuse(refusal, headers, send)
        self.calls.append(f"{method}: {subject}")
        if path.startswith(self.identity.path):
            scope = {**scope, "headers": [*scope["headers"], (b"x-subject", subject.encode())]}
            return await self.identity(scope, receive, send)
        await self.forward(scope, receive, send, headers)

    def note_leak(self, path: str, headers: dict[str, str]) -> None:
        if "authorization" in headers or self.settings["header"] in headers:
            self.leaks.append(path)

    def admit(self, headers: dict[str, str], method: str) -> str:
        """The subject of a good token."""
        if method in self.settings["refuse_once"]:
            self.settings["refuse_once"].remove(method)
            raise Refusal(401, "unauthenticated", "the token is not good enough this time")
        if method in self.settings["fail_once"]:
            self.settings["fail_once"].remove(method)
            raise Refusal(500, "unknown", "something went wrong")
        scheme, _, token = headers.get(self.settings["header"] or "authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            raise Refusal(401, "unauthenticated", "a token is missing")
        if token in self.settings["revoked"]:
            raise Refusal(401, "unauthenticated", "the token was revoked")
        now = self.now()
        try:
            claims = self.tokens.authenticate_token(token)
            claims.validate(now=now)
        except Exception as error:
            raise Refusal(401, "unauthenticated", f"the token is not valid ({type(error).__name__})") from error
        if claims["nbf"] > now:
            raise Refusal(401, "unauthenticated", "the token is not valid yet")
        if claims["sub"] == "eve":
            raise Refusal(403, "permission_denied", "eve may do nothing here")
        return str(claims["sub"])

    def now(self) -> int:
        return int(time.time()) + self.settings["gate_ahead"]

    async def refuse(self, refusal: Refusal, headers: dict[str, str], send: Any) -> None:
        error = {"code": refusal.code, "message": refusal.message}
        if headers.get("content-type", "").startswith("application/connect+"):
            # Streams are refused within themselves.
            payload = json.dumps({"error": error}).encode()
            body = struct.pack(">BI", 2, len(payload)) + payload
            return await self.answer(send, 200, headers["content-type"], body)
        await self.answer(send, refusal.status, "application/json", json.dumps(error).encode())

    async def answer(self, send: Any, status: int, kind: str, body: bytes) -> None:
        headers = [
            (b"content-type", kind.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"date", formatdate(self.now(), usegmt=True).encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def forward(self, scope: Any, receive: Any, send: Any, headers: dict[str, str]) -> None:
        path = scope["raw_path"].decode() + (f"?{scope['query_string'].decode()}" if scope["query_string"] else "")
        gone = {"host", "authorization", self.settings["header"], "accept-encoding"}
        kept = {name: value for name, value in headers.items() if name not in gone}
        if "content-length" not in kept and "transfer-encoding" not in kept:
            kept["content-length"] = "0"
        names_address = path.endswith(("/SelectCluster", "/CreateUploadLocation", "/CreateDownloadLink"))

        async def body() -> Any:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return
                yield message.get("body", b"")
                if not message.get("more_body"):
                    return

        kept["accept-encoding"] = "identity"
        request = self.client.build_request(scope["method"], self.upstream + path, headers=kept, content=body())
        response = await self.client.send(request, stream=True)
        try:
            if names_address and response.status_code == 200:
                content = self.here(path, await response.aread(), headers["host"])
                return await self.answer(send, 200, response.headers["content-type"], content)
            passed = [
                (name.encode(), value.encode())
                for name, value in response.headers.items()
                if name not in {"date", "transfer-encoding", "connection"}
            ]
            passed.append((b"date", formatdate(self.now(), usegmt=True).encode()))
            await send({"type": "http.response.start", "status": response.status_code, "headers": passed})
            async for chunk in response.aiter_raw():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            await response.aclose()

    def here(self, path: str, content: bytes, host: str) -> bytes:
        """The same answer with addresses that lead through this gate."""
        if path.endswith("/SelectCluster"):
            cluster = clusters.SelectClusterResponse.FromString(content)
            cluster.cluster_endpoint = cluster.cluster_endpoint.replace(self.upstream, f"https://{host}")
            return cluster.SerializeToString()
        if path.endswith("/CreateUploadLocation"):
            location = dataproxy.CreateUploadLocationResponse.FromString(content)
            self.signatures.append(location.signed_url.rpartition("?")[2])
            location.signed_url = location.signed_url.replace(self.upstream, f"https://{host}")
            return location.SerializeToString()
        link = dataproxy.CreateDownloadLinkResponse.FromString(content)
        urls = [url.replace(self.upstream, f"https://{host}") for url in link.pre_signed_urls.signed_url]
        del link.pre_signed_urls.signed_url[:]
        link.pre_signed_urls.signed_url.extend(urls)
        return link.SerializeToString()
