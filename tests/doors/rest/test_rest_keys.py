"""Keys: whose scopes they open, what they may do, and how soon that ends."""

import json
import os
import sys
import time
from pathlib import Path

import pytest
from tests.doors.rest.running import free_port, running

from memspan.core.errors import UnknownId, UsageError
from memspan.doors.cli.main import cli
from memspan.doors.rest.keys import Keys
from memspan.doors.rest.server import check
from memspan.doors.rest.settings import Settings
from memspan.doors.rest.state import State

SAY = {"text": "The safe stands behind the map."}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """(server of two workers, keys): there is one key of acme that may do all."""
    place = tmp_path_factory.mktemp("keys") / "m.mem"
    file = State(f"{place}.doors")
    keys = Keys(file)
    keys.add("acme", rights=("read", "write", "forget", "admin"))
    with running(place, workers=2, rate=0) as server:
        yield server, keys
    file.close()


@pytest.fixture
def keys(kept):
    return kept[1]


def status(server, token, method="GET", path="stats", scope="acme", body=None):
    """What a call is answered with, over a connection of its own."""
    with server.client(token) as client:
        answer = client.request(method, f"/v1/{path}", params={"scope": scope}, json=body)
        assert answer.status_code < 400 or answer.headers["content-type"] == "application/problem+json"
        return answer.status_code


def test_nobody_comes_in_without_a_good_key(kept, keys):
    """401 says how to come in; health and readiness are for everybody."""
    server, _ = kept
    key, token = keys.add("acme")
    wrong = [None, "", "msp_", token[:-1], token + "a", f"msp_{key.id}_", token.upper(), f"msp_{'0' * 12}_{token[17:]}"]
    assert [status(server, one) for one in wrong] == [401] * len(wrong)
    assert status(server, token) == 200
    with server.client() as client:
        assert client.get("/v1/stats?scope=acme").headers["www-authenticate"].startswith("Bearer")
        assert client.get("/health").status_code == client.get("/ready").status_code == 200
        assert client.get("/metrics").status_code == 401


def test_a_key_opens_its_tenant_part_by_part(kept, keys):
    """acme and acme/alice, never acme2, nor what is above."""
    server, _ = kept
    _, token = keys.add("acme/sales")
    opened = ["acme/sales", "acme/sales/bob"]
    closed = ["acme", "acme/sales2", "acme/sale", "ACME/sales", "other", "other/acme/sales"]
    assert [status(server, token, scope=scope) for scope in opened + closed] == [200] * 2 + [403] * 6


def test_a_key_may_do_what_its_rights_say(kept, keys):
    """read, write, forget and admin, each without the others."""
    server, _ = kept
    calls = {
        "read": ("POST", "recall", {"question": "map"}),
        "write": ("POST", "remember", SAY),
        "forget": ("POST", "forget", {"everything": True, "dry_run": True}),
    }
    for right in (*calls, "admin"):
        _, token = keys.add("rights", rights=(right,))
        for name, (method, path, body) in calls.items():
            assert (status(server, token, method, path, "rights", body) < 300) == (name == right), (right, name)
        with server.client(token) as client:
            assert (client.get("/metrics").status_code == 200) == (right == "admin")


def test_a_revoked_key_opens_nothing_at_once_in_every_worker(kept, keys):
    """Right after revoke() no call of twenty connections comes in."""
    server, _ = kept
    key, token = keys.add("acme")
    clients = [server.client(token) for _ in range(20)]
    assert [client.get("/v1/stats?scope=acme").status_code for client in clients] == [200] * 20
    keys.revoke(key.id)
    assert [client.get("/v1/stats?scope=acme").status_code for client in clients] == [401] * 20
    for client in clients:
        client.close()


def test_an_expired_key_opens_nothing(kept, keys):
    """From its moment on."""
    server, _ = kept
    _, token = keys.add("acme", expires_at=time.time() + 0.6)
    assert status(server, token) == 200
    time.sleep(0.7)
    assert status(server, token) == 401


def test_the_file_holds_no_token_and_is_private(kept, keys):
    """Nor what could be tried out against a list of tokens without its secret."""
    server, _ = kept
    _, token = keys.add("acme")
    files = Path(server.settings.place).parent.glob("*.doors*")
    raw = b"".join(path.read_bytes() for path in files)
    assert len(raw) > 4096
    assert token.encode() not in raw and token.split("_")[2].encode() not in raw
    assert os.stat(f"{server.settings.place}.doors").st_mode & 0o077 == 0


def test_keys_are_checked_when_they_are_made(tmp_path):
    """Scopes of another tenant, rights that there are not, moments gone by."""
    file = State(tmp_path / "keys")
    keys = Keys(file)
    for wrong in ({"scopes": ["acme2"]}, {"rights": ["root"]}, {"rights": []}, {"expires_at": 1.0}):
        with pytest.raises(UsageError):
            keys.add("acme", **wrong)
    with pytest.raises(UnknownId):
        keys.revoke("nothing")
    assert not keys.any()
    file.close()


def test_a_public_address_without_a_key_is_refused(tmp_path):
    """Before anything listens; with a key it may be."""
    told = Settings(place=str(tmp_path / "m.mem"), host="0.0.0.0", port=free_port())
    with pytest.raises(UsageError, match="memspan keys add --tenant"):
        check(told)
    file = State(told.state_path)
    Keys(file).add("acme")
    file.close()
    check(told)


@pytest.mark.slow
def test_a_public_server_with_a_key_answers(tmp_path):
    """By any of its names, to who has the key."""
    file = State(f"{tmp_path}/m.mem.doors")
    _, token = Keys(file).add("acme")
    file.close()
    with running(tmp_path / "m.mem", host="0.0.0.0") as server:
        assert status(server, token) == 200
        with server.client(token) as client:
            assert client.get("/v1/stats?scope=acme", headers={"host": "memory.example"}).status_code == 200
        assert status(server, None) == 401


def test_a_first_key_closes_a_running_server(tmp_path):
    """Made while it runs, it counts at once."""
    with running(tmp_path / "m.mem") as server:
        assert status(server, None) == 200
        file = State(f"{tmp_path}/m.mem.doors")
        _, token = Keys(file).add("acme")
        file.close()
        assert (status(server, None), status(server, token)) == (401, 200)


def said(capsys, monkeypatch, *arguments):
    """What a command prints: (stdout, stderr)."""
    monkeypatch.setattr(sys, "argv", ["memspan", *arguments])
    with pytest.raises(SystemExit):
        cli(prog_name="memspan")
    return capsys.readouterr()


def test_the_command_shows_a_token_once(tmp_path, capsys, monkeypatch):
    """add prints it; list does not; revoke ends it."""
    place = ("--memory", str(tmp_path / "m.mem"))
    added = said(capsys, monkeypatch, "keys", "add", *place, "--tenant", "acme", "--rights", "read,write")
    token = added.out.strip()
    listed = said(capsys, monkeypatch, "keys", "list", *place, "--json").out
    (key,) = json.loads(listed)["keys"]
    assert token.startswith(f"msp_{key['id']}_") and token not in listed
    assert (key["tenant"], key["rights"], key["status"]) == ("acme", ["read", "write"], "good")
    said(capsys, monkeypatch, "keys", "revoke", key["id"], *place)
    assert "revoked" in said(capsys, monkeypatch, "keys", "list", *place).out
    assert "memspan: " in said(capsys, monkeypatch, "keys", "revoke", "nothing", *place).err
