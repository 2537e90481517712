"""Apps that say a lot, as users of the SDK write them."""

import flyte
from flyte.app import AppEndpoint, AppEnvironment, Domain, Link, Parameter, RunOutput, Scaling, Timeouts
from shared.names import ENVIRONMENT

catalogue = AppEnvironment(
    name="catalogue",
    description="books, as JSON",
    image="ghcr.io/acme/catalogue:1.4",
    args=["python3", "-m", "catalogue"],
    port=8081,
    include=["data/*.json"],
    env_vars=ENVIRONMENT,
    resources=flyte.Resources(cpu=("500m", 2), memory="512Mi", gpu="T4:1", shm="auto"),
    secrets=["stripe-key", flyte.Secret(key="password", group="db", as_env_var="DB_PASSWORD")],
    scaling=Scaling(replicas=(1, 3), metric=Scaling.Concurrency(50), scaledown_after=300),
    timeouts=Timeouts(request=30),
    requires_auth=False,
)

page = AppEnvironment(
    name="page",
    image="ghcr.io/acme/page:2",
    domain=Domain(subdomain="books"),
    links=[Link(path="/docs", title="Docs", is_relative=True)],
    parameters=[
        Parameter(name="CATALOGUE_URL", value=AppEndpoint(app_name="catalogue"), env_var="CATALOGUE_URL"),
        Parameter(name="again", value=AppEndpoint(app_name="catalogue", public=True), env_var="PUBLIC_URL"),
        Parameter(name="model", value=RunOutput(type="directory", task_name="train.train"), mount="/model"),
    ],
    depends_on=[catalogue],
)

proxy = AppEnvironment(
    name="proxy",
    image="nginx:1.27",
    command=["nginx", "-g", "daemon off;"],
    cluster_pool="edge",
    depends_on=[page],
)


@page.server
def serve() -> None:
    raise SystemExit("it runs elsewhere")


print("a file may print what it wants")
