"""Solutions of the TopoCurate lesson's exercises, and wrong answers with the hint that each should get."""
from __future__ import annotations


def variance(graph):
    return graph.pass_rate * (1 - graph.pass_rate)


SOLUTIONS = {1: lambda p, win, lose, N: (N - 1) / N * p * (1 - p) * (win - lose), 2: "below", 3: variance}
SLOW = (2, 3)  # their checkers fine-tune six models, and measure the gradients of sixty tasks

# exercise -> (answer, part of the hint)
WRONG = {
    1: [
        (lambda p, win, lose, N: (N - 1) / N * p * (1 - p) * (lose - win), "The sign"),
        (lambda p, win, lose, N: p * (1 - p) * (win - lose), "own R_i"),
        (lambda p, win, lose, N: (N - 1) / N * (win - lose), "what vanishes"),
        (lambda p, win, lose, N: (N - 1) / N * p * (1 - p) * win, "Failures push too"),
        (lambda p, win, lose, N: p * win, "own R_i"),  # E[s] = 0 makes it the same
        (lambda p, win, lose, N: (N - 1) / N * p * win / 2, "standard errors"),
        (lambda p, win, lose, N: 1.0, "gradient"),
    ],
    2: [
        ("above", "What do its selected trials"),
        ("same", "not the same calls"),
        ("yes", "'below' or 'above'"),
        (-1.0, "with a word"),
    ],
    3: [
        (lambda graph: 1.0, "selects nothing"),
        (lambda graph: graph.pass_rate, "without a failure"),
        (lambda graph: -len(graph.turns) % 7, "How often is that"),
        (lambda graph: "high", "must be a number"),
    ],
}
