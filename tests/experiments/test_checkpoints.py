"""A checkpoint goes on with its own training, refuses every other one, and notices damage."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from course_utils.experiments import checkpoints
from course_utils.experiments.datasets import Data, Split, digits
from course_utils.experiments.models import mlp
from course_utils.experiments.training import train
from course_utils.schedules import custom, join, with_warmup

DATA = digits()
STOP = {"max_seconds": 1e-9}  # after one update


def net(seed=0, activation="relu"):
    return mlp((64, 16, 10), activation, seed=seed)


def small(seed=0):
    rng = np.random.default_rng(seed)
    split = Split(rng.normal(size=(60, 5)).astype(np.float32), rng.integers(0, 3, 60))
    return Data(split, None, split, "mine", 3)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.pt"


def sgd(**settings):
    return lambda params: torch.optim.SGD(params, lr=0.0, **settings)


def frozen(model, where):
    model[where].eval() if where == 2 else model[where].requires_grad_(False)
    return model


def normed():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Linear(8, 10))


class Another(torch.optim.SGD):
    """A rule with the same settings."""


OTHERS = {  # what differs: the training that wrote the file, the one that reads it
    "architecture": ({}, {"model": net(activation="tanh")}, "model"),
    "dropout": (
        {"model": nn.Sequential(net()[:2], nn.Dropout(0.1), net()[2:])},
        {"model": nn.Sequential(net()[:2], nn.Dropout(0.2), net()[2:])},
        "model",
    ),
    "number format": ({}, {"model": net().double()}, "model"),
    "frozen layer": ({}, {"model": frozen(net(), 0)}, "model"),
    "frozen norm": ({"model": normed()}, {"model": frozen(normed(), 2)}, "model"),
    "rule": ({"optimizer": sgd()}, {"optimizer": partial(torch.optim.Adam, lr=0.0)}, "optimizer"),
    "subclass": ({"optimizer": sgd()}, {"optimizer": partial(Another, lr=0.0)}, "optimizer"),
    "momentum of a lambda": (
        {"optimizer": sgd(momentum=0.9)}, {"optimizer": sgd(momentum=0.8)}, "optimizer",
    ),
    "decay of a partial": (
        {"optimizer": partial(torch.optim.AdamW, lr=0.0, weight_decay=0.1)},
        {"optimizer": partial(torch.optim.AdamW, lr=0.0, weight_decay=0.2)},
        "optimizer",
    ),
    "fused kernels": ({"optimizer": "adam"}, {"optimizer": "adam", "fused": True}, "optimizer"),
    "data of the same name": ({"data": small(0)}, {"data": small(1)}, "data"),
    "rates of a function": (
        {"schedule": custom(lambda t: 0.1)}, {"schedule": custom(lambda t: 0.2)}, "schedule",
    ),
    "seed": ({"seed": 0}, {"seed": 1}, "seed"),
    "precision": ({}, {"precision": "bfloat16"}, "precision"),
    "batch size": ({"batch_size": 20}, {"batch_size": 10}, "batch_size"),
    "accumulation": ({"batch_size": 20}, {"batch_size": 20, "accumulate": 2}, "accumulate"),
    "clipping": ({}, {"clip": 1.0}, "clip"),
    "factors": ({}, {"factors": (0.5,)}, "factors"),
    "loss": ({}, {"loss": "mse"}, "loss"),
    "penalty": ({}, {"l2": 0.1}, "l2"),
    "length": ({"steps": 3}, {"steps": 4}, "observe_at, schedule, steps"),
}  # fmt: skip


@pytest.mark.parametrize("case", OTHERS)
@pytest.mark.parametrize("finished", [False, True])
def test_another_training_is_refused_and_its_model_not_touched(path, case, finished):
    def run(model=None, data=None, **settings):
        if data is not None and model is None:
            model = mlp((5, 3), seed=0)
        model = net() if model is None else model
        settings = {"steps": 3, "batch_size": 20} | settings
        return train(model, data or DATA, checkpoint=path, **settings)

    wrote, reads, named = OTHERS[case]
    run(**wrote, **({} if finished else STOP))
    model = reads.get("model", net())
    before = [p.clone() for p in model.parameters()]
    with pytest.raises(ValueError, match=rf"run\.pt' belongs to another training \({named}") as e:
        run(**reads)
    assert "differ); delete it or use another file" in str(e.value)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters()))


def halving(t):
    return 0.1 * 0.5 ** (t // 3)


GO_ON = {
    "a custom schedule": lambda: {"schedule": custom(lambda t: halving(t))},
    "a warm-up before one": lambda: {"schedule": with_warmup(custom(lambda t: halving(t)), 3)},
    "one that is joined": lambda: {"schedule": join([0.1, custom(lambda t: halving(t))], [4])},
    "a lambda": lambda: {"optimizer": sgd(momentum=0.9)},
    "a NumPy number": lambda: {
        "optimizer": partial(torch.optim.AdamW, lr=0.0, weight_decay=np.logspace(-3, -1, 3)[0])
    },
    "NumPy betas": lambda: {
        "optimizer": partial(torch.optim.Adam, lr=0.0, betas=tuple(np.array([0.8, 0.9])))
    },
    "a tensor rate": lambda: {"optimizer": partial(torch.optim.Adam, lr=torch.tensor(0.1))},
    "clip, accumulate": lambda: {"clip": np.float64(0.1), "accumulate": 2, "batch_size": 20},
    "a shape of observers": lambda: {"observers": {"a": lambda m: [1, 2]}, "observe_every": 2},
}  # fmt: skip


@pytest.mark.parametrize("case", GO_ON)
def test_the_same_cell_run_again_goes_on(path, case):
    """Its functions are new ones then, at other addresses."""
    settings = {"steps": 6, "batch_size": 50, "schedule": 0.05}
    first = train(net(), DATA, checkpoint=path, **STOP, **settings | GO_ON[case]())
    assert first.meta["interrupted"] and first.steps == 1
    again = train(net(), DATA, checkpoint=path, **settings | GO_ON[case]())
    reference = train(net(), DATA, **settings | GO_ON[case]())
    np.testing.assert_array_equal(again.loss, reference.loss)
    np.testing.assert_array_equal(again.lr, reference.lr)


class Extra(nn.Linear):
    """A module that keeps a NumPy number besides its tensors."""

    seen = np.float64(0.0)

    def forward(self, x):
        self.seen = self.seen + self.training
        return super().forward(x)

    def get_extra_state(self):
        return {"seen": self.seen}

    def set_extra_state(self, state):
        self.seen = state["seen"]


def test_other_state_of_modules_is_kept(path):
    def model():
        torch.manual_seed(0)
        return Extra(64, 10)

    train(model(), DATA, steps=3, checkpoint=path, **STOP)
    resumed = model()
    train(resumed, DATA, steps=3, checkpoint=path)
    assert resumed.seen == 3


def test_other_weights_are_refused_when_finished_and_go_on_with_a_warning_when_not(path):
    reference = train(net(0), DATA, steps=4)
    train(net(0), DATA, steps=4, checkpoint=path, **STOP)
    other = net(1)  # as in a script that sets no seed
    with pytest.warns(UserWarning, match=r"run\.pt' began with other initial weights"):
        run = train(other, DATA, steps=4, checkpoint=path)
    np.testing.assert_array_equal(run.loss, reference.loss)
    with pytest.raises(ValueError, match="finished training that began with other initial weights"):
        train(net(1), DATA, steps=4, checkpoint=path)
    again = train(other, DATA, steps=4, checkpoint=path)  # the model that came out of it
    np.testing.assert_array_equal(again.loss, reference.loss)


# --- damage --------------------------------------------------------------------------------------


def written(path):
    train(net(), DATA, steps=4, optimizer="momentum", checkpoint=path, **STOP)
    return torch.load(path, weights_only=True)


def refuses(path, message=""):
    with pytest.raises(ValueError, match=rf"checkpoint '.*run\.pt' {message}"):
        train(net(), DATA, steps=4, optimizer="momentum", checkpoint=path)


def test_a_missing_key_or_a_wrong_type_is_damage(path):
    content = written(path)
    for key in content:
        torch.save({k: v for k, v in content.items() if k != key}, path)
        refuses(path)
        for wrong in (None, -1, 10**6, "x", [], {}, torch.zeros(2)):
            if checkpoints.digest(wrong) == checkpoints.digest(content[key]):
                continue  # nothing is observed, and there is no GPU
            torch.save(content | {key: wrong}, path)
            refuses(path)
    for other in (None, [1, 2], {}, torch.zeros(3), {"format": 2}):
        torch.save(other, path)
        refuses(path)


def test_what_lies_deeper_is_checked_too(path):
    content = written(path)
    content["optimizer"]["state"].pop(0)
    torch.save(content, path)
    refuses(path, "is damaged; delete it to start anew")


@pytest.mark.parametrize("junk", [b"", b"PK", b"<html>404</html>", b"\0" * 5000])
def test_what_is_no_checkpoint_cannot_be_read(path, junk):
    path.write_bytes(junk)
    refuses(path, "cannot be read; delete it to start anew")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_half_a_file_cannot_be_read(path, share):
    written(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    refuses(path, "cannot be read; delete it to start anew")


class Evil:
    def __reduce__(self):
        return os.mkdir, ("executed",)


def test_nothing_in_a_file_is_executed(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    torch.save({"format": 2, "model": Evil()}, path)
    refuses(path, "cannot be read")
    assert not Path("executed").exists()


def test_a_flipped_bit_is_found_or_changes_nothing(path):
    written(path)
    known = {"known": 1}
    state = torch.load(path, weights_only=True)
    del state["checksum"]
    checkpoints.save(path, known, "", state)
    right, intact = path.read_bytes(), checkpoints.digest(checkpoints.resume(path, known, "", 4))
    rng, found = np.random.default_rng(0), 0
    for _ in range(300):
        at, bit = rng.integers(len(right)), rng.integers(8)
        path.write_bytes(right[:at] + bytes([right[at] ^ (1 << bit)]) + right[at + 1 :])
        try:
            assert checkpoints.digest(checkpoints.resume(path, known, "", 4)) == intact
        except ValueError as error:
            assert "run.pt" in str(error)
            found += 1
    assert found > 200  # what is between the members of the archive does not matter


def test_the_format_of_an_earlier_version_is_refused(path):
    content = written(path)
    del content["format"]
    torch.save({"meta": content.pop("identity")} | content, path)
    refuses(path, "was written by another version of the course; delete it to start anew")


# --- stopped and killed --------------------------------------------------------------------------


def test_stop_at_any_update_loses_nothing(path):
    """B32: at update 150 of a training that saves every 100."""

    def stop(model):
        stop.calls += 1
        if stop.calls == 151:
            raise KeyboardInterrupt
        return 0.0

    stop.calls = 0
    settings = {"steps": 160, "observe_every": 1, "checkpoint_every": 100, "checkpoint": path}
    part = train(net(), DATA, observers={"stop": stop}, **settings)
    assert part.steps == torch.load(path, weights_only=True)["done"] == 150
    run = train(net(), DATA, observers={"stop": lambda model: 0.0}, **settings)
    np.testing.assert_array_equal(run.loss, train(net(), DATA, steps=160).loss)


class Signals(nn.Sequential):
    """Presses stop in the middle of a forward pass, once."""

    at, calls, number = 7, 0, 1

    def forward(self, x):
        self.calls += self.training
        for _ in range(self.number if self.training and self.calls == self.at else 0):
            signal.raise_signal(signal.SIGINT)
        return super().forward(x)


def signals(number=1):
    torch.manual_seed(0)
    layers = nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 10)
    model = Signals(*layers)
    model.number = number
    return model


def test_stop_within_an_update_completes_it(path):
    """Otherwise batch normalization and dropout would have seen one batch twice."""
    handler = signal.getsignal(signal.SIGINT)
    part = train(signals(), DATA, steps=12, checkpoint=path)
    assert part.meta["interrupted"] and part.steps == 7
    assert signal.getsignal(signal.SIGINT) is handler
    model, reference = signals(0), signals(0)
    run = train(model, DATA, steps=12, checkpoint=path)
    np.testing.assert_array_equal(run.loss, train(reference, DATA, steps=12).loss)
    for ours, theirs in zip(model.state_dict().values(), reference.state_dict().values()):
        assert torch.equal(ours, theirs)


def test_stop_pressed_twice_does_not_wait_and_saves_no_half_update(path):
    part = train(signals(2), DATA, steps=12, checkpoint=path, checkpoint_every=5)
    assert part.meta["interrupted"] and part.steps == 6
    assert torch.load(path, weights_only=True)["done"] == 5


def test_a_thread_can_train(path):
    runs = []
    thread = threading.Thread(target=lambda: runs.append(train(net(), DATA, steps=2)))
    thread.start()
    thread.join()
    assert runs[0].steps == 2


KILLED = """
    import os, sys, torch
    sys.path[:0] = {paths!r}
    from test_checkpoints import DATA, net, train
    save = torch.save

    def die(content, stream):
        save(content, stream)
        if content["done"] == 2:
            os._exit(9)

    torch.save = die
    train(net(), DATA, steps=4, checkpoint={path!r}, checkpoint_every=1)
