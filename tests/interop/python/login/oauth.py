"""An authorization server made with Authlib: it checks clients, secrets, PKCE, codes and refresh tokens, signs tokens,
rotates and revokes them. What it hands out is kept in memory.

Settings (see `SETTINGS` in serve.py) make it misbehave as real ones do.
"""

from __future__ import annotations

import base64
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, TokenMixin, grants, scope_to_list
from authlib.oauth2.rfc6749.models import AuthorizationCodeMixin
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc8628 import DEVICE_CODE_GRANT_TYPE, DeviceAuthorizationEndpoint, DeviceCodeGrant
from authlib.oauth2.rfc8628.models import DeviceCredentialDict
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from flask import Flask, Response, request
from joserfc.jwk import KeySet, RSAKey

SCOPES = "all offline"

# What is in no output, log or file but where tokens are kept.
SECRET = "canary-client/secret+with =signs"
SECRET_POST = "canary-client-secret-for-forms"


@dataclass
class Client(ClientMixin):
    id: str
    grants: list[str]
    method: str
    secret: str = ""
    redirect: str = ""

    def get_client_id(self) -> str:
        return self.id

    def get_default_redirect_uri(self) -> str:
        return self.redirect

    def get_allowed_scope(self, scope: str) -> str:
        return " ".join(word for word in scope_to_list(scope) or [] if word in SCOPES.split())

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == self.redirect

    def check_client_secret(self, client_secret: str) -> bool:
        return secrets.compare_digest(client_secret.encode(), self.secret.encode())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == self.method

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in self.grants


@dataclass
class User:
    name: str

    def get_user_id(self) -> str:
        return self.name


@dataclass
class Code(AuthorizationCodeMixin):
    code: str
    client_id: str
    redirect_uri: str
    scope: str
    user: User
    code_challenge: str
    code_challenge_method: str

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope


@dataclass
class Refresh(TokenMixin):
    client: Client
    scope: str
    user: User
    revoked: bool = False

    def check_client(self, client: Client) -> bool:
        return client.id == self.client.id

    def get_scope(self) -> str:
        return self.scope

    def get_user(self) -> User:
        return self.user

    def get_client(self) -> Client:
        return self.client

    def is_expired(self) -> bool:
        return False

    def is_revoked(self) -> bool:
        return self.revoked


@dataclass
class Kept:
    """What was handed out."""

    codes: dict[str, Code] = field(default_factory=dict)
    refresh: dict[str, Refresh] = field(default_factory=dict)
    devices: dict[str, dict[str, Any]] = field(default_factory=dict)
    # The user and whether they agree, by user code.
    answers: dict[str, tuple[User, bool]] = field(default_factory=dict)
    # Every secret thing, for whoever looks whether it went astray.
    handed_out: list[str] = field(default_factory=list)
    # The grant of every token request, in order, with the error where it was refused.
    requests: list[str] = field(default_factory=list)


