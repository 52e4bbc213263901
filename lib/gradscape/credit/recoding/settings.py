"""Settings and sizes of the lesson *recoding*."""
from __future__ import annotations

from dataclasses import dataclass

from gradscape import lesson
from gradscape.credit.recoding.grammar import PATTERNS
from gradscape.credit.recoding.signals import DETERMINISTIC
from gradscape.lesson import choice, integer, real

PLACES = ("every word", "before the verb", "one word")
SHOWN = 200  # sentences of each kind that a reader can pick from


@dataclass(frozen=True)
class Sizes:
    """How much is trained and read."""

    seeds: int = 1  # models of the grammar: weights, training and test sentences all anew
    train: int = 4000  # training sentences of the grammar
    epochs: int = 12  # passes over them
    test: int = 600  # test sentences of the grammar
    pairs: int = 200  # pairs of garden path and control
    prose_train: int = 800  # training pieces of the English text, up to 40 tokens each
    prose_words: int = 1000  # its vocabulary
    prose_epochs: int = 5  # passes over them
    prose_validation: int = 150  # pieces to choose learning rates and step sizes on
    prose_test: int = 315  # pieces to test on: all there are
    prose_seeds: int = 1  # models of the text at the learning rate chosen
    prose_supervised: bool = False  # whether a model is trained with surprisal recoding on the text, too
    ways: int = 0  # seeds of models trained with recoding on the grammar; 0: not at this scale
    ways_train: int = 3000  # their training sentences
    ways_epochs: int = 8  # passes over them


SIZES = {
    "smoke": Sizes(train=300, epochs=2, test=40, pairs=10, prose_train=60, prose_words=200, prose_epochs=1,
                   prose_validation=30, prose_test=30),
    "quick": Sizes(),
    "full": Sizes(seeds=6, prose_train=2630, prose_words=1500, prose_epochs=6, prose_validation=295,
                  prose_supervised=True, ways=3),
}


class Settings(lesson.Settings, profiles=SIZES):
    """One way of recoding and one sentence to look at."""

    signal: str = choice("surprisal", DETERMINISTIC, symbol="δ", about="what a recoding step lowers")
    alpha: float = real(0.5, 1e-3, 10.0, scale="log", symbol="α", about="step size of recoding")
    target: str = choice("gold", ("gold", "argmax"), about="word of a surprisal, the true next one or the likeliest")
    kind: str = choice("rr", tuple(PATTERNS), about="kind of sentence; rr and npz are garden paths")
    number: int = integer(0, 0, SHOWN - 1, about="which sentence of that kind")
    where: str = choice(PLACES[0], PLACES, about="after which words a step is taken")
    t0: int = integer(4, 0, 10, symbol="t₀", about="the one word after which a step is taken, from 0 on")
