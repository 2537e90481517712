"""Uploads a file and fetches the code bundle of an app. Prints what it saw, as one line of JSON."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

import flyte.remote
from common import connect, finish
from flyte.remote import App
from flyteidl2.dataproxy.dataproxy_service_connect import DataProxyServiceClientSync
from flyteidl2.dataproxy.dataproxy_service_pb2 import (
    ARTIFACT_TYPE_CODE_BUNDLE,
    CreateDownloadLinkRequest,
    CreateUploadLocationRequest,
)

# More than a request of the services may have.
SIZE = 6 << 20


def main(endpoint: str) -> None:
    connect(endpoint)
    seen: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "model.bin")
        file.write_bytes(os.urandom(SIZE))
        digest, address = flyte.remote.upload_file(file)
        seen["digest"] = digest == hashlib.md5(file.read_bytes()).hexdigest()
        seen["address"] = address
        # The same content has the same address.
        seen["again"] = flyte.remote.upload_file(file)[1] == address

    data = DataProxyServiceClientSync("http://" + endpoint.removeprefix("dns:///"))
    seen["other_content"] = put_other_content(data)
    app = App.get("frontend")
    request = CreateDownloadLinkRequest(artifact_type=ARTIFACT_TYPE_CODE_BUNDLE, app_id=app.pb2.metadata.id)
    link = data.create_download_link(request).pre_signed_urls.signed_url[0]
    with urllib.request.urlopen(link, timeout=10) as answer:
        bundle = tarfile.open(fileobj=io.BytesIO(answer.read()))
    seen["bundle"] = sorted(bundle.getnames())
    finish(seen)


def put_other_content(data: DataProxyServiceClientSync) -> int:
    """The status of a PUT whose body is not what the address was signed for."""
    md5 = hashlib.md5(b"promised").digest()
    location = data.create_upload_location(
        CreateUploadLocationRequest(
            project="flytesnacks", domain="development", filename="x.tar.gz", content_md5=md5
        )
    )
    headers = {**location.headers, "Content-MD5": base64.b64encode(md5).decode()}
    request = urllib.request.Request(location.signed_url, data=b"something else", headers=headers, method="PUT")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


if __name__ == "__main__":
    main(sys.argv[1])