"""


def test_what_a_killed_save_left_is_removed(path):
    here = Path(__file__).parent
    code = textwrap.dedent(KILLED).format(paths=[str(here), str(here.parents[1])], path=str(path))
    died = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert died.returncode == 9, died.stderr
    assert len([*path.parent.iterdir()]) == 2
    run = train(net(), DATA, steps=4, checkpoint=path, checkpoint_every=1)
    np.testing.assert_array_equal(run.loss, train(net(), DATA, steps=4).loss)
    assert [*path.parent.iterdir()] == [path]


def test_what_cannot_be_kept_is_refused_before_any_work(path):
    class Odd(torch.optim.SGD):
        def __init__(self, params):
            super().__init__(params, lr=0.0)
            self.param_groups[0]["rule"] = lambda t: t

    with pytest.raises(TypeError, match="checkpoint cannot hold <function"):
        train(net(), DATA, steps=2, optimizer=Odd, checkpoint=path)
    assert not path.exists()


def test_the_checksum_sees_type_shape_and_value_but_not_layout():
    x = torch.arange(24.0).reshape(1, 2, 3, 4)
    same = x.contiguous(memory_format=torch.channels_last)
    assert checkpoints.digest(x) == checkpoints.digest(same)
    others = [x.double(), x.reshape(2, 12), -x, x.numpy(), [x], {"x": x}, x.bfloat16(), None]
    assert len({checkpoints.digest(value) for value in [x, *others]}) == 9
    assert checkpoints.digest([[1], [2]]) != checkpoints.digest([[1, 2], []])


def test_a_resumed_training_on_fewer_examples_or_another_normalization_is_refused(path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 1, 4, 4)).astype(np.uint8)
    split = Split(pixels, np.arange(40) % 4, mean=(0.5,), std=(0.5,))
    data = Data(split, None, split, "pixels", 4)

    def run(data, **more):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(16, 4))
        return train(model, data, steps=3, batch_size=8, checkpoint=path, **more)

    run(data, **STOP)
    for other in (replace(split, std=(0.4,)), split.take(slice(39))):
        with pytest.raises(ValueError, match=r"another training \(data differ\)"):
            run(replace(data, train=other))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(data)


class Through(nn.Module):
    """A function as a layer, whose text has its address."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)

    def extra_repr(self):
        return repr(self.function)


def test_a_network_with_a_function_in_its_text_goes_on(path):
    made = [nn.Sequential(net(), Through(lambda x: 2 * x)) for _ in range(2)]
    assert repr(made[0]) != repr(made[1])
    train(made[0], DATA, steps=3, checkpoint=path, **STOP)
    assert train(made[1], DATA, steps=3, checkpoint=path).steps == 3
