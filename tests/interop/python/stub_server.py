"""A control plane made of the published Connect stubs, which keeps apps in memory and remembers what it was asked.

Prints its address as the first line, then serves until it is killed. Beside the services it has:

    PUT  /store/<name>   the signed address of a code bundle
    GET  /recorded       every call so far: method, message as protobuf JSON with original field names, and the
                         validation rules of the interface definition that the message breaks
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
import socket
from typing import Any, AsyncIterator

import protovalidate
import uvicorn
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.request import RequestContext
from flyteidl2.app import app_definition_pb2 as definition
from flyteidl2.app import app_payload_pb2 as payload
from flyteidl2.app.app_service_connect import AppService, AppServiceASGIApplication
from flyteidl2.cluster import payload_pb2 as cluster
from flyteidl2.cluster.service_connect import ClusterService, ClusterServiceASGIApplication
from flyteidl2.dataproxy import dataproxy_service_pb2 as dataproxy
from flyteidl2.dataproxy.dataproxy_service_connect import DataProxyService, DataProxyServiceASGIApplication
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

State = definition.Spec.DesiredState
Phase = definition.Status.DeploymentStatus
Key = tuple[str, str, str]

# Apps on a page, however many are asked for: a client must follow the token.
PAGE = 2

# Seconds until a written app is where it should be.
DELAY = 0.2


class Recorder:
    """What the server was asked, in order."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def message(self, method: str, message: Message) -> None:
        violations = [
            f"{'.'.join(element.field_name for element in violation.proto.field.elements)}: {violation.proto.message}"
            for violation in protovalidate.collect_violations(message)
        ]
        self.other(method, MessageToDict(message, preserving_proto_field_name=True), violations)

    def other(self, method: str, content: Any, violations: list[str]) -> None:
        self.calls.append({"method": method, "message": content, "violations": violations})


class Apps(AppService):
    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.apps: dict[Key, definition.App] = {}
        self.watchers: dict[Key, set[asyncio.Queue[definition.App]]] = {}
        self.tasks: set[asyncio.Task[None]] = set()

    async def create(self, request: payload.CreateRequest, ctx: RequestContext) -> payload.CreateResponse:
        self.recorder.message("Create", request)
        key = key_of(request.app.metadata.id)
        if key in self.apps:
            raise ConnectError(Code.ALREADY_EXISTS, f"app {key[2]} already exists")
        app = definition.App()
        app.CopyFrom(request.app)
        app.metadata.revision = 1
        app.status.created_at.GetCurrentTime()
        app.status.ingress.public_url = f"https://{key[2]}.apps.example.com"
        self.write(key, app)
        return payload.CreateResponse(app=app)

    async def get(self, request: payload.GetRequest, ctx: RequestContext) -> payload.GetResponse:
        self.recorder.message("Get", request)
        return payload.GetResponse(app=self.find(request.app_id))

    async def update(self, request: payload.UpdateRequest, ctx: RequestContext) -> payload.UpdateResponse:
        self.recorder.message("Update", request)
        key = key_of(request.app.metadata.id)
        current = self.find(request.app.metadata.id)
        given, known = request.app.metadata.revision, current.metadata.revision
        if given != known:
            raise ConnectError(Code.ABORTED, f"revision {given} was given, and {known} is current")
        app = definition.App(metadata=request.app.metadata, spec=request.app.spec, status=current.status)
        app.metadata.revision += 1
        self.write(key, app)
        return payload.UpdateResponse(app=app)

    async def delete(self, request: payload.DeleteRequest, ctx: RequestContext) -> payload.DeleteResponse:
        self.recorder.message("Delete", request)
        self.find(request.app_id)
        del self.apps[key_of(request.app_id)]
        return payload.DeleteResponse()

    async def list(self, request: payload.ListRequest, ctx: RequestContext) -> payload.ListResponse:
        self.recorder.message("List", request)
        project = request.project
        keys = sorted(key for key in self.apps if key[:2] == (project.name, project.domain))
        start = int(request.request.token or 0)
        page = keys[start : start + PAGE]
        token = str(start + PAGE) if start + PAGE < len(keys) else ""
        return payload.ListResponse(apps=[self.apps[key] for key in page], token=token)

    async def watch(self, request: payload.WatchRequest, ctx: RequestContext) -> AsyncIterator[payload.WatchResponse]:
        self.recorder.message("Watch", request)
        key = key_of(request.app_id)
        queue: asyncio.Queue[definition.App] = asyncio.Queue()
        self.watchers.setdefault(key, set()).add(queue)
        try:
            if key in self.apps:
                yield payload.WatchResponse(create_event=payload.CreateEvent(app=self.apps[key]))
            while True:
                yield payload.WatchResponse(update_event=payload.UpdateEvent(updated_app=await queue.get()))
        finally:
            self.watchers[key].discard(queue)

    def find(self, identifier: definition.Identifier) -> definition.App:
        app = self.apps.get(key_of(identifier))
        if app is None:
            raise ConnectError(Code.NOT_FOUND, f"app {identifier.name} not found")
        return app

    def write(self, key: Key, app: definition.App) -> None:
        """Stores an app, under way to what it should be, where it gets a little later."""
        stopped = app.spec.desired_state == State.DESIRED_STATE_STOPPED
        add_condition(app, Phase.DEPLOYMENT_STATUS_PENDING if stopped else Phase.DEPLOYMENT_STATUS_DEPLOYING)
        self.tell(key, app)
        wanted = Phase.DEPLOYMENT_STATUS_STOPPED if stopped else Phase.DEPLOYMENT_STATUS_ACTIVE
        task = asyncio.create_task(self.settle(key, app.metadata.revision, wanted))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def settle(self, key: Key, revision: int, phase: int) -> None:
        await asyncio.sleep(DELAY)
        current = self.apps.get(key)
        if current is not None and current.metadata.revision == revision:
            app = definition.App()
            app.CopyFrom(current)
            add_condition(app, phase)
            self.tell(key, app)

    def tell(self, key: Key, app: definition.App) -> None:
        self.apps[key] = app
        for queue in self.watchers.get(key, ()):
            queue.put_nowait(app)


