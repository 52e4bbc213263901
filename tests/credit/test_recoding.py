"""Recoding: the grammar against enumeration and frequencies, signals and gradients by autograd, the step by hand."""
from __future__ import annotations

import dataclasses
import math
from collections import Counter

import numpy as np
import pytest
import torch
from gradscape.credit import recoding as rc
from gradscape.credit.recoding import grammar, signals
from gradscape.credit.recoding.model import batches, train

EXACT = 1e-10  # float64: nothing but rounding between two ways to compute the same
SAME_STEP = 1e-6  # float32: fused and unrolled LSTM add in another order
HAND = 1e-6  # six digits given by hand
VOCAB = rc.Vocabulary.of_grammar()


def draw(*shape, seed=0, scale=1.0):
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def model(layers=1, seed=0, dropout=0.2, double=True):
    made = rc.LSTMLanguageModel(VOCAB, 8, 12, layers, dropout, seed)
    return made.in_double() if double else made


def data(n=20, seed=0):
    return VOCAB.encode(rc.garden_path_corpus(n, seed))


# ---- the grammar ---------------------------------------------------------------------------------------------------


def test_every_string_has_one_derivation():
    every = [words for kind in rc.PATTERNS for words in grammar.strings(kind)]
    assert len(every) == len(set(every)) == 25_968
    assert len(VOCAB) == 41
    assert rc.optimal_perplexity() == pytest.approx(2.9593, abs=5e-5)
    masses = grammar.prefix_masses()
    assert sum(masses[words] for words in every) == pytest.approx(1, abs=EXACT)
    length = sum(masses[words] * len(words) for words in every)
    assert length == pytest.approx(7.4, abs=EXACT)


@pytest.mark.parametrize(("kind", "garden", "control"), [("rr", math.log(108), math.log(6)),
                                                         ("npz", math.log(54), math.log(6))])
def test_exact_surprisal_at_the_verb(kind, garden, control):
    gardens, controls, at, at_control = rc.stimulus_pairs(kind, 5, 3)
    for one, other in zip(gardens, controls, strict=True):
        assert one[at] == other[at_control]
        assert one[at] in rc.SLOTS["MV"]
        assert rc.exact_surprisal(one)[at] == pytest.approx(garden, abs=EXACT)
        assert rc.exact_surprisal(other)[at_control] == pytest.approx(control, abs=EXACT)
        assert Counter(one) <= Counter(other)  # the same words, and one or two more


def test_exact_surprisal_sums_to_the_sentences_probability_and_one_over_next_words():
    words = ["when", "the", "dog", "ate", ",", "the", "man", "fell", "."]
    total = rc.exact_surprisal(words).sum()
    assert total == pytest.approx(-math.log(0.06 / (8 * 6 * 8 * 6)), abs=EXACT)
    masses = grammar.prefix_masses()
    for prefix in ((), ("the",), ("the", "horse", "raced", "past", "the", "barn")):
        following = sum(m for p, m in masses.items() if len(p) == len(prefix) + 1 and p[: len(prefix)] == prefix)
        assert following == pytest.approx(masses[prefix], abs=EXACT)


def test_corpus_draws_the_kinds_as_often_as_it_should():
    drawn = rc.garden_path_corpus(4000, 5)
    assert drawn == rc.garden_path_corpus(4000, 5)
    assert drawn != rc.garden_path_corpus(4000, 6)
    share = sum("that" in words for words in drawn) / 4000
    assert share == pytest.approx(0.08, abs=4 * math.sqrt(0.08 * 0.92 / 4000))
    nll = np.mean(np.concatenate([rc.exact_surprisal(words) for words in drawn]))
    assert math.exp(nll) == pytest.approx(rc.optimal_perplexity(), rel=0.02)
    assert all("when" in words for words in rc.garden_path_corpus(50, 0, {"npz": 1, "npt": 3}))