def build(settings: dict[str, Any], issuer: str, redirect: str) -> tuple[Flask, Kept, KeySet]:
    kept = Kept()
    key = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig", "alg": "RS256"})
    keys = KeySet([key])
    people = ["authorization_code", "refresh_token", DEVICE_CODE_GRANT_TYPE]
    clients = {
        client.id: client
        for client in [
            Client("people", people, "none", redirect=redirect),
            Client("ci", ["client_credentials"], "client_secret_basic", SECRET),
            Client("ci-post", ["client_credentials"], "client_secret_post", SECRET_POST),
        ]
    }

    class CodeGrant(grants.AuthorizationCodeGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = ["none"]

        def save_authorization_code(self, code: str, asked: Any) -> None:
            payload = asked.payload
            kept.handed_out.append(code)
            kept.codes[code] = Code(
                code,
                asked.client.id,
                payload.redirect_uri,
                payload.scope,
                asked.user,
                payload.data["code_challenge"],
                payload.data["code_challenge_method"],
            )

        def query_authorization_code(self, code: str, client: Client) -> Code | None:
            found = kept.codes.get(code)
            return found if found and found.client_id == client.id else None

        def delete_authorization_code(self, authorization_code: Code) -> None:
            del kept.codes[authorization_code.code]

        def authenticate_user(self, authorization_code: Code) -> User:
            return authorization_code.user

    class ClientGrant(grants.ClientCredentialsGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post"]

    class RefreshGrant(grants.RefreshTokenGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = ["none"]
        INCLUDE_NEW_REFRESH_TOKEN = True

        def authenticate_refresh_token(self, refresh_token: str) -> Refresh | None:
            found = kept.refresh.get(refresh_token)
            return found if found and not found.revoked else None

        def authenticate_user(self, refresh_token: Refresh) -> User:
            return refresh_token.user

        def revoke_old_credential(self, refresh_token: Refresh) -> None:
            refresh_token.revoked = True

    class DeviceGrant(DeviceCodeGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = ["none"]

        def query_device_credential(self, device_code: str) -> DeviceCredentialDict | None:
            found = kept.devices.get(device_code)
            return DeviceCredentialDict(found) if found else None

        def query_user_grant(self, user_code: str) -> tuple[User, bool] | None:
            return kept.answers.get(user_code)

        def should_slow_down(self, credential: DeviceCredentialDict) -> bool:
            found = kept.devices[credential["device_code"]]
            too_soon = time.monotonic() - found.get("asked", 0) < settings["interval"] - 0.3
            found["asked"] = time.monotonic()
            return too_soon

    class DeviceEndpoint(DeviceAuthorizationEndpoint):
        CLIENT_AUTH_METHODS = ["none"]

        @property
        def INTERVAL(self) -> int:
            return settings["interval"]

        def get_verification_uri(self) -> str:
            return f"{issuer}/device"

        def save_device_credential(self, client_id: str, scope: str, data: dict[str, Any]) -> None:
            kept.handed_out.append(data["device_code"])
            expires_at = time.time() + data["expires_in"]
            kept.devices[data["device_code"]] = {
                **data,
                "client_id": client_id,
                "scope": scope,
                "expires_at": expires_at,
            }

    class Tokens(JWTBearerTokenGenerator):
        def get_jwks(self) -> KeySet:
            return keys

        def get_audiences(self, client: Client, user: User | None, scope: str) -> str:
            return settings["audience"]

        def get_extra_claims(self, client: Client, grant_type: str, user: User | None, scope: str) -> dict[str, Any]:
            begin = int(time.time()) + settings["issuer_ahead"]
            return {"iat": begin, "nbf": begin, "exp": begin + settings["lifetime"]}

        def access_token_generator(self, **about: Any) -> str:
            token = super().access_token_generator(**about)
            kept.handed_out.append(token)
            return token

    app = Flask("login")
    server = AuthorizationServer()

    def save_token(token: dict[str, Any], asked: Any) -> None:
        if refresh := token.get("refresh_token"):
            kept.handed_out.append(refresh)
            kept.refresh[refresh] = Refresh(asked.client, token["scope"], asked.user)

    def basic(query_client: Any, asked: Any) -> Client | None:
        """As RFC 6749 section 2.3.1 has it: both parts are form-encoded. The library leaves a `+` as it is."""
        scheme, _, encoded = asked.headers.get("Authorization", "").partition(" ")
        if scheme != "Basic":
            return None
        client_id, _, secret = base64.b64decode(encoded).decode().partition(":")
        client = query_client(unquote_plus(client_id))
        return client if client and client.check_client_secret(unquote_plus(secret)) else None

    server.init_app(app, clients.get, save_token)
    server.register_client_auth_method("client_secret_basic", basic)
    generator = Tokens(
        issuer,
        refresh_token_generator=lambda **_: secrets.token_urlsafe(32),
        expires_generator=lambda *_: settings["lifetime"],
    )
    server.register_token_generator("default", generator)
    server.register_grant(CodeGrant, [CodeChallenge(required=True)])
    for grant in [ClientGrant, RefreshGrant, DeviceGrant]:
        server.register_grant(grant)
    server.register_endpoint(DeviceEndpoint(server))

    @app.route("/authorize", methods=["GET", "POST"])
    def authorize() -> Any:
        grant = server.get_consent_grant(end_user=User("nobody"))
        if request.method == "GET":
            return '<form method="post"><input name="user"><button name="agree" value="yes"></button></form>'
        agrees = request.form.get("agree") == "yes"
        user = User(request.form["user"]) if agrees else None
        return server.create_authorization_response(grant=grant, grant_user=user)

    @app.route("/device", methods=["GET", "POST"])
    def device() -> Any:
        code = request.values.get("user_code", "")
        if not any(found["user_code"] == code for found in kept.devices.values()):
            return Response("no such code", 404)
        if request.method == "GET":
            return '<form method="post"><input name="user"><button name="agree" value="yes"></button></form>'
        kept.answers[code] = (User(request.form["user"]), request.form.get("agree") == "yes")
        return "you may close this page"

    @app.post("/device/authorize")
    def device_authorize() -> Any:
        return server.create_endpoint_response(DeviceEndpoint.ENDPOINT_NAME)

    @app.post("/token")
    def token() -> Any:
        grant = request.form.get("grant_type", "").rpartition(":")[2]
        if page := settings["page"]:
            kept.requests.append(f"{grant}: page")
            return Response("<html><title>Please sign in</title></html>", page, content_type="text/html")
        if verifier := request.form.get("code_verifier"):
            kept.handed_out.append(verifier)
        answer = server.create_token_response()
        error = answer.get_json().get("error")
        kept.requests.append(f"{grant}: {error}" if error else grant)
        return answer

    return app, kept, keys
