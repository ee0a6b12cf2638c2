"""Attempts to reach another tenant's memory, made by the thousand; not one may succeed, and the check can fail."""

import http.client
import itertools
import json
import random
import socket
import unicodedata
from dataclasses import dataclass, field
from urllib.parse import quote, unquote_plus, urlencode

import pytest
from tests.doors.rest.running import running

from memspan.doors.rest.keys import Keys
from memspan.doors.rest.state import State

OURS, THEIRS = "mallory", "zoë/vault"
CANARY = "quetzalcoatl-7319"  # in what is theirs, and in what the attacker asks for
SECRET = "xolotl-2266"  # in every text that is theirs; no attempt says it
SEED = 20261121
QUICK = 500
JSON = {"content-type": "application/json"}
SQL = (
    "' OR '1'='1",
    "'; DROP TABLE turn; --",
    '" OR 1=1 --',
    "%",
    "_",
    "*",
    "zoë%",
    "a' UNION SELECT text FROM turn --",
)
# what may lead from a scope of ours to theirs
CLIMBS = (
    "{ours}/../{theirs}", "{ours}/../../{theirs}", "../{theirs}", "./{theirs}", "/{theirs}", "{theirs}/", "//{theirs}",
    "{ours}//{theirs}", "{ours}/./../{theirs}", "{ours}%2f..%2f{theirs}", "%2e%2e/{theirs}", "{ours}/..%2f{theirs}",
    "{ours}/%252e%252e/{theirs}", "{ours}\\..\\{theirs}", "{ours}/..;/{theirs}", "{ours}\0/{theirs}", "{theirs}\0",
    "{theirs}\n", "{theirs} ", " {theirs}", "{theirs}\u200b", "{theirs}\u202e", "\ufeff{theirs}", "{ours},{theirs}",
    "{ours}&scope={theirs}", "{ours};scope={theirs}", "{ours}#/{theirs}", "{ours}?scope={theirs}", "{theirs}",
    "{ours}/{theirs}", "*", "**", "", ".", "..", "/", "null", "[]", "$ne", "{ours}|{theirs}",
    "{ours}\u2044..\u2044{theirs}",
    "{ours}/\uff0e\uff0e/{theirs}", "{ours}\uff0f..\uff0f{theirs}",
)  # fmt: skip
# letters that look like others
TWINS = str.maketrans({"z": "ᴢ", "o": "о", "v": "ѵ", "a": "а", "l": "ⅼ", "t": "т", "u": "ս"})


@dataclass(frozen=True)
class Attempt:
    """One call. target: path with its query, as it goes over the wire;  token: None = no key"""

    method: str
    target: str
    token: str | None
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ground:
    """A server with two tenants. ids: of what is theirs;  mine: of what is ours"""

    server: object
    ours: str
    theirs: str
    ids: list[str]
    mine: list[str]


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    """Zoë's memory holds the canary in a text, a session, a speaker, an id, a record and a forgotten turn's receipt."""
    place = tmp_path_factory.mktemp("attacked") / "m.mem"
    file = State(f"{place}.doors")
    keys = Keys(file)
    ours, theirs = keys.add("mallory")[1], keys.add("zoë")[1]
    file.close()
    with running(place, rate=0) as server:
        with server.client(theirs) as client:
            turns = [
                {
                    "text": f"The word is {CANARY}, said Zoë; {SECRET}.",
                    "session": f"s {CANARY}",
                    "speaker": "Zoë",
                    "at": number,
                }
                for number in range(20)
            ]
            turns.append({"text": f"{CANARY} again, {SECRET}", "id": f"own {CANARY}", "meta": {"source": CANARY}})
            ids = client.post("/v1/remember", params={"scope": THEIRS}, json={"turns": turns}).json()["ids"]
            assert client.post("/v1/reflect", params={"scope": THEIRS}, json={}).json()["finished"]
            records = client.get("/v1/records", params={"scope": THEIRS}).json()["records"]
            ids += [record["id"] for record in records]
        with server.client(ours) as client:
            mine = [{"text": f"Nothing to see, number {number}."} for number in range(5)]
            own = client.post("/v1/remember", params={"scope": OURS}, json={"turns": mine}).json()["ids"]
        yield Ground(server, ours, theirs, ids, own)


def scopes(chance):
    """A scope that is not ours to open, in one of many disguises."""
    ours = chance.choice((OURS, "Mallory", "mallory/x", "m"))
    theirs = chance.choice((
        THEIRS, "zoë", THEIRS.upper(), THEIRS.title(), "zoe/vault", unicodedata.normalize("NFD", THEIRS),
        unicodedata.normalize("NFKD", THEIRS), THEIRS.translate(TWINS), "zoë/vault/x", "zoë2", "ZOË/vault",
        "zo\u0308e/vault", "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in THEIRS),
    ))  # fmt: skip
    return chance.choice(CLIMBS).format(ours=ours, theirs=theirs)


