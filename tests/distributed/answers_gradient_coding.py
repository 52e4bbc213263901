"""Solutions of the gradient coding lesson's exercises, and wrong answers with the hint that each should get."""
from __future__ import annotations

PAIRS = [(1, 2), (1, 3), (1, 4), (2, 3)]
LEAST = 28 * 4 / (256 * (1 + 3 * 28))


def pattern(*lost: tuple[int, int], rounds: int = 6) -> list[list[bool]]:
    """A pattern of three workers with the named (round, worker) lost."""
    return [[(r, i) in lost for i in range(3)] for r in range(rounds)]


# exercise -> answer
SOLUTIONS = {
    1: (PAIRS, LEAST),
    2: (pattern((1, 0), (2, 0)), (2, 0)),
    3: 5.5,
}

# exercise -> (answer, part of the hint)
WRONG = {
    1: [
        (([(1, 2)], 28 * 2 / (256 * 29)), "designs with T ≤ 3 are missing"),
        (([*PAIRS, (2, 4)], LEAST), "takes longer than 3 rounds"),
        (([*PAIRS, (2, 2)], LEAST), "1 ≤ B < W"),
        ((PAIRS, 28 / 256), "That is GC's load"),
        ((PAIRS, 27 * 4 / (256 * (1 + 3 * 27))), "λ + 1 parts"),
        ((PAIRS, 4 / (256 * 3)), "λ = n"),
        ((PAIRS, 28 * 2 / (256 * 29)), "One of these designs carries less"),
        ((PAIRS, LEAST / 256), "No design carries so little"),
        ((PAIRS, "small"), "must be a number"),
        (LEAST, "Return two things"),
    ],
    2: [
        ((pattern(), (2, 0)), "keeps the model"),
        ((pattern((1, 0), (3, 0)), (3, 0)), "keeps the model"),
        ((pattern((1, 0), (2, 0), (4, 1), (5, 1)), (2, 0)), "still breaks the model"),
        ((pattern((1, 0), (2, 0)), (3, 0)), "already clear"),
        ((pattern((1, 0), (1, 1), (2, 0), (2, 1)), (2, 0)), "still breaks the model"),
        ((pattern((1, 0), (2, 0)), (9, 0)), "inside the pattern"),
        (([[0, 2, 0], [1, 0, 0]], (1, 0)), "only True"),
        (([[True, False], [True, False]], (1, 0)), "(rounds, 3)"),
    ],
    3: [
        (2.2, "where the scenario starts"),
        (3.5, "take a larger α"),
        (8.0, "take a smaller α"),
        (-1.0, "between 0 and 50"),
        ("five", "must be a number"),
    ],
}