def test_vocabulary_and_padding():
    encoded = VOCAB.encode([["the", "man", "fell", "."], ["the"]])
    assert encoded.x[0, 0] == 0
    assert encoded.x[0, 1:].tolist() == encoded.y[0, :-1].tolist()
    assert encoded.y[1].tolist()[1:] == [-1, -1, -1]
    assert encoded.lengths.tolist() == [4, 1]
    assert encoded.take(torch.tensor([1])).x.shape == (1, 1)
    counted = rc.Vocabulary.most_frequent([["b", "a", "b", "c"]], 4)
    assert counted.words == ("<s>", "<unk>", "b", "a")
    assert counted.encode([["c", "b"]]).y.tolist() == [[1, 2]]


# ---- signals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("logits", "target", "wanted"), [
    ((2.0, 0.0, -1.0, 0.5), 0, 0.275199), ((1.0, 1.0, 1.0, 1.0), 2, 0.414214), ((-3.0, 1.0, 0.0, 2.0), 0, 0.024445),
    ((-3.0, 1.0, 0.0, 2.0), 3, 0.313779),
])
def test_thesis_signal_by_hand(logits, target, wanted):
    found = rc.error_signal("surprisal_thesis", torch.tensor([logits], dtype=torch.float64), torch.tensor([target]))
    assert float(found) == pytest.approx(wanted, abs=HAND)


def test_thesis_signal_is_greatest_at_one_over_e():
    p = torch.linspace(1e-6, 1 - 1e-6, 100_001, dtype=torch.float64)
    logits = torch.stack([p.log(), (1 - p).log()], 1)
    found = rc.error_signal("surprisal_thesis", logits, torch.zeros(len(p), dtype=torch.int64))
    assert float(p[found.argmax()]) == pytest.approx(1 / math.e, abs=2e-5)
    assert float(found.max()) == pytest.approx(0.44467, abs=5e-6)
    assert float(found[0]) < 2e-5
    assert float(found[-1]) < 2e-6


def test_surprisal_and_entropy_by_hand():
    p = torch.tensor([[0.5, 0.25, 0.25]], dtype=torch.float64)
    assert float(rc.error_signal("surprisal", p.log(), torch.tensor([1]))) == pytest.approx(math.log(4), abs=EXACT)
    assert float(rc.error_signal("entropy", p.log())) == pytest.approx(1.5 * math.log(2), abs=EXACT)
    both = torch.stack([p, p.roll(1, -1)])
    mean = torch.tensor([0.375, 0.375, 0.25], dtype=torch.float64)
    wanted = float(-(mean * mean.log()).sum())
    assert float(rc.error_signal("entropy_mc", both.log())) == pytest.approx(wanted, abs=EXACT)
    logits = draw(50, 7, scale=5)
    assert bool((rc.error_signal("entropy", logits) <= math.log(7) + EXACT).all())
    assert torch.allclose(rc.error_signal("entropy_ensemble", logits.expand(4, 50, 7)),
                          rc.error_signal("entropy", logits), atol=EXACT)


@pytest.mark.parametrize("kind", rc.SIGNALS)
def test_closed_gradients_equal_autograd(kind):
    averaged = kind in signals.AVERAGED
    W, b, h = (draw(3, 9, 5), draw(3, 1, 9, seed=1), draw(6, 5, seed=2)) if averaged else (
        draw(9, 5), draw(9, seed=1), draw(6, 5, seed=2))
    target = torch.arange(6) % 9
    h.requires_grad_()
    logits = h @ W.mT + b
    [wanted] = torch.autograd.grad(rc.error_signal(kind, logits, target).sum(), h)
    found = rc.error_signal_grad(kind, logits.detach(), W, target)
    assert torch.allclose(found, wanted, atol=EXACT)
    assert float(wanted.abs().max()) > 1e-3


def test_gradients_survive_certainty():
    logits = torch.tensor([[800.0, 0.0, -800.0]], dtype=torch.float64)
    W = draw(3, 4)
    for kind in rc.DETERMINISTIC:
        for word in range(3):
            found = rc.error_signal_grad(kind, logits, W, torch.tensor([word]))
            assert bool(torch.isfinite(found).all()), (kind, word)


