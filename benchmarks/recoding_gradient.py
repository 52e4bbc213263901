"""Recoding: the gradient of a step by its closed form against autograd, and many step sizes at once.

One layer, a batch of sentences, all words; the corrected states must agree (1e-5, float32). The second table reads 8
step sizes stacked along the batch against 8 runs one after another. The fused ``nn.LSTM`` without recoding shows what
the loop over words costs at all.
"""
from __future__ import annotations

import torch
from gradscape.credit.recoding.model import LSTMLanguageModel
from gradscape.credit.recoding.recoder import Recoder, StepSize
from side_by_side import agree, report, seconds, size

WORDS, LENGTH, ALPHAS = 40, 12, (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)


def main() -> None:
    torch.set_num_threads(1)
    count = size(600, 20)
    g = torch.Generator().manual_seed(0)
    x, y = torch.randint(WORDS, (2, count, LENGTH), generator=g)
    model = LSTMLanguageModel(WORDS, dropout=0.0).eval()

    def read(gradient: str, alpha: float | torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        recoder = Recoder(model, step=StepSize(value=alpha), gradient=gradient).eval()
        state, draw = model.start(len(x)), torch.Generator().manual_seed(0)
        with torch.no_grad():
            for t in range(LENGTH):
                state = recoder.advance(x[:, t], y[:, t], state, True, draw)[1]
        return state[0][0]

    def closed() -> torch.Tensor:
        return read("closed", 0.5, x, y)

    def autograd() -> torch.Tensor:
        return read("autograd", 0.5, x, y)

    def fused() -> torch.Tensor:
        with torch.no_grad():
            return model(x)

    agree("largest difference of states", float((closed() - autograd()).abs().max()), 1e-5)
    report(f"{count} sentences of {LENGTH} words", seconds(
        {"closed form": closed, "autograd": autograd, "fused LSTM, no recoding": fused}),
        others=("fused LSTM, no recoding",))

    wide, after = (v[: size(100, 5)].repeat(len(ALPHAS), 1) for v in (x, y))
    rows = len(wide) // len(ALPHAS)
    alphas = torch.tensor(ALPHAS).repeat_interleave(rows)

    def stack() -> torch.Tensor:
        return read("closed", alphas, wide, after)

    def each() -> torch.Tensor:
        return torch.cat([read("closed", alpha, wide[:rows], after[:rows]) for alpha in ALPHAS])

    agree("largest difference of states over step sizes", float((stack() - each()).abs().max()), 1e-5)
    report(f"{len(ALPHAS)} step sizes, {rows} sentences", seconds({"one batch": stack, "one after another": each}))


if __name__ == "__main__":
    main()
