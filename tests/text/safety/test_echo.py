"""Echoes: what an assistant says back is heard, what a user says never is."""

import time
from collections import namedtuple

import pytest

from memspan import Turn
from memspan.text.safety.echo import NO_ECHO, Echoes

Said = namedtuple("Said", "id text trust")
MOVED = Said("a", "I moved to Lisbon in May, and my sister Ana lives next door.", 1.0)
GATE = Said("b", "The code of the gate is blue heron.", 0.5)


@pytest.fixture
def echoes():
    heard = Echoes()
    heard.recalled([MOVED, GATE])
    return heard


def said(text, role="assistant"):
    return Turn(text, role=role)


def test_the_same_sentence_is_an_echo_in_other_persons(echoes):
    """I and you, my and your, a quoting phrase, a citation: all the same."""
    echo = echoes.of(said("According to memory, you moved to Lisbon in May [1], and your sister Ana lives next door."))
    assert echo.ids == ("a",) and echo.mostly


def test_a_clause_is_heard_in_a_new_sentence(echoes):
    """Used, but not mostly an echo where more is new than old."""
    echo = echoes.of(said("Sure, you moved to Lisbon in May, so by now the trams and hills must feel quite familiar."))
    assert echo.ids == ("a",) and not echo.mostly


def test_an_echo_is_trusted_like_the_least_it_repeats(echoes):
    """An assistant does not vouch for a tool by repeating it."""
    assert echoes.of(said("You moved to Lisbon in May. The code of the gate is blue heron.")).trust == 0.5
    assert echoes.of(said("You moved to Lisbon in May.")).trust == 1.0


def test_a_user_is_never_an_echo(echoes):
    """A restatement of the user's is evidence."""
    assert echoes.of(said(MOVED.text, role="user")) is NO_ECHO
    assert echoes.of(said(MOVED.text, role="tool")).ids == ("a",)


@pytest.mark.parametrize(
    "text", ["You have not moved to Lisbon in May.", "You moved to Porto in May.", "Yes.", "Blue heron."]
)
def test_another_statement_is_none(echoes, text):
    """A denial, another place, too few words."""
    assert echoes.of(said(text)) is NO_ECHO


def test_only_so_many_sentences_are_kept():
    """The oldest go first."""
    echoes = Echoes(most=100)
    echoes.recalled(Said(f"t{n}", f"Locker number {n} holds apples and pears.", 1.0) for n in range(1_000))
    assert len(echoes) == 100
    assert echoes.of(said("Locker number 1 holds apples and pears.")) is NO_ECHO
    assert echoes.of(said("Locker number 999 holds apples and pears.")).ids == ("t999",)


def test_what_is_forgotten_is_not_kept_here_either(echoes):
    """Nothing of it is heard any more."""
    echoes.forget(["a"])
    assert echoes.of(said(MOVED.text)) is NO_ECHO
    assert echoes.of(said(GATE.text)).ids == ("b",)


def test_a_long_text_takes_little_time(echoes):
    """Only its beginning is read."""
    began = time.process_time()
    echoes.of(said(", a b c" * 140_000))
    assert time.process_time() - began < 1.0
