"""The small transformer against PyTorch's own layer, and its recorded runs."""

import numpy as np
import pytest
import torch
from torch import nn

from course_utils.experiments.table import load
from course_utils.lessons.lesson05 import transformer as small


@pytest.mark.parametrize("pre", [False, True])
def test_a_layer_equals_that_of_pytorch(pre):
    torch.manual_seed(0)
    layer = small.Layer(32)
    theirs = nn.TransformerEncoderLayer(
        32, 4, 64, dropout=0.0, batch_first=True, norm_first=pre
    )  # ReLU by default
    theirs.self_attn.load_state_dict(layer.attention.state_dict())
    theirs.linear1.load_state_dict(layer.feed[0].state_dict())
    theirs.linear2.load_state_dict(layer.feed[2].state_dict())
    for mine, other in ((layer.norm1, theirs.norm1), (layer.norm2, theirs.norm2)):
        nn.init.normal_(mine.weight)
        other.load_state_dict(mine.state_dict())
    x = torch.randn(3, 8, 32)
    block = small.pre_norm if pre else small.post_norm
    torch.testing.assert_close(block(x, layer), theirs(x), rtol=1e-5, atol=1e-5)


def test_the_seed_gives_the_weights_and_leaves_the_generator_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    a, b, c = (small.Transformer(small.post_norm, layers=1, seed=s) for s in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    weights = [nn.utils.parameters_to_vector(m.parameters()) for m in (a, b, c)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_adams_first_update_moves_every_weight_by_the_rate():
    model = small.Transformer(small.post_norm, layers=2, seed=0)
    before = nn.utils.parameters_to_vector(model.parameters()).detach().clone()
    small.fit(model, 0.01, warmup=0, steps=1)
    moved = (nn.utils.parameters_to_vector(model.parameters()).detach() - before).abs()
    gradient = torch.cat([p.grad.flatten() for p in model.parameters()]).abs()
    assert (gradient > 1e-5).float().mean() > 0.8
    torch.testing.assert_close(
        moved[gradient > 1e-5], torch.full_like(moved[gradient > 1e-5], 0.01), rtol=0.01, atol=1e-6
    )


def test_the_record_has_every_arm_rate_and_seed(tmp_path, monkeypatch):
    for name, value in (("RATES", (0.003, 0.01)), ("SEEDS", range(2)), ("STEPS", 2)):
        monkeypatch.setattr(small, name, value)
    fit = small.fit
    monkeypatch.setattr(small, "fit", lambda *a, **k: fit(*a, steps=2, **k))
    small.record(tmp_path / "a.json")
    tables = load(tmp_path / "a.json")
    assert list(tables) == list(small.ARMS)
    for table in tables.values():
        assert table.lrs.tolist() == [0.003, 0.01] and table.seeds.tolist() == [0, 1]
        assert np.isfinite(table.final("train_loss")).all()
    assert tables["pre-norm, warm-up"].meta["warmup"] == small.WARMUP
