"""A server that speaks S3, with the bucket `releases`, and with users who may do different things.

Prints one line of JSON, then serves until it is killed: `port`, and per user `id` and `secret`. `writer` may list,
read and add, `reader` may list and read, `blind` may only read.
"""

import json
import threading
import urllib.request

import boto3
from moto.server import ThreadedMotoServer

RIGHTS = {
    "writer": ["s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
    "reader": ["s3:ListBucket", "s3:GetObject"],
    "blind": ["s3:GetObject"],
}

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
_, port = server.get_host_and_port()
endpoint = f"http://127.0.0.1:{port}"


def client(service):
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="root",
        aws_secret_access_key="root",
    )


client("s3").create_bucket(Bucket="releases")
iam = client("iam")
users = {}
for name, actions in RIGHTS.items():
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}],
    }
    iam.put_user_policy(UserName=name, PolicyName="rights", PolicyDocument=json.dumps(policy))
    users[name] = {"id": key["AccessKeyId"], "secret": key["SecretAccessKey"]}

# From now on signatures and rights are checked.
check = urllib.request.Request(
    f"{endpoint}/moto-api/reset-auth", data=b"0", headers={"Content-Type": "text/plain"}
)
urllib.request.urlopen(check).read()
print(json.dumps({"port": port, "users": users}), flush=True)
threading.Event().wait()