def words(chance, ground):
    """What is put into a field: an id or a session of theirs, SQL, a scope, noise."""
    kind = chance.randrange(6)
    if kind < 2:
        wanted = chance.choice(ground.ids)
        return chance.choice((wanted, wanted[:-1], wanted.upper(), f"{wanted}'", f"../{wanted}", f"{THEIRS}/{wanted}"))
    if kind == 2:
        return chance.choice(SQL)
    if kind == 3:
        return f"s {CANARY}"[: chance.randrange(3, 20)] + chance.choice(("", "%", "*", "' OR 1=1 --"))
    return scopes(chance) if kind == 4 else f"t{chance.getrandbits(80):020x}"


def calls(chance, ground):
    """(method, path, query, body): a call of the API with something hostile in each of its fields."""
    word = words(chance, ground)
    id = quote(words(chance, ground), safe="")
    read = [
        ("GET", "turns", {"after": word, "limit": 50}, None),
        ("GET", "turns", {"session": word}, None),
        ("GET", "records", {"after": word}, None),
        ("GET", "records", {"kind": word}, None),
        ("GET", f"items/{id}", {}, None),
        ("GET", f"items/{id}/history", {}, None),
        ("GET", "changes", {"about": word, "after": chance.randrange(50)}, None),
        ("GET", chance.choice(("export", "stats", "sessions", "links", "receipts", "due")), {}, None),
        ("POST", "recall", {}, {"question": chance.choice((word, CANARY, "What is the word?")), "tokens": 2000}),
        ("POST", "recall", {}, {"question": "What is the word, said Zoë?", "kinds": [word]}),
    ]
    write = [
        ("POST", f"items/{id}/{chance.choice(('pin', 'hold', 'archive', 'restore', 'release', 'unpin'))}", {}, {}),
        ("POST", f"items/{id}/correct", {}, {"text": "taken over"}),
        ("POST", f"items/{id}/expire", {}, {"at": "2020-01-01"}),
        ("POST", "forget", {}, {chance.choice(("session", "speaker", "source")): word}),
        ("POST", "forget", {}, {"ids": [word]}),
        ("POST", "forget", {}, {"query": CANARY, "dry_run": True}),
        ("POST", "undo", {}, {"operation": chance.randrange(6)}),
        ("POST", "used", {}, {"ids": [word]}),
    ]
    return chance.choice(read + read + write)


def broken_tokens(ground):
    """What is no key of theirs, but looks a little like one."""
    ours, theirs = ground.ours, ground.theirs
    mixed = f"{theirs[:16]}{ours[16:]}"  # their id, our secret
    dressed = (f"{ours} x", ours.replace("msp", "MSP"), theirs.swapcase(), f"{theirs}\u00a0", mixed)
    return (None, "", ours, ours[:-1], theirs[:-1], theirs[:20], "' OR '1'='1", *dressed)


def attempts(ground, seed):
    """Attempts without end: what theirs holds is asked for by who may not have it."""
    chance = random.Random(seed)
    while True:
        method, path, query, body = calls(chance, ground)
        way = chance.randrange(8)
        token, headers, scope = ground.ours, {}, OURS
        if way < 4:  # a scope in disguise, with a key of ours
            scope = scopes(chance)
        elif way == 4:  # their very scope, with a key that is none or ours in another dress
            scope = THEIRS
            token = chance.choice(broken_tokens(ground))
        elif way == 5:  # headers that a server might believe
            name = chance.choice(
                ("x-scope", "x-tenant", "x-forwarded-user", "x-original-url", "x-http-method-override")
            )
            headers = {
                name: quote(chance.choice((THEIRS, f"/v1/turns?scope={THEIRS}", "GET"))),
                "x-forwarded-for": "127.0.0.1",
            }
        # else: our own scope, with ids, cursors and words of theirs
        target = f"/v1/{path}?" + urlencode({"scope": scope, **query})
        if way == 6:
            target += "&" + urlencode({chance.choice(("Scope", "scope[]", "tenant", "SCOPE", "scope%00")): THEIRS})
        if way == 7:
            target = target.replace("%2F", "/").replace("%2E", ".")
        yield Attempt(method, target, token, b"" if body is None else json.dumps(body).encode(), headers)