def test_descent_bound_and_where_it_ends():
    broken = {0.5: 0, 1.0: 0, 2.0: 0, 30.0: 0}
    for seed in range(40):
        W, h, y = draw(9, 5, seed=seed), draw(200, 5, seed=seed + 50, scale=2), torch.arange(200) % 9
        L = rc.curvature(W)
        assert abs(2 * L / float(torch.linalg.matrix_norm(W, 2)) ** 2 - 1) < 1e-8
        delta, g = rc.error_signal("surprisal", h @ W.T, y), rc.error_signal_grad("surprisal", h @ W.T, W, y)
        for times in broken:
            alpha = times / L
            after = rc.error_signal("surprisal", (h - alpha * g) @ W.T, y)
            allowed = delta - alpha * (1 - alpha * L / 2) * g.square().sum(1)
            broken[times] += int((after > allowed + EXACT).sum() if times <= 2 else (after > delta).sum())
    assert [broken[t] for t in (0.5, 1.0, 2.0)] == [0, 0, 0]
    assert broken[30.0] > 0


# ---- the model -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layers", [1, 2])
def test_steps_equal_the_fused_lstm(layers):
    net, encoded = model(layers, double=False).eval(), data()
    with torch.no_grad():
        fused, state = net(encoded.x), net.start(len(encoded))
        for t in range(encoded.x.shape[1]):
            logits, state = net.step(encoded.x[:, t], state)
            assert torch.allclose(logits, fused[:, t], atol=SAME_STEP)


def test_nll_leaves_padding_out():
    net, encoded = model(), data()
    nll = net.nll(encoded)
    assert torch.equal(nll.isnan(), ~encoded.mask)
    one = net.nll(encoded.take(torch.tensor([3])))
    assert torch.allclose(one[0], nll[3, : one.shape[1]], atol=EXACT)
    assert rc.perplexity(nll) == pytest.approx(math.exp(float(nll[encoded.mask].mean())))


def test_batches_hold_every_sentence_once():
    encoded = data(37)
    for by_length in (False, True):
        parts = batches(encoded, rc.Recipe(batch=10, by_length=by_length), torch.Generator().manual_seed(0))
        assert sorted(len(p) for p in parts) == [7, 10, 10, 10]
        assert sum(int(p.mask.sum()) for p in parts) == int(encoded.mask.sum())


def test_training_learns_and_is_deterministic():
    encoded = data(200)
    recipe = rc.Recipe(lr=0.02, epochs=3, batch=20)
    losses = [model(seed=1, double=False).fit(encoded, recipe, seed=2) for _ in range(2)]
    assert losses[0] == losses[1]
    assert losses[0][-1] < losses[0][0] - 0.3


def test_thesis_recipe_waits_for_a_plateau():
    net, encoded = model(double=False), data(100)
    recipe = dataclasses.replace(rc.THESIS, epochs=3)
    losses = train(net, encoded, recipe, validation=data(20, 1))
    assert losses[-1] < losses[0]
    with pytest.raises(ValueError, match="validation=None"):
        train(net, encoded, recipe)


# ---- the recoding step ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signal", rc.SIGNALS)
def test_alpha_zero_changes_nothing(signal):
    net, encoded = model(), data()
    ensemble = None
    if signal == "entropy_ensemble":
        ensemble = rc.AnchoredEnsembleDecoder(12, len(VOCAB), 3).double()
        with torch.no_grad():
            ensemble.weight.copy_(net.decoder.weight.expand(3, -1, -1))
            ensemble.bias.copy_(net.decoder.bias.expand(3, -1))
    trace = rc.Recoder(net, signal, rc.StepSize(value=0.0), ensemble=ensemble).run(encoded.x, encoded.y)
    assert torch.allclose(trace.nll[encoded.mask], net.nll(encoded)[encoded.mask], atol=EXACT)
    assert torch.allclose(trace.delta, trace.delta_after, atol=EXACT, equal_nan=True)