def key_of(identifier: definition.Identifier) -> Key:
    return (identifier.project, identifier.domain, identifier.name)


def add_condition(app: definition.App, phase: int) -> None:
    condition = app.status.conditions.add(deployment_status=phase, revision=app.metadata.revision)
    condition.last_transition_time.GetCurrentTime()
    app.status.last_updated_at.GetCurrentTime()


class Clusters(ClusterService):
    def __init__(self, recorder: Recorder, address: str) -> None:
        self.recorder = recorder
        self.address = address

    async def select_cluster(
        self, request: cluster.SelectClusterRequest, ctx: RequestContext
    ) -> cluster.SelectClusterResponse:
        self.recorder.message("SelectCluster", request)
        return cluster.SelectClusterResponse(cluster_endpoint=self.address)


class Data(DataProxyService):
    def __init__(self, recorder: Recorder, address: str) -> None:
        self.recorder = recorder
        self.address = address

    async def create_upload_location(
        self, request: dataproxy.CreateUploadLocationRequest, ctx: RequestContext
    ) -> dataproxy.CreateUploadLocationResponse:
        self.recorder.message("CreateUploadLocation", request)
        return dataproxy.CreateUploadLocationResponse(
            signed_url=f"{self.address}/store/{request.filename}",
            native_url=f"s3://bundles/{request.project}/{request.domain}/{request.filename}",
            headers={"x-amz-meta-origin": "interop"},
        )


class Store:
    """The object store behind the signed addresses, and the window on what was recorded."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        method, path = scope["method"], scope["path"]
        if (method, path) == ("GET", "/recorded"):
            return await reply(send, 200, json.dumps(self.recorder.calls).encode())
        if method != "PUT" or not path.startswith("/store/"):
            return await reply(send, 404, b"{}")
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        body = await read(receive)
        md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
        if headers.get("content-md5") != md5 or headers.get("content-length") != str(len(body)):
            return await reply(send, 400, b"<Code>BadDigest</Code>")
        seen = {
            "name": path.removeprefix("/store/"),
            "md5": md5,
            "size": len(body),
            "origin": headers.get("x-amz-meta-origin"),
            "content_type": headers.get("content-type"),
            "authorization": headers.get("authorization"),
        }
        self.recorder.other("PUT", seen, [])
        await reply(send, 200, b"")


async def read(receive: Any) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def reply(send: Any, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    recorder = Recorder()
    services = [
        AppServiceASGIApplication(Apps(recorder)),
        ClusterServiceASGIApplication(Clusters(recorder, address)),
        DataProxyServiceASGIApplication(Data(recorder, address)),
    ]
    by_path = {service.path: service for service in services}
    store = Store(recorder)

    async def dispatch(scope: Any, receive: Any, send: Any) -> None:
        handler = by_path.get(scope["path"].rpartition("/")[0], store)
        await handler(scope, receive, send)

    print(address, flush=True)
    logging.disable(logging.INFO)
    server = uvicorn.Server(uvicorn.Config(dispatch, lifespan="off", log_config=None))
    server.run(sockets=[listener])


if __name__ == "__main__":
    main()