def send(connection, attempt):
    """(status, body) of one attempt."""
    headers = {**(JSON if attempt.body else {}), **attempt.headers}
    if attempt.token is not None:
        headers["authorization"] = f"Bearer {attempt.token}"
    connection.request(attempt.method, attempt.target, body=attempt.body or None, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def snapshot(ground):
    """All that is theirs, as they see it."""
    with ground.server.client(ground.theirs) as client:
        paths = ("export", "records?limit=500", "stats", "receipts", "links", "changes?limit=500")
        told = [client.get(f"/v1/{path}", params={"scope": THEIRS, **_query(path)}) for path in paths]
        assert {answer.status_code for answer in told} == {200}
        kept = [answer.json() if "ndjson" not in answer.headers["content-type"] else answer.text for answer in told]
        kept[2].pop("bytes")  # of the whole file
        return kept


def _query(path):
    return {"limit": 500} if "limit" in path else {}


def leaks(ground, attempt, answer):
    """Whether an answer holds something of theirs that was not in the question."""
    status, body = answer
    told = body.decode("utf-8", "replace")
    if status >= 500:
        return f"{status}: {told[:200]}"
    asked = f"{unquote_plus(unquote_plus(attempt.target))} {attempt.body.decode()}"
    if SECRET in told or (CANARY in told and CANARY not in asked):
        return told[:200]
    new = [id for id in ground.ids if id in told and id not in asked]
    return f"ids {new}" if new else ""


def attack(ground, number, seed):
    """The attempts that got something, of so many."""
    connection = http.client.HTTPConnection("127.0.0.1", ground.server.settings.port, timeout=60)
    got, statuses = [], {}
    for attempt in itertools.islice(attempts(ground, seed), number):
        try:
            answer = send(connection, attempt)
        except (http.client.InvalidURL, UnicodeEncodeError, ValueError):
            continue  # the client itself will not say it; the wire below does
        statuses[answer[0]] = statuses.get(answer[0], 0) + 1
        if why := leaks(ground, attempt, answer):
            got.append((attempt, why))
    connection.close()
    return got, statuses


def test_some_attempts_get_nothing_and_change_nothing(ground):
    """Of all kinds; what is theirs is afterwards what it was."""
    before = snapshot(ground)
    got, statuses = attack(ground, QUICK, SEED)
    assert got == []
    assert sum(statuses.values()) == QUICK
    assert {200, 401, 403, 404, 422} <= set(statuses), statuses
    assert snapshot(ground) == before


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_twelve_thousand_attempts_get_nothing_and_change_nothing(ground, seed):
    """A thousand of each of twelve seeds."""
    before = snapshot(ground)
    got, statuses = attack(ground, 1000, seed)
    assert (got, sum(statuses.values())) == ([], 1000)
    assert snapshot(ground) == before


def test_the_check_sees_what_it_looks_for(ground):
    """With their own key, or in their own scope, the same attempts get a lot: the check can fail."""
    opened = Ground(ground.server, ground.theirs, ground.theirs, ground.ids, ground.mine)
    connection = http.client.HTTPConnection("127.0.0.1", ground.server.settings.port, timeout=60)
    asked = [
        Attempt("POST", f"/v1/recall?scope={quote(THEIRS)}", opened.theirs, b'{"question": "What is the word?"}'),
        Attempt("GET", f"/v1/export?scope={quote(THEIRS)}", opened.theirs),
        Attempt("GET", f"/v1/turns?scope={quote(THEIRS)}&after={ground.ids[0]}", opened.theirs),
        Attempt("GET", f"/v1/sessions?scope={quote(THEIRS)}", opened.theirs),
        Attempt("GET", f"/v1/turns?scope={quote(unicodedata.normalize('NFD', THEIRS))}", opened.theirs),
    ]
    assert all(leaks(ground, attempt, send(connection, attempt)) for attempt in asked)
    connection.close()


def test_an_id_of_theirs_reads_like_one_that_is_not(ground):
    """Status and words are the same, for every route that takes an id or a cursor."""
    with ground.server.client(ground.ours) as client:

        def told(method, path, id, body=None, **query):
            answer = client.request(method, path.format(quote(id, safe="")), params={"scope": OURS, **query}, json=body)
            return answer.status_code, answer.text.replace(id, "ID")

        nothing = "t" + "0" * 20
        for theirs in (ground.ids[0], ground.ids[-1], f"own {CANARY}"):
            for path in ("/v1/items/{}", "/v1/items/{}/history"):
                assert told("GET", path, theirs) == told("GET", path, nothing)
            assert told("POST", "/v1/items/{}/pin", theirs, {}) == told("POST", "/v1/items/{}/pin", nothing, {})
            for page in ("turns", "records"):
                cursors = (told("GET", f"/v1/{page}", id, after=id) for id in (theirs, nothing))
                assert next(cursors) == next(cursors)


def test_a_header_cannot_be_put_behind_another(ground):
    """Two keys, two hosts, line breaks in a value: the first counts, or none of it."""
    lines = [
        f"authorization: Bearer {ground.ours}\r\nauthorization: Bearer {ground.theirs}\r\n",
        f"authorization: Bearer {ground.ours}\r\n x-more: 1\r\nauthorization: Bearer {ground.theirs}\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n" + f"authorization: Bearer {ground.ours}\r\n",
        f"authorization : Bearer {ground.theirs}\r\n",
        f"x: y\rauthorization: Bearer {ground.ours}\r\n",
    ]
    for head in lines:
        with socket.create_connection(("127.0.0.1", ground.server.settings.port), timeout=60) as wire:
            first = f"GET /v1/export?scope={quote(THEIRS)} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
            wire.sendall(f"{first}{head}\r\n0\r\n\r\n".encode())
            said = wire.makefile("rb").read()
        assert said.split(b" ")[1] in (b"400", b"401", b"403"), said[:200]
        assert CANARY.encode() not in said