@pytest.mark.parametrize("signal", rc.SIGNALS)
@pytest.mark.parametrize("layers", [1, 2])
def test_one_step_by_hand(signal, layers):
    """An independent step: states as leaves of a graph that is cut before and after the time step."""
    net, encoded = model(layers), data(5)
    ensemble = rc.AnchoredEnsembleDecoder(12, len(VOCAB), 3).double() if signal == "entropy_ensemble" else None
    recoder = rc.Recoder(net, signal, rc.StepSize(value=0.3), ensemble=ensemble, samples=4)
    found = [recoder.run(encoded.x, encoded.y, {0}, seed=7)]
    if layers == 1:
        closed = rc.Recoder(net, signal, rc.StepSize(value=0.3), ensemble=ensemble, samples=4, gradient="autograd")
        found.append(closed.run(encoded.x, encoded.y, {0}, seed=7))
    e = net.embedding(encoded.x[:, :2])
    state = torch.zeros(layers, 5, 12, dtype=torch.float64)
    W, b = (net.decoder.weight, net.decoder.bias) if ensemble is None else (ensemble.weight, ensemble.bias[:, None])
    masks = recoder.masks(5, torch.Generator().manual_seed(7))
    hs, cs, inputs = [], [], e[:, 0].clone().requires_grad_()
    for layer in range(layers):  # layer by layer through torch's own cell
        cell = torch.nn.LSTMCell(inputs.shape[1], 12).double()
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            setattr(cell, name, torch.nn.Parameter(getattr(net.lstm, f"{name}_l{layer}").data))
        zero = state[0]
        gates = inputs @ cell.weight_ih.T + cell.bias_ih + cell.bias_hh
        i, f, g, o = gates.chunk(4, 1)
        c = torch.sigmoid(f) * zero + torch.sigmoid(i) * torch.tanh(g)
        inputs = torch.sigmoid(o) * torch.tanh(c)
        hs.append(inputs)
        cs.append(c)
    top = hs[-1] if masks is None else hs[-1] * masks
    delta = rc.error_signal(signal, top @ W.mT + b, encoded.y[:, 0])
    grads = torch.autograd.grad(delta.sum(), [*hs, *cs])
    h1, c1 = (torch.stack([s.detach() - 0.3 * g for s, g in zip(states, part, strict=True)])
              for states, part in ((hs, grads[:layers]), (cs, grads[layers:])))
    with torch.no_grad():
        out, _ = net.lstm(e[:, 1:2], (h1, c1))
        logits = out[:, 0] @ W.mT + b
        logits = logits if ensemble is None else logits.mean(0)
        again = h1[-1] @ W.mT + b
        again = again if ensemble is None else again.mean(0)
    gold = encoded.y[:, :2, None]
    for trace in found:
        assert torch.allclose(trace.delta[:, 0], delta, atol=EXACT)
        assert torch.allclose(trace.nll[:, 1], -logits.log_softmax(-1).gather(-1, gold[:, 1])[:, 0], atol=EXACT)
        after = again.log_softmax(-1).gather(-1, gold[:, 0])[:, 0]
        assert torch.allclose(trace.logp_gold_after[:, 0], after, atol=EXACT)


def test_output_rule():
    net, encoded = model(), data()
    step = rc.StepSize(value=0.5)
    honest = rc.Recoder(net, "surprisal", step).run(encoded.x, encoded.y)
    leaky = rc.Recoder(net, "surprisal", step, redecode=True, allow_leak=True).run(encoded.x, encoded.y)
    assert torch.allclose(honest.nll, -honest.logp_gold, atol=EXACT, equal_nan=True)
    assert torch.allclose(leaky.nll, -leaky.logp_gold_after, atol=EXACT, equal_nan=True)
    assert float(leaky.nll.nanmean()) < float(honest.nll.nanmean()) - 0.1
    entropy = rc.Recoder(net, "entropy", step).run(encoded.x, encoded.y)
    assert torch.allclose(entropy.nll, -entropy.logp_gold_after, atol=EXACT, equal_nan=True)


