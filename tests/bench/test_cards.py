"""Cards: one for every data set, complete, and true where it can be checked."""

import json
import re
from dataclasses import fields

import pytest
from click.testing import CliRunner

from memspan.bench import cards, datasets
from memspan.core.errors import UnknownMethod
from memspan.doors.cli.bench import bench

SETS = {one.name: one for sets in datasets.known().values() for one in sets}
MAY_BE_EMPTY = {"traps", "similar", "sha256"}


def test_every_data_set_has_a_card_and_no_card_is_orphaned():
    """A card without a data set says so: its protocol is none."""
    without = {name for name in cards.names() if cards.card(name).protocol == cards.NO_SET}
    assert set(cards.names()) - without == set(SETS)


@pytest.mark.parametrize("name", cards.names())
def test_a_card_is_complete(name):
    """Every field says something, in the type it is declared with."""
    card = cards.card(name)
    for field in fields(card):
        value = getattr(card, field.name)
        assert value or field.name in MAY_BE_EMPTY, field.name
        parts = value if isinstance(value, tuple) else value.items() if isinstance(value, dict) else [value]
        assert all(str(part).strip() for part in parts), field.name
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in card.sha256.values())
    assert all(re.fullmatch("[a-z]{2,3}", language) for language in card.languages)
    assert set(card.similar) <= set(SETS) - {name}


@pytest.mark.parametrize("name", SETS)
def test_a_card_agrees_with_its_data_set(name):
    """Headline, protocol, and whose it is: what we made has no files and says that it is no published score."""
    card, chosen = cards.card(name), SETS[name]
    assert card.metrics[0] == chosen.metric
    assert card.protocol == chosen.protocol
    assert chosen.made == ("-syn" in name)
    if chosen.made:
        assert card.sha256 == {}
        assert any("never" in one for one in card.limitations)
    if chosen.made or card.sha256:
        assert re.match(r"\d+ cases, \d+ units, \d+ questions, \d+ scored(;|$)", card.size)


def test_a_file_of_another_version_is_told(tmp_path, monkeypatch):
    """Known by its content, whatever it is called."""
    path = tmp_path / "renamed.json"
    path.write_bytes(b"abc")
    assert not cards.known("locomo", path)
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    monkeypatch.setattr(cards, "known_hashes", lambda name: {"locomo10.json": digest})
    assert cards.known("locomo", path)


def test_an_unknown_card_says_what_is_meant():
    """As everywhere."""
    with pytest.raises(UnknownMethod, match="Did you mean 'locomo'"):
        cards.card("lokomo")


def test_the_command_shows_one_card_or_lists_all():
    """Markdown or JSON."""
    runner = CliRunner()
    listed = runner.invoke(bench, ["cards"])
    assert all(name in listed.output for name in cards.names())
    shown = runner.invoke(bench, ["cards", "locomo"])
    assert shown.output.rstrip("\n") == cards.page(cards.card("locomo")).rstrip("\n")
    assert "observation" in shown.output
    as_json = json.loads(runner.invoke(bench, ["cards", "locomo", "--json"]).output)
    assert as_json["sha256"] == cards.known_hashes("locomo")
    assert {one["name"] for one in json.loads(runner.invoke(bench, ["cards", "--json"]).output)} == set(cards.names())
