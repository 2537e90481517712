"""Two apps as a user of the SDK writes them: a web page that needs an API, and the API."""

import flyte
from flyte.app import AppEndpoint, AppEnvironment, Parameter, Scaling

backend = AppEnvironment(
    name="backend",
    description="says who it is",
    image="python:3.12-slim",
    args=["python3", "serve.py"],
    port=8081,
    include=["serve.py"],
    env_vars={"NAME": "backend"},
    secrets=[flyte.Secret(key="db-password", as_env_var="DB_PASSWORD")],
    scaling=Scaling(replicas=(1, 1)),
)

frontend = AppEnvironment(
    name="frontend",
    description="asks the backend",
    image="python:3.12-slim",
    args=["python3", "serve.py"],
    port=8082,
    include=["serve.py"],
    env_vars={"NAME": "frontend"},
    parameters=[Parameter(name="backend", value=AppEndpoint(app_name="backend"), env_var="BACKEND_URL")],
    scaling=Scaling(replicas=(1, 1)),
    depends_on=[backend],
)
