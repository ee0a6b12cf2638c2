"""Every verb over HTTP: what Memory says, in the shapes that all doors share."""

import pytest

from memspan import Memory, Turn
from memspan.doors import fields

SAID = [
    {"text": "I moved to Lisbon in May.", "speaker": "Alice", "session": "s1", "at": "2024-06-01T10:00Z"},
    {"text": "The cat is called Minka.", "speaker": "Alice", "session": "s1", "at": "2024-06-01T10:01Z"},
    {"text": "I like dark roast.", "speaker": "Bob", "session": "s2", "at": 1717300000},
]


@pytest.fixture
def ask(client, scope):
    """Calls a route of this scope; the JSON of the answer, which must have that status."""

    def ask(method, path, body=None, status=200, headers=None, **query):
        answer = client.request(method, f"/v1/{path}", params={"scope": scope, **query}, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    return ask


@pytest.fixture
def ids(ask):
    """Ids of SAID, remembered."""
    return ask("POST", "remember", {"turns": SAID}, 201)["ids"]


def without_cost(told):
    return {name: value for name, value in told.items() if name != "cost"}


def test_what_is_remembered_is_recalled_as_in_process(open_server, ask, ids, scope):
    """The same JSON as fields.of_recall makes of a Memory on the same file."""
    over_http = ask("POST", "recall", {"question": "Where does Alice live?", "tokens": 500})
    with Memory(open_server.settings.place, scope=scope, read_only=True) as memory:
        here = fields.of_recall(memory.recall("Where does Alice live?", tokens=500), scope)
    assert over_http["hits"][0]["id"] == ids[0]
    assert without_cost(over_http) == without_cost(here)
    assert over_http["context"].startswith("<memory ")


def test_a_text_is_said_now_and_a_turn_has_no_time(ask):
    """As Memory.remember has it."""
    (now,) = ask("POST", "remember", {"text": "The kettle is on."}, 201)["ids"]
    (never,) = ask("POST", "remember", {"turns": [{"text": "Some day."}]}, 201)["ids"]
    assert ask("GET", f"items/{now}")["at"] is not None
    assert ask("GET", f"items/{never}")["at"] is None


def test_remembering_again_adds_nothing(ask, ids):
    """A retry is safe."""
    again = ask("POST", "remember", {"turns": SAID}, 201)
    assert (again["ids"], again["added"], again["known"]) == (ids, 0, 3)


@pytest.mark.parametrize("newest", [False, True])
def test_pages_of_turns_join_to_all_of_them(ask, ids, newest):
    """`next` goes in as `after`; the last page says null."""
    seen, after = [], ""
    while after is not None:
        page = ask("GET", "turns", limit=2, after=after, newest=newest)
        seen += [turn["id"] for turn in page["turns"]]
        after = page["next"]
    assert seen == (ids[::-1] if newest else ids)
    assert [turn["id"] for turn in ask("GET", "turns", session="s2")["turns"]] == ids[2:]


def test_pages_of_changes_join_to_all_of_them(ask, ids):
    """`after` counts events; `about` filters them."""
    ask("POST", f"items/{ids[0]}/pin", {})
    first = ask("GET", "changes", limit=3)
    rest = ask("GET", "changes", limit=3, after=first["next"])
    assert [event["what"] for event in first["events"] + rest["events"]] == ["added"] * 3 + ["pinned"]
    assert rest["next"] is None
    assert [event["id"] for event in ask("GET", "changes", about="minka")["events"]] == [ids[1]]


def test_correct_puts_a_new_version_in_the_place_of_the_old(ask, ids):
    """Once; a second correction of the old one is a conflict that names the heir."""
    made = ask("POST", f"items/{ids[0]}/correct", {"text": "I moved to Porto in May.", "reason": "misheard"})
    assert made["replaces"] == ids[0]
    assert ask("GET", f"items/{ids[0]}")["state"]["heir"] == made["id"]
    told = ask("POST", f"items/{ids[0]}/correct", {"text": "I moved to Faro."}, 409)
    assert (told["type"], told["heir"]) == ("urn:memspan:AlreadyCorrected", made["id"])
    history = ask("GET", f"items/{made['id']}/history")["events"]
    assert {(event["what"], event["id"]): event["why"] for event in history} == {
        ("added", ids[0]): "",
        ("added", made["id"]): "",
        ("corrected", ids[0]): "misheard",
    }


@pytest.mark.parametrize(
    ("verb", "body", "state"),
    [
        ("pin", {}, {"pinned": True}),
        ("hold", {"reason": "a law suit"}, {"held": True}),
        ("archive", None, {"status": "archived"}),
        ("expire", {"at": "2030-01-01"}, {"expire_at": "2030-01-01T00:00:00Z"}),
    ],
)
def test_what_is_to_become_of_an_item(ask, ids, verb, body, state):
    """Each verb answers with the item as it is then; its opposite takes it back."""
    after = ask("POST", f"items/{ids[0]}/{verb}", body)
    assert state.items() <= after["state"].items()
    back = {"pin": "unpin", "hold": "release", "archive": "restore", "expire": "expire"}[verb]
    before = ask("POST", f"items/{ids[0]}/{back}", {"at": None} if verb == "expire" else {})
    assert not state.items() <= before["state"].items()


def test_an_id_may_hold_a_slash_and_any_script(ask):
    """Ids of one's own are paths like any other."""
    ask("POST", "remember", {"turns": [{"text": "A mail.", "id": "mail/2024/é#1"}]}, 201)
    path = "items/mail%2F2024%2F%C3%A9%231"
    assert ask("GET", path)["id"] == "mail/2024/é#1"
    assert ask("POST", f"{path}/pin")["state"]["pinned"]
    assert ask("GET", f"{path}/history")["events"]


def test_forget_by_id_leaves_a_receipt_and_refuses_the_same_words(ask, ids):
    """The text is nowhere any more."""
    receipt = ask("POST", "forget", {"ids": [ids[1]]})
    assert (receipt["items"], receipt["status"]) == (1, "erased")
    assert ask("GET", f"items/{ids[1]}", status=404)["type"] == "urn:memspan:UnknownId"
    assert ask("GET", "receipts")["receipts"][0]["operation"] == receipt["operation"]
    assert ask("POST", "remember", {"turns": [SAID[1]]}, 201)["refused"] == [ids[1]]


def test_forget_by_a_query_takes_two_calls(ask, ids):
    """The 409 carries what to confirm by; a dry run changes nothing and names the ids."""
    plan = ask("POST", "forget", {"query": "minka", "dry_run": True})
    told = ask("POST", "forget", {"query": "minka"}, 409)
    assert (plan["ids"], told["digest"], told["items"]) == ([ids[1]], plan["digest"], 1)
    assert ask("POST", "forget", {"query": "minka", "confirm": plan["digest"]})["items"] == 1


def test_what_is_held_is_not_forgotten(ask, ids):
    """A conflict, and nothing went."""
    ask("POST", f"items/{ids[0]}/hold")
    assert ask("POST", "forget", {"ids": ids[:1]}, 409)["ids"] == ids[:1]
    assert ask("GET", "stats")["turns"] == 3


def test_undo_takes_the_last_call_back(ask, ids):
    """And says which it was; what nobody did cannot be taken back."""
    ask("POST", f"items/{ids[0]}/pin")
    assert ask("POST", "undo")["verb"] == "pin"
    assert not ask("GET", f"items/{ids[0]}")["state"]["pinned"]
    assert ask("POST", "undo", {"operation": 999}, 409)["type"] == "urn:memspan:CannotUndo"


def test_reflect_derives_records_that_page_like_turns(ask, ids, open_server, scope):
    """Records, links and sessions as Memory has them."""
    assert ask("POST", "reflect", {"seconds": 60})["finished"]
    with Memory(open_server.settings.place, scope=scope, read_only=True) as memory:
        expected = [record.id for record in memory.records()]
        links = [fields.of_link(link) for link in memory.links()]
    first = ask("GET", "records", limit=1)
    rest = ask("GET", "records", limit=500, after=first["next"])
    assert [record["id"] for record in first["records"] + rest["records"]] == expected
    assert ask("GET", "links")["links"] == links
    assert ask("GET", "sessions")["sessions"] == ["s1", "s2"]


def test_due_used_and_stats(ask, ids):
    """The rest of the verbs."""
    (asked,) = ask("POST", "remember", {"text": "Remind me to call Ann on 2024-06-03.", "at": "2024-06-01"}, 201)["ids"]
    assert [one["id"] for one in ask("GET", "due", now="2024-06-04")["due"]] == [asked]
    assert ask("POST", "used", {"ids": ids})["used"] == 3
    assert ask("GET", f"items/{ids[0]}")["state"]["uses"] == 1
    assert ask("GET", "stats")["turns"] == 4


def test_recall_at_another_time_and_without_reasons(ask, ids):
    """Arguments of Memory.recall go by the same names."""
    then = ask("POST", "recall", {"question": "Lisbon", "as_of": "2024-01-01", "limit": 5, "explain": False})
    assert all("why" not in hit for hit in then["hits"])
    assert ids[0] not in [hit["id"] for hit in then["hits"]]


def test_a_scope_is_required_and_another_one_is_empty(client, ask, ids):
    """Never a default; what is not there reads the same as what is another's."""
    assert client.get("/v1/turns").status_code == 422
    assert ask("GET", "turns", scope="acme/nobody")["turns"] == []
    theirs = ask("GET", f"items/{ids[0]}", status=404, scope="acme/nobody")
    nothing = ask("GET", "items/t00", status=404, scope="acme/nobody")
    assert theirs["detail"].replace(ids[0], "t00") == nothing["detail"]


def test_turn_of_the_file_is_what_was_sent(ask, open_server, scope):
    """meta, role and an id of one's own arrive."""
    ask(
        "POST", "remember", {"turns": [{"text": "x = 1", "role": "tool", "meta": {"source": "repl"}, "id": "own"}]}, 201
    )
    with Memory(open_server.settings.place, scope=scope, read_only=True) as memory:
        turn = memory.get("own")
    assert isinstance(turn, Turn)
    assert (turn.role, turn.meta) == ("tool", {"source": "repl"})


def test_a_brief_is_that_of_the_memory(open_server, ask, scope):
    """Line for line; a budget of nothing holds nothing."""
    ask("POST", "remember", {"text": "From now on, always answer in metric units.", "at": "2024-06-01"}, 201)
    over_http = ask("GET", "brief", tokens=300, now="2024-06-02")
    with Memory(open_server.settings.place, scope=scope, read_only=True) as memory:
        here = fields.of_brief(memory.brief(tokens=300, now="2024-06-02"), scope)
    assert without_cost(over_http) == without_cost(here)
    assert "metric units" in over_http["sections"]["instructions"][0]["text"]
    assert ask("GET", "brief", tokens=0)["sections"] == {}
    ask("GET", "brief", status=422, tokens=-1)