def test_argmax_needs_no_next_word_and_equals_gold_where_the_likeliest_is_right():
    net, encoded = model(), data()
    recoder = rc.Recoder(net, "surprisal", target="argmax")
    free = recoder.run(encoded.x, keep=True)
    assert bool(free.nll.isnan().all())
    guess = free.before.argmax(-1)[:, 0]
    assert torch.allclose(free.delta[:, 0], -free.before[:, 0].gather(-1, guess[:, None])[:, 0].log(), atol=EXACT)
    gold = rc.Recoder(net, "surprisal").run(encoded.x[:, :1], guess[:, None])
    assert torch.allclose(gold.delta_after, free.delta_after[:, :1], atol=EXACT)


def test_a_sentence_never_feels_its_neighbors_or_its_padding():
    net, encoded = model(), data()
    recoder = rc.Recoder(net, "surprisal", rc.StepSize(value=torch.linspace(0, 2, 20)))
    together = recoder.run(encoded.x, encoded.y)
    for row in (0, 7, 19):
        alone = rc.Recoder(net, "surprisal", rc.StepSize(value=float(torch.linspace(0, 2, 20)[row])))
        one = encoded.take(torch.tensor([row]))
        trace = alone.run(one.x, one.y)
        assert torch.allclose(trace.nll[0], together.nll[row, : one.x.shape[1]], atol=EXACT)


def test_mc_entropy_tends_to_entropy_without_dropout():
    net, encoded = model(), data()
    plain = rc.Recoder(net, "entropy").run(encoded.x, encoded.y)
    gaps = [float((rc.Recoder(net, "entropy_mc", mc_dropout=q).run(encoded.x, encoded.y).delta - plain.delta)
                  .abs().nanmean()) for q in (0.2, 0.01, 0.0)]
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < EXACT


def test_gradients_of_the_step_are_constants():
    """The loss of two words by finite differences of an embedding, with the step's own gradient held fixed."""
    net, encoded = model(), data(4)
    net.requires_grad_(True)
    recoder = rc.Recoder(net, "entropy", rc.StepSize(value=0.2))
    encoded = rc.Encoded(encoded.x[:, :2], encoded.y[:, :2])
    net.train()
    net.dropout = 0.0
    recoder.loss(encoded, 4).backward()
    taken = net.decoder.bias.grad.clone()
    held = []
    true = recoder.gradients

    def record(*given):
        held.append(true(*given))
        return held[-1]

    recoder.gradients = record
    recoder.loss(encoded, 4)

    def at(value):
        steps = iter(held)
        recoder.gradients = lambda *given: next(steps)
        with torch.no_grad():
            net.decoder.bias[3] = value
            return recoder.loss(encoded, 4).item()

    start, small = net.decoder.bias[3].item(), 1e-5
    wanted = (at(start + small) - at(start - small)) / (2 * small)
    assert float(taken[3]) == pytest.approx(wanted, abs=1e-8)
    assert abs(wanted) > 1e-3


@pytest.mark.parametrize("kind", ["fixed", "learned", "mlp"])
def test_step_sizes_start_where_asked_and_learn(kind):
    step = rc.StepSize(kind, 0.1, hidden=12, layers=2)
    state = draw(5, 12).float()
    for layer in (0, 1):
        for which in (0, 1):
            found = torch.as_tensor(step.of(state, layer, which)).detach().flatten()
            assert found.numpy() == pytest.approx(0.1, abs=0.05)
    assert sum(p.numel() for p in step.parameters()) == {
        "fixed": 0, "learned": 4, "mlp": 4 * (12 * 300 + 300 + 300 * 100 + 100 + 100 + 1)}[kind]
    net = model(2, double=False)
    recoder = rc.Recoder(net, "entropy", step)
    optimizer = torch.optim.Adam(recoder.parameters(), lr=0.01)
    before = [p.clone() for p in step.parameters()]
    recoder.train_step(data(8), optimizer, n_data=8)
    assert all(not torch.equal(p, q) for p, q in zip(step.parameters(), before, strict=True))


