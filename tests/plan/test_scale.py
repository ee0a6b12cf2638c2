"""How many servers: enough of everything, and not one more."""

import json

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from memspan.core.errors import UsageError
from memspan.doors.cli.main import cli
from memspan.plan.scale import COSTS, Load, Machine, plan

LOADS = st.builds(
    Load,
    tenants=st.integers(1, 10**7), records=st.integers(1, 10_000), recalls=st.floats(0.1, 100),
    remembers=st.floats(0, 100), open_share=st.floats(0, 1),
)  # fmt: skip


@given(load=LOADS, store=st.sampled_from(sorted(COSTS)))
def test_everything_fits(load, store):
    """Disk, memory and processor of the fullest server are within the machine; the bytes are all there."""
    on = Machine()
    made = plan(load, COSTS[store], on)
    assert made.disk == load.tenants * load.records * COSTS[store].bytes_a_record
    assert made.disk_a_server <= on.disk and made.memory_a_server <= on.memory
    assert made.queue.load <= on.busy + 1e-9
    assert 0 < made.p50_s <= made.p99_s < float("inf")
    assert made.tenants_a_server * made.servers >= load.tenants


@given(load=LOADS)
def test_not_one_more_than_needed(load):
    """Machines twice as large need no more of them, and with one server fewer than given something would not fit."""
    small, large = Machine(), Machine(cores=32, memory=128 * 10**9, disk=4 * 10**12)
    cost = COSTS["file"]
    assert plan(load, cost, large).servers <= plan(load, cost, small).servers


def test_cost_of_a_tenant_is_flat():
    """Ten times the tenants: ten times the disk, at most ten times the servers and one more for the spread."""
    one, ten = (plan(Load(tenants=count, records=1000), COSTS["postgres"]) for count in (10**6, 10**7))
    assert ten.disk == 10 * one.disk
    assert ten.servers <= 10 * one.servers + 1
    assert ten.p99_s == pytest.approx(one.p99_s, rel=0.25)


def test_what_cannot_be_is_refused():
    for load in (
        Load(tenants=0, records=1),
        Load(tenants=1, records=1, open_share=2),
        Load(tenants=10, records=10**12),
        Load(tenants=10, records=10, recalls=1e9),
    ):
        with pytest.raises(UsageError):
            plan(load, COSTS["file"])


def test_the_command_says_what_the_function_computes():
    """The same figures, for reading and as JSON."""
    shown = CliRunner().invoke(cli, ["plan", "scale", "--tenants", "50000", "--store", "file"])
    made = plan(Load(tenants=50_000, records=1000), COSTS["file"])
    assert shown.exit_code == 0 and f"servers                 {made.servers} (decided by" in shown.stdout
    told = json.loads(
        CliRunner().invoke(cli, ["plan", "scale", "--tenants", "50000", "--store", "file", "--json"]).stdout
    )
    assert (told["servers"], told["disk"], told["p99_s"]) == (made.servers, made.disk, made.p99_s)
