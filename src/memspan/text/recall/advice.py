"""Questions for advice: what they all share says nothing of what is wanted, and is taken out of their vector.

"What are some good hotels in Rome?" lies near every other question of its kind, and so do the likings that are worded
like one. The first principal direction of sixty questions about sixty things is that kind; without it the rest of the
vector is the thing itself. Measured on PrefEval, dense arm alone: hit@10 .303 with it, .363 without.

Where likings crowd a memory, the question then takes a step towards the five nearest: they are mostly of the right
kind ("a hotel with a pool"), and others of that kind lie near them. One step brings 1.5 points, a second takes them
back, ten instead of five give half.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from memspan.core.protocols import Embedder
from memspan.text.index.flat import Flat

Floats = NDArray[np.float32]

QUESTIONS: Sequence[str] = (
    "Can you recommend a good laptop for a student?",
    "What are some easy dinners for a busy week?",
    "How should I plan a weekend in the mountains?",
    "Could you suggest a few novels for a long flight?",
    "Any tips for sleeping better?",
    "What would be a nice present for my father?",
    "I'm looking for a gym near my office. What should I pay attention to?",
    "Which films would you recommend for a rainy evening?",
    "Help me choose a phone.",
    "What are the best ways to learn a language?",
    "How can I make my living room look bigger?",
    "Should I buy or lease a car?",
    "What is a good way to save money every month?",
    "Can you help me plan a birthday party?",
    "Do you have ideas for a healthy breakfast?",
    "What kind of dog would suit a small flat?",
    "How do I prepare for a job interview?",
    "What are some popular places to see in Rome?",
    "Suggest a playlist for running.",
    "Which hotel should I book for my honeymoon?",
    "How can I improve my writing?",
    "I want to start a hobby. What do you suggest?",
    "What should I wear to a summer wedding?",
    "Where can I find good street food in Bangkok?",
    "What are some fun games for a group of friends?",
    "How should I invest a small inheritance?",
    "Can you give me advice on talking to my boss about a raise?",
    "What plants are easy to keep indoors?",
    "I need a new pair of shoes. Any recommendations?",
    "What is the best way to get from the airport to the centre?",
    "Could you recommend some podcasts about science?",
    "How might I get my children to read more?",
    "What are good exercises for a sore back?",
    "I'm thinking about changing careers. Where do I begin?",
    "Which courses are worth taking to learn programming?",
    "What can I do to lower my electricity bill?",
    "Please recommend a restaurant for our anniversary.",
    "What would you suggest for decorating a balcony?",
    "How do I keep a conversation going at a party?",
    "Are there any museums I should visit in Berlin?",
    "What skin care products should I try?",
    "I'm planning a road trip. Which route would be best?",
    "How can I stay motivated when I study?",
    "What are some interesting documentaries to watch?",
    "Can you suggest software for editing photos?",
    "What are some effective methods for managing stress at work?",
    "Which instrument should I learn as an adult?",
    "Where should we go on a family holiday in July?",
    "What's a good dessert for a large group?",
    "How would you organise a small team that works remotely?",
    "Could you help me find a bicycle for commuting?",
    "What toys are good for a five-year-old?",
    "What should I know before I adopt a cat?",
    "How can I meet new people in a new city?",
    "Any suggestions for a quick lunch at the office?",
    "What style of kitchen would go with an old house?",
    "Which newspapers or sites should I follow to stay informed?",
    "What are the most promising technologies to look into?",
    "How should I train for my first race?",
    "Can you recommend a show we could watch as a family?",
)
"""Sixty questions for advice on sixty things, written for this; none is of a data set."""


def kind(embedder: Embedder) -> Floats:
    """The direction that questions for advice share, (dim,), length 1; zeros where the embedder knows no word of them.

    >>> from memspan.text.embed.static import Static
    >>> one, two = Static().embed(["Can you recommend a hotel?", "Can you recommend a dentist?"])
    >>> shared = kind(Static())
    >>> round(float(one @ two), 2), round(float(without(one, shared) @ without(two, shared)), 2)
    (0.55, 0.36)
    """
    rows = embedder.embed(QUESTIONS)
    if not rows.any():
        return np.zeros(embedder.dim, np.float32)
    directions: NDArray[np.float64] = np.linalg.eigh((rows.T @ rows).astype(np.float64)).eigenvectors
    return directions[:, -1].astype(np.float32)


def without(vector: Floats, direction: Floats) -> Floats:
    """The vector less its part along a direction of length 1. (dim,)"""
    less: Floats = vector - (vector @ direction) * direction
    return less


def towards(flat: Flat, query: Floats, cosines: Floats, most: int, step: float) -> Floats:
    """The prepared question moved towards the rows nearest to it, (dim,), length 1.

    cosines: of all units to the question, [0] is nobody;  most: how many rows;  step: how far, 0 = not at all
    """
    best = 1 + np.argsort(-cosines[1:], kind="stable")[:most]
    pull = np.maximum(cosines[best], 0) @ flat.rows(best)
    length = float(np.linalg.norm(pull))
    if length < 1e-9:
        return query
    moved = query + np.float32(step / length) * pull
    nearer: Floats = (moved / np.linalg.norm(moved)).astype(np.float32)
    return nearer