def test_anchors_are_kept_and_pull():
    ensemble = rc.AnchoredEnsembleDecoder(4, 6, 3, prior_scale=0.3, data_noise=0.6, seed=1)
    W, b = ensemble.weight.detach() - ensemble.weight_anchor, ensemble.bias.detach() - ensemble.bias_anchor
    wanted = 2.0 / 50 * np.mean([np.linalg.norm(W[k].numpy()) + np.linalg.norm(b[k].numpy()) for k in range(3)])
    assert ensemble.anchor_loss(50).item() == pytest.approx(wanted, rel=1e-5)
    assert set(ensemble.state_dict()) == {"weight", "bias", "weight_anchor", "bias_anchor"}
    assert float(rc.AnchoredEnsembleDecoder(50, 60, 5, seed=2).weight.detach().std()) == pytest.approx(0.2856, rel=0.05)
    before = W.norm()
    optimizer = torch.optim.SGD(ensemble.parameters(), lr=0.5)
    ensemble.anchor_loss(1).backward()
    optimizer.step()
    assert (ensemble.weight - ensemble.weight_anchor).norm().item() < before
    net = model(double=False)
    trained = rc.AnchoredEnsembleDecoder(12, len(VOCAB), 3)
    recoder = rc.Recoder(net, "entropy_ensemble", rc.StepSize(value=0.01), ensemble=trained)
    losses = net.fit(data(100), rc.Recipe(epochs=2, batch=20), recoder=recoder)
    assert losses[1] < losses[0]
    assert net.decoder.weight.grad is None  # the ensemble stands in for it


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rc.garden_path_corpus(0, 0), "n=0"),
        (lambda: rc.garden_path_corpus(1, -1), "seed=-1"),
        (lambda: rc.garden_path_corpus(1, 0, {"xx": 1.0}), "weights='xx'"),
        (lambda: rc.garden_path_corpus(1, 0, {"mv": math.nan}), r"weights\['mv'\]=nan"),
        (lambda: rc.garden_path_corpus(1, 0, {"mv": 0.0}), "at least one must be > 0"),
        (lambda: rc.exact_surprisal([]), "tokens is empty"),
        (lambda: rc.exact_surprisal(["the", "the"]), "'the' cannot follow 'the'"),
        (lambda: rc.stimulus_pairs("mv", 1, 0), "kind='mv'"),
        (lambda: VOCAB.encode([]), "sentences: 0 given"),
        (lambda: VOCAB.encode([["the"], []]), "none of them empty"),
        (lambda: VOCAB.encode([["zebra"]]), "word='zebra'"),
        (lambda: rc.Vocabulary(["a", "a"]), "1 occur twice"),
        (lambda: rc.error_signal("loss", torch.zeros(1, 2)), "kind='loss'"),
        (lambda: rc.error_signal("surprisal", torch.zeros(1, 2)), "target=None"),
        (lambda: rc.error_signal("surprisal", torch.zeros(1, 2), torch.tensor([2])), "must be in 0 ... 1"),
        (lambda: rc.error_signal("surprisal", torch.zeros(1, 2), torch.tensor([0.0])), "target: torch.float32"),
        (lambda: rc.error_signal("entropy", torch.tensor([[0.0, math.nan]])), "logits holds 1 NaN"),
        (lambda: rc.error_signal("entropy", torch.zeros(0, 2)), "logits is empty"),
        (lambda: rc.error_signal("entropy_mc", torch.zeros(1, 2)), r"must be \(K, B, V\)"),
        (lambda: rc.error_signal_grad("entropy", torch.zeros(1, 2), torch.zeros(3, 4)), r"must be \(..., 2, H\)"),
        (lambda: rc.StepSize(value=-1.0), "value=-1.0"),
        (lambda: rc.StepSize("adaptive"), "kind='adaptive'"),
        (lambda: rc.StepSize(value=torch.tensor([-1.0])), "numbers >= 0"),
        (lambda: rc.StepSize("learned", torch.tensor([1.0])), "kind 'fixed'"),
        (lambda: rc.Recoder(model(), "loss"), "signal='loss'"),
        (lambda: rc.Recoder(model(), target="next"), "target='next'"),
        (lambda: rc.Recoder(model(), redecode=True), "allow_leak=True"),
        (lambda: rc.Recoder(model(), "entropy_ensemble"), "ensemble=None"),
        (lambda: rc.Recoder(model(2), gradient="closed"), "the model has 2"),
        (lambda: rc.Recoder(model(), "entropy_mc", samples=0), "samples=0"),
        (lambda: rc.Recoder(model(), "entropy_mc", mc_dropout=1.0), "mc_dropout=1.0"),
        (lambda: rc.Recoder(model()).run(data().x), "y=None"),
        (lambda: rc.Recoder(model()).run(data().x, data().y[:, 1:]), "the same, not empty"),
        (lambda: rc.Recoder(model(), "entropy").run(torch.full((1, 2), 99)), "must be words 0 ... 40"),
        (lambda: rc.LSTMLanguageModel(0), "vocab=0"),
        (lambda: rc.LSTMLanguageModel(5, dropout=1.0), "dropout=1.0"),
        (lambda: rc.Recipe(optimizer="lion"), "optimizer='lion'"),
        (lambda: rc.Recipe(lr=math.inf), "lr=inf"),
        (lambda: rc.AnchoredEnsembleDecoder(2, 2, k=0), "k=0"),
        (lambda: rc.AnchoredEnsembleDecoder(2, 2, prior_scale=0.0), "prior_scale=0.0"),
        (lambda: rc.AnchoredEnsembleDecoder(2, 2).anchor_loss(0), "n_data=0"),
        (lambda: rc.trained_ways(rc.Settings(profile="smoke")), "belong to the profile full"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_diverging_training_says_so():
    with pytest.raises(ValueError, match="diverged"):
        model(double=False).fit(data(40), rc.Recipe("sgd", lr=1e38, clip=1e38, batch=10, epochs=3))


# ---- experiments ---------------------------------------------------------------------------------------------------

SMOKE = rc.Settings(profile="smoke")


def test_claims_are_declared_and_measured_once():
    measured = rc.measure(SMOKE)
    assert [claim.id for claim in rc.CLAIMS] == list(measured)
    scalars = rc.point(SMOKE.replace(signal="entropy", alpha=2.0, kind="npz", where="one word")).scalars
    assert all(math.isfinite(value) for value in scalars.values())


def test_a_sweep_is_the_runs_one_by_one():
    swept, one = rc.sweep(SMOKE, "entropy"), rc.language(SMOKE)
    trace = rc.Recoder(one.twin, "entropy", rc.StepSize(value=2.0)).run(one.test.x, one.test.y)
    assert float(swept.nll[0, swept.at(2.0)]) == pytest.approx(float(trace.nll.nanmean()), abs=EXACT)
    assert float(swept.entropy[0, swept.at(2.0)]) == pytest.approx(float(trace.entropy.nanmean()), abs=EXACT)
    assert float(swept.change[0, 0]) == 0


def test_the_verb_is_where_the_pairs_say():
    for kind, (control, at, at_control) in rc.PAIRS.items():
        assert (rc.verb_of(kind), rc.verb_of(control)) == (at, at_control)


def test_prose_is_cut_into_pieces_and_splits_share_no_chapter():
    data = rc.prose(rc.Settings())
    assert data.train.x.shape[1] == 40
    assert len(data.vocab) == 1000
    assert 0.03 < data.unknown < 0.15


@pytest.mark.standard
def test_every_claim_at_quick_sizes():
    from gradscape.lesson import judge

    settings = rc.Settings()
    measured = rc.measure(settings)
    words = {claim.id: judge(claim, measured[claim.id]).word for claim in rc.CLAIMS}
    assert words == {
        "R1": "reproduced", "R2": "reproduced", "R3": "holds", "R4": "reproduced", "R5": "holds", "R6": "holds",
        "R7": "holds", "R8": "not reproduced", "R9": "not tested at this scale", "R10": "reported",
    }
    one = rc.language(settings)
    exact = math.exp(float(one.exact.nanmean()))
    assert exact < rc.perplexity(one.twin.nll(one.test)) < 1.03 * exact
    gap = one.twin.nll(one.test).nanmean(0) - one.exact.nanmean(0)  # position by position
    assert float(gap[:7].abs().max()) < 0.1
