"""What the SDK makes of configuration files and variables, for each case in a JSON file; prints a JSON list."""

import json
import os
import sys

import flyte.config
from flyte._utils.org_discovery import org_from_endpoint
from flyte.config._reader import get_config_file


def read(case: dict) -> dict:
    os.environ.clear()
    os.environ.update(case["environment"])
    os.chdir(case["directory"])
    get_config_file.cache_clear()
    config = flyte.config.auto(case["file"])
    platform, task = config.platform, config.task
    return {
        "endpoint": platform.endpoint,
        "insecure": bool(platform.insecure),
        "insecure_skip_verify": bool(platform.insecure_skip_verify),
        "ca_file": platform.ca_cert_file_path,
        "proxy": platform.http_proxy_url,
        "auth": platform.auth_mode,
        "client_id": platform.client_id,
        "command": platform.command,
        "scopes": platform.scopes,
        "keep_tokens": not platform.disable_keyring,
        "org": task.org or org_from_endpoint(platform.endpoint),
        "project": task.project,
        "domain": task.domain,
    }


with open(sys.argv[1]) as file:
    cases = json.load(file)
print(json.dumps([read(case) for case in cases]))
