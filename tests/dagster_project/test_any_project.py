"""The wheel in a Dagster project of somebody else: one `defs.yaml`, and nothing else to set up."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from connector.sandbox.server import Receiver
from tests.support.projects import TOKEN
from tests.support.wheels import build_wheel, environment_with

PYPROJECT = """
[project]
name = "shop"
version = "0.1.0"

[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "shop"
"""

DEFINITIONS = """
from pathlib import Path

from dagster import definitions, load_from_defs_folder


@definitions
def defs():
    return load_from_defs_folder(path_within_project=Path(__file__).parent)
"""

ORDERS = (
    "create table orders as select 'c1' as order_number, 'a@shop.example.org' as email,"
    " 'Purchase' as event_name, now() - interval 2 hour as updated_at,"
    " now() - interval 2 hour as event_time"
)

UPSTREAM = f"""
import os

import dagster as dg
import duckdb


@dg.asset(key=["shop", "orders"])
def orders() -> None:
    with duckdb.connect(os.environ["WAREHOUSE_FILE"]) as warehouse:
        warehouse.execute({ORDERS!r})
"""


def build_orders(shop: Path) -> None:
    """What the asset upstream makes, without a process of Dagster's."""
    with duckdb.connect(str(shop / "warehouse.duckdb")) as warehouse:
        warehouse.execute(ORDERS)


QUERY = "select *, order_number as order_id from orders"

DESTINATION = """
type: dagster_project.components.CapiDestination
attributes:
  platform: capi
  endpoint: env:ACME_ENDPOINT
  account: {advertiser_id: env:ACME_ADVERTISER, data_source_key: "{{ env.ACME_SOURCE }}"}
  auth: {bearer: env:ACME_TOKEN}
  source:
    warehouse: env:WAREHOUSE_URL
    query: sql/orders.sql
    cursor: updated_at
    key: order_number
    start: all
  asset:
    deps: [shop/orders]
    automation_condition: any_deps_updated
requirements:
  env: [ACME_TOKEN]
post_processing:
  assets:
    - target: "*"
      attributes:
        tags: {tier: gold}
"""

RUN = """
import dagster as dg
from shop.definitions import defs

definitions, acme = defs(), dg.AssetKey(["capi", "acme"])
with dg.DagsterInstance.ephemeral() as instance:
    def evaluate(cursor=None):
        return dg.evaluate_automation_conditions(definitions, instance, cursor=cursor)

    def materialize(key):
        job = definitions.resolve_implicit_global_asset_job_def()
        assert job.execute_in_process(instance=instance, asset_selection=[key]).success

    before = evaluate()
    print("before", before.get_num_requested(acme))
    materialize(dg.AssetKey(["shop", "orders"]))
    after = evaluate(before.cursor)
    print("after", after.get_num_requested(acme))
    materialize(acme)
    made = instance.get_latest_materialization_event(acme).asset_materialization
    print("delivered", made.metadata["delivered"].value)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment with the wheel."""
    wheel = build_wheel(tmp_path_factory.mktemp("wheel"))
    return environment_with(wheel, tmp_path_factory.mktemp("environment"))


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project as `create-dagster` makes it, with an asset upstream and a destination."""
    files = {
        "pyproject.toml": PYPROJECT,
        "sql/orders.sql": QUERY,
        "src/shop/__init__.py": "",
        "src/shop/definitions.py": DEFINITIONS,
        "src/shop/defs/__init__.py": "",
        "src/shop/defs/orders.py": UPSTREAM,
        "src/shop/defs/acme/defs.yaml": DESTINATION,
        "home/dagster.yaml": "telemetry: {enabled: false}\n",
    }
    for name, text in files.items():
        path = tmp_path / "shop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "shop"


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(python: Path, shop: Path, receiver: Receiver) -> Run:
    """Runs Python code in the project, with the wheel and nothing of this checkout."""

    def finished(code: str, *arguments: str, cwd: Path = shop) -> subprocess.CompletedProcess[str]:
        ours = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(
            [str(python), "-c", code, *arguments],
            cwd=cwd,
            env={
                **ours,
                "PYTHONPATH": str(shop / "src"),
                "PATH": f"{python.parent}:{os.environ['PATH']}",
                "DAGSTER_HOME": str(shop / "home"),
                "ACME_TOKEN": TOKEN,
                "ACME_ENDPOINT": f"{receiver.url}/signal/v1/conversion",
                "ACME_ADVERTISER": "12",
                "ACME_SOURCE": "abc123def456",
                "WAREHOUSE_FILE": str(shop / "warehouse.duckdb"),
                "WAREHOUSE_URL": f"duckdb:///{shop / 'warehouse.duckdb'}",
            },
            capture_output=True,
            text=True,
            timeout=180,
        )

    return finished


DG = "import sys; sys.argv[0] = 'dg'; from dagster_dg_cli.cli import main; main()"
CAPI = "import sys; sys.argv[0] = 'capi'; from connector.cli.app import main; main()"


def test_a_destination_runs_after_its_upstream_in_a_project_that_only_has_its_yaml(
    run: Run, shop: Path, receiver: Receiver
) -> None:
    checked = run(DG, "check", "defs")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "All definitions loaded successfully" in checked.stdout + checked.stderr
    done = run(RUN)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["before 0", "after 1", "delivered 1"]
    assert receiver.inbox.summary()["events"] == 1
    assert (shop / ".capi" / "state.db").is_file(), "state is at the root of the project"


def test_the_command_line_finds_destinations_through_the_projects_own_pyproject(
    run: Run, shop: Path, tmp_path: Path, receiver: Receiver
) -> None:
    """And it takes the same root as Dagster: another one would mean another state."""
    build_orders(shop)
    for cwd, options in ((shop / "src" / "shop", []), (tmp_path, ["--project", str(shop)])):
        found = run(CAPI, *options, "check", "acme", cwd=cwd)
        assert found.returncode == 0, found.stdout + found.stderr
        missing = run(CAPI, *options, "status", "acmee", cwd=cwd)
        assert "there are acme; did you mean 'acme'?" in missing.stderr
    assert run(CAPI, "sync", "acme", cwd=shop / "src").returncode == 0
    assert (shop / ".capi" / "state.db").is_file()
    assert not (shop / "src" / ".capi").exists()


OWN_RESOURCE = """
import dagster as dg
from dagster_project.resources import CapiResource, State, Warehouse

defs = dg.Definitions(
    resources={
        "capi": CapiResource(
            warehouse=Warehouse(), state=State(url="sqlite:///FOLDER/elsewhere.db")
        )
    }
)
"""


def test_a_project_may_bring_the_resource_itself(run: Run, shop: Path) -> None:
    """Where it keeps progress is then for its own Python to say; for all of its destinations."""
    first = shop / "src/shop/defs/acme/defs.yaml"
    second = shop / "src/shop/defs/other/defs.yaml"
    second.parent.mkdir()
    second.write_text(first.read_text(encoding="utf-8"), encoding="utf-8")
    own = OWN_RESOURCE.replace("FOLDER", str(shop))
    (shop / "src/shop/defs/zz_resources.py").write_text(own, encoding="utf-8")
    done = run(RUN)
    assert done.returncode == 0, done.stderr
    assert (shop / "elsewhere.db").is_file()
    assert not (shop / ".capi" / "state.db").exists()
    (shop / "src/shop/defs/zz_resources.py").write_text(
        "import dagster as dg\ndefs = dg.Definitions(resources={'capi': 5})\n", encoding="utf-8"
    )
    refused = run(RUN)
    assert "the resource 'capi' of" in refused.stderr
    assert "Give the other one another key" in refused.stderr


OWN_COMPONENT = """
import dagster as dg
from dagster_project.components import CapiDestination


class ShopDestination(CapiDestination):
    def get_asset_spec(self, destination):
        spec = super().get_asset_spec(destination)
        return spec.replace_attributes(group_name="marketing", owners=["team:growth"])
"""

SHOW = """
import dagster as dg
from shop.definitions import defs

[spec] = [each for each in defs().resolve_all_asset_specs() if each.key.path[0] == "capi"]
print(spec.key.to_user_string(), spec.group_name, *spec.owners, spec.tags["tier"])
"""


def test_a_subclass_says_how_the_asset_looks(run: Run, shop: Path) -> None:
    path = shop / "src/shop/defs/acme/defs.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("dagster_project.components.CapiDestination", "shop.own.ShopDestination"),
        encoding="utf-8",
    )
    (shop / "src/shop/own.py").write_text(OWN_COMPONENT, encoding="utf-8")
    done = run(SHOW)
    assert done.stdout == "capi/acme marketing team:growth gold\n", done.stderr
    build_orders(shop)
    checked = run(CAPI, "check", "acme")
    assert checked.returncode == 0, checked.stdout + checked.stderr


ASSETS = """
from shop.definitions import defs

definitions = defs()
print(*sorted(each.to_user_string() for each in definitions.resolve_all_asset_keys()))
print(*sorted(each.name for each in definitions.jobs or () if "reconcile" in each.name))
"""


def test_one_file_may_hold_several_destinations(run: Run, shop: Path, receiver: Receiver) -> None:
    path = shop / "src/shop/defs/acme/defs.yaml"
    text = path.read_text(encoding="utf-8")
    named = [
        text.replace("attributes:\n  platform", f"attributes:\n  name: {name}\n  platform")
        for name in ("acme", "beta")
    ]
    named[1] = named[1].replace("env:ACME_ADVERTISER", "13")
    path.write_text("---".join(named), encoding="utf-8")
    done = run(ASSETS)
    assert done.stdout.splitlines() == [
        "capi/acme capi/beta shop/orders",
        "acme_reconcile beta_reconcile",
    ], done.stderr
    assert run(RUN).stdout.splitlines()[-1] == "delivered 1"
    assert run(CAPI, "sync", "beta").returncode == 0
    assert receiver.inbox.summary()["accepted"] == 2, "each has a ledger of its own"


def test_a_package_of_ones_own_with_our_name_is_found_and_told(run: Run, shop: Path) -> None:
    (shop / "src" / "dagster_project").mkdir()
    (shop / "src" / "dagster_project" / "__init__.py").touch()
    for path in ("", str(shop / "src")):  # whether Python finds it first or not
        done = run(
            f"import sys; sys.path = [each for each in sys.path if each != {path!r}]\n{CAPI}",
            "check",
            "acme",
        )
        assert done.returncode == 2
        assert "dagster_project" in done.stderr + done.stdout
        assert "rename" in done.stderr + done.stdout
