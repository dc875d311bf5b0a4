"""The update rules against `torch.optim`, the papers, closed forms, and other libraries."""

import inspect
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import optimizers
from course_utils.lessons.lesson04.differences import differences
from course_utils.optimizers import Adagrad, Adam, AdamW, GradientDescent, Optimizer, RMSprop

few = settings(max_examples=40)  # runs of many steps: enough examples, in seconds

ALL = [
    GradientDescent(),
    GradientDescent(momentum=0.9),
    GradientDescent(momentum=0.9, nesterov=True, weight_decay=0.1),
    Adagrad(),
    RMSprop(),
    Adam(),
    Adam(amsgrad=True),
    Adam(bias_correction=False),
    AdamW(),
]
IDS = [repr(optimizer) for optimizer in ALL]

# --------------------------------------------------------------------------------------------
# torch.optim
# --------------------------------------------------------------------------------------------

TWINS = [
    (GradientDescent, torch.optim.SGD, {}),
    (GradientDescent, torch.optim.SGD, {"weight_decay": 0.1}),
    (GradientDescent, torch.optim.SGD, {"momentum": 0.9}),
    (GradientDescent, torch.optim.SGD, {"momentum": 0.99, "weight_decay": 0.01}),
    (GradientDescent, torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    (GradientDescent, torch.optim.SGD, {"momentum": 0.5, "nesterov": True, "weight_decay": 0.1}),
    (Adagrad, torch.optim.Adagrad, {}),
    (Adagrad, torch.optim.Adagrad, {"eps": 1e-3}),
    (Adagrad, torch.optim.Adagrad, {"initial_accumulator": 0.1}),
    (RMSprop, torch.optim.RMSprop, {}),
    (RMSprop, torch.optim.RMSprop, {"alpha": 0.9, "eps": 1e-3}),
    (RMSprop, torch.optim.RMSprop, {"alpha": 0.0}),
    (Adam, torch.optim.Adam, {}),
    (Adam, torch.optim.Adam, {"amsgrad": True}),
    (Adam, torch.optim.Adam, {"beta1": 0.5, "beta2": 0.9, "eps": 1e-3}),
    (Adam, torch.optim.Adam, {"beta1": 0.0, "beta2": 0.5, "amsgrad": True}),
    (AdamW, torch.optim.AdamW, {}),
    (AdamW, torch.optim.AdamW, {"amsgrad": True, "weight_decay": 0.5}),
    (AdamW, torch.optim.AdamW, {"beta1": 0.8, "beta2": 0.99, "eps": 1e-4, "weight_decay": 0.0}),
]


SHAPES = [(), (1,), (7,), (3, 4)]


def in_torch(make, parameters, options):
    """The torch twin: the same hyperparameters under torch's names."""
    options = dict(options)
    if "beta1" in options:
        options["betas"] = (options.pop("beta1"), options.pop("beta2"))
    if "initial_accumulator" in options:
        options["initial_accumulator_value"] = options.pop("initial_accumulator")
    return make(parameters, lr=1.0, **options)


@pytest.mark.parametrize("ours, theirs, options", TWINS, ids=lambda x: getattr(x, "__name__", x))
def test_equals_torch_over_500_random_steps_with_a_changing_rate(ours, theirs, options):
    rng = np.random.default_rng(1)
    mine = [ours(**options) for _ in SHAPES]
    params = [rng.standard_normal(shape) for shape in SHAPES]
    tensors = [torch.tensor(w, dtype=torch.float64, requires_grad=True) for w in params]
    twin = in_torch(theirs, tensors, options)
    # Gradients over ten decades, a tenth of them exactly zero.
    grads = [rng.standard_normal((500, *s)) * 10.0 ** rng.uniform(-8, 2, (500, *s)) for s in SHAPES]
    grads = [g * (rng.random(g.shape) < 0.9) for g in grads]
    in_torch_grads = [torch.tensor(g) for g in grads]
    worst = 0.0
    for t in range(500):
        # A warm-up from zero, a cosine with restarts.
        lr = 0.01 * min(1, t / 20) * (1 + math.cos(math.pi * (t % 200) / 200))
        twin.param_groups[0]["lr"] = lr
        for tensor, g in zip(tensors, in_torch_grads, strict=True):
            tensor.grad = g[t]
        twin.step()
        params = [o.step(w, g[t], lr) for o, w, g in zip(mine, params, grads, strict=True)]
        if t < 10 or t % 10 == 9:
            for w, tensor in zip(params, tensors, strict=True):
                reference = tensor.detach().numpy()
                error = np.abs(w - reference) / np.maximum(1, np.abs(reference))
                worst = max(worst, error.max())
    assert worst < 1e-12  # NaN would not be smaller


def test_adam_without_bias_correction_is_the_loop_of_the_paper_without_it():
    rng = np.random.default_rng(0)
    for amsgrad in (False, True):
        optimizer = Adam(0.8, 0.95, 1e-6, amsgrad=amsgrad, bias_correction=False)
        w = x = rng.standard_normal(5)
        m = v = largest = 0
        for _ in range(100):
            g = rng.standard_normal(5)
            w = optimizer.step(w, g, 0.03)
            m = 0.8 * m + 0.2 * g
            v = 0.95 * v + 0.05 * g**2
            largest = np.maximum(largest, v)
            x = x - 0.03 * m / (np.sqrt(largest if amsgrad else v) + 1e-6)
            np.testing.assert_allclose(w, x, rtol=0, atol=1e-13)


def test_float32_stays_close_to_torch_in_float32():
    rng = np.random.default_rng(0)
    for ours, theirs, options in TWINS:
        w = rng.standard_normal(6).astype(np.float32)
        theirs_w = torch.tensor(w, requires_grad=True)
        optimizer, twin = ours(**options), in_torch(theirs, [theirs_w], options)
        for _ in range(50):
            grad = rng.standard_normal(6).astype(np.float32)
            w = optimizer.step(w, grad, 0.01)
            theirs_w.grad = torch.tensor(grad)
            twin.param_groups[0]["lr"] = 0.01
            twin.step()
        assert w.dtype == np.float32
        np.testing.assert_allclose(w, theirs_w.detach().numpy(), rtol=2e-5, atol=2e-5)


# --------------------------------------------------------------------------------------------
# The protocol: what every rule promises
# --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ALL, ids=IDS)
def test_nothing_that_was_given_is_changed(optimizer):
    optimizer.reset()
    w, g = np.array([1.0, -2.0, 3.0]), np.array([0.5, 0.0, -4.0])
    lr = np.array([0.1, 0.2, 0.3])
    kept = [a.copy() for a in (w, g, lr)]
    results = []
    for _ in range(3):
        result = optimizer.step(w, g, lr)
        assert not any(np.shares_memory(result, a) for a in (w, g, lr, *results))
        results.append(result)
    undisturbed = results[-1].copy()
    optimizer.reset()
    for _ in range(3):  # nor does a result share memory with the optimizer
        result = optimizer.step(w, g, lr)
        np.testing.assert_array_equal(result, results.pop(0))
        result += 100.0
    np.testing.assert_array_equal(result - 100.0, (undisturbed + 100.0) - 100.0)
    for now, before in zip((w, g, lr), kept, strict=True):
        np.testing.assert_array_equal(now, before)


@pytest.mark.parametrize("optimizer", ALL, ids=IDS)
def test_an_array_of_rates_is_as_many_separate_runs(optimizer):
    rng = np.random.default_rng(3)
    rates = np.array([0.001, 0.1, 1.0])
    start = rng.standard_normal(5)
    grads = rng.standard_normal((20, 3, 5))
    optimizer.reset()
    together = np.tile(start, (3, 1))
    for g in grads:
        together = optimizer.step(together, g, rates[:, None])
    for k, lr in enumerate(rates):
        optimizer.reset()
        alone = start
        for g in grads:
            alone = optimizer.step(alone, g[k], lr)
        np.testing.assert_array_equal(together[k], alone)


@pytest.mark.parametrize("optimizer", ALL, ids=IDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_of_the_parameters_is_kept(optimizer, dtype):
    for lr in (
        0.1,
        np.float64(0.1),
        np.float32(0.1),
        np.array(0.1),
        np.full((2, 1), 0.1),
        [0.1] * 3,
    ):
        optimizer.reset()
        w = np.ones((2, 3), dtype)
        for _ in range(2):
            w = optimizer.step(w, np.ones((2, 3), np.float64), lr)
        assert w.dtype == dtype
        assert all(getattr(optimizer, name).dtype == dtype for name in optimizer.memory)


@pytest.mark.parametrize("optimizer", ALL, ids=IDS)
@pytest.mark.parametrize("kind", [np.float16, np.longdouble, np.int8, ">f8"])
def test_other_numbers_are_computed_in_float64(optimizer, kind):
    """float16 would lose eps, and divide by zero where the gradient is zero or small."""
    optimizer.reset()
    w = np.array([1.0, 1.0, 3.0]).astype(kind)
    g = np.array([0.0, 1e-3, -2.0]).astype(kind)
    twin = type(optimizer)(**optimizer.parameters)
    new = optimizer.step(w, g, 0.1)
    assert new.dtype == np.float64 and np.isfinite(new).all()
    assert new.tolist() == twin.step(w.astype(float), g.astype(float), 0.1).tolist()


@pytest.mark.parametrize("optimizer", ALL, ids=IDS)
def test_reset_forgets_everything(optimizer):
    rng = np.random.default_rng(0)
    first = type(optimizer)(**optimizer.parameters)
    optimizer.reset()
    for _ in range(3):
        optimizer.step(rng.standard_normal((2, 2)), rng.standard_normal((2, 2)), 0.1)
    optimizer.reset()
    assert np.ndim(optimizer.scale) == 0 and optimizer.scale == 1.0
    w, g = rng.standard_normal(4), rng.standard_normal(4)  # another shape, too
    np.testing.assert_array_equal(optimizer.step(w, g, 0.1), first.step(w, g, 0.1))


@pytest.mark.parametrize("optimizer", ALL, ids=IDS)
def test_the_memory_is_updated_in_place(optimizer):
    optimizer.reset()
    w = np.ones(3)
    optimizer.step(w, w, 0.1)
    before = [getattr(optimizer, name) for name in optimizer.memory]
    optimizer.step(w, w, 0.1)
    assert all(getattr(optimizer, n) is a for n, a in zip(optimizer.memory, before, strict=True))


def test_the_size_of_the_memory_is_that_of_the_algorithm():
    sizes = [len(optimizer.memory) for optimizer in ALL]
    assert sizes == [0, 1, 1, 1, 1, 2, 3, 2, 2]


def test_a_diverged_gradient_is_no_error():
    with np.errstate(all="ignore"):
        for optimizer in ALL:
            optimizer.reset()
            assert not np.isfinite(optimizer.step([1.0], [np.nan], 0.1)).any()


@pytest.mark.parametrize("optimizer", ALL, ids=IDS)
def test_name_and_parameters_are_a_record(optimizer):
    assert isinstance(optimizer.name, str) and optimizer.name
    twin = type(optimizer)(**optimizer.parameters)
    assert repr(twin) == repr(optimizer)
    assert all(isinstance(value, (bool, float)) for value in optimizer.parameters.values())


def test_names():
    assert [optimizer.name for optimizer in ALL] == [
        "gradient descent", "momentum 0.9", "Nesterov 0.9", "Adagrad", "RMSprop",
        "Adam", "Adam", "Adam", "AdamW",
    ]  # fmt: skip


@pytest.mark.parametrize("optimizer", ALL, ids=IDS)
def test_scale_times_rate_is_the_rate_that_acted(optimizer):
    """On the first step of a rule without averaged direction, step = lr * scale * gradient."""
    optimizer.reset()
    g = np.array([2.0, -0.5, 1e-3])
    for lr in (0.1, 0.01):
        optimizer.reset()
        moved = -optimizer.step(np.zeros(3), g, lr)
        factor = {"Nesterov 0.9": 1.9}.get(optimizer.name, 1.0)
        if optimizer.parameters.get("bias_correction") is False:
            factor = 1 - optimizer.beta1
        np.testing.assert_allclose(moved, lr * optimizer.scale * g * factor, rtol=1e-13)


def test_scale_with_bias_correction_is_one_over_the_root_mean_square():
    optimizer = Adam(beta2=0.9)
    for g in (1.0, 3.0):
        optimizer.step([0.0], [g], 0.1)
    mean_square = (0.9 * 0.1 * 1 + 0.1 * 9) / (1 - 0.9**2)
    assert optimizer.scale[0] == pytest.approx(1 / (math.sqrt(mean_square) + 1e-8), rel=1e-14)


@pytest.mark.parametrize("cls", [GradientDescent, Adagrad, RMSprop, Adam, AdamW])
def test_a_rule_is_at_most_20_lines(cls):
    rule, setup = inspect.getsource(cls._update), inspect.getsource(cls.__post_init__)
    assert len(rule.splitlines() + setup.splitlines()) <= 20


def test_importing_the_mathematics_loads_neither_torch_nor_matplotlib():
    code = (
        "import sys, course_utils.optimizers, course_utils.problems, course_utils.descent;"
        "print([m for m in ('torch', 'matplotlib', 'sklearn', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --------------------------------------------------------------------------------------------
# Laws
# --------------------------------------------------------------------------------------------

signed = st.floats(1e-6, 1e6) | st.floats(-1e6, -1e-6)


@few
@given(
    st.floats(-100, 100), st.floats(0.001, 1.2), st.floats(0.01, 100), st.integers(1, 50)
)  # fmt: skip
def test_gradient_descent_on_a_parabola_is_a_geometric_sequence(start, product, curvature, steps):
    lr = product / curvature
    optimizer, w = GradientDescent(), np.array([start])
    for _ in range(steps):
        w = optimizer.step(w, curvature * w, lr)
    exact = (1 - lr * curvature) ** steps * start
    # Where 1 - lr * curvature is nearly 0, its own rounding is all that is left.
    scale = max(abs(start), abs(exact))
    assert abs(w[0] - exact) <= 1e-12 * scale


@few
@given(st.lists(signed, min_size=1, max_size=20), st.floats(1e-3, 1e3), st.floats(1e-3, 1.0))
def test_a_loss_c_times_larger_needs_a_rate_c_times_smaller(grads, c, lr):
    """Gradient descent with momentum: only the product of rate and loss scale matters."""
    one, other = GradientDescent(0.9), GradientDescent(0.9)
    w = v = np.zeros(1)
    for g in grads:
        w = one.step(w, [g], lr)
        v = other.step(v, [c * g], lr / c)
    np.testing.assert_allclose(w, v, rtol=1e-9, atol=1e-9 * lr * max(map(abs, grads)))


@pytest.mark.parametrize(
    "make",
    [lambda: Adagrad(eps=0), lambda: RMSprop(eps=0), lambda: Adam(eps=0),
     lambda: Adam(eps=0, amsgrad=True), lambda: Adam(eps=0, bias_correction=False)],
    ids=["Adagrad", "RMSprop", "Adam", "AMSGrad", "uncorrected"],
)  # fmt: skip
@few
@given(grads=st.lists(signed, min_size=1, max_size=20), c=st.floats(1e-3, 1e3))
def test_adaptive_rules_do_not_see_the_scale_of_the_loss(make, grads, c):
    one, other = make(), make()
    w = v = np.zeros(1)
    for g in grads:
        w = one.step(w, [g], 0.1)
        v = other.step(v, [c * g], 0.1)
    np.testing.assert_allclose(w, v, rtol=1e-9, atol=1e-9)


@few
@given(st.lists(signed, min_size=1, max_size=5), st.floats(1e-4, 1.0), st.booleans())
def test_the_first_step_of_adam_is_the_rate_against_the_sign(grads, lr, amsgrad):
    moved = Adam(eps=0, amsgrad=amsgrad).step(np.zeros(len(grads)), grads, lr)
    np.testing.assert_allclose(moved, -lr * np.sign(grads), rtol=1e-12)


@few
@given(st.lists(signed, min_size=1, max_size=5), st.floats(1e-4, 1.0))
def test_the_first_step_of_adagrad_is_the_rate_and_of_rmsprop_ten_times_the_rate(grads, lr):
    zeros = np.zeros(len(grads))
    np.testing.assert_allclose(Adagrad(eps=0).step(zeros, grads, lr), -lr * np.sign(grads))
    np.testing.assert_allclose(RMSprop(eps=0).step(zeros, grads, lr), -10 * lr * np.sign(grads))


@few
@given(st.lists(signed, min_size=2, max_size=30))
def test_the_scale_of_adagrad_never_grows(grads):
    optimizer, scales = Adagrad(), []
    for g in grads:
        optimizer.step([0.0], [g], 0.1)
        scales.append(optimizer.scale[0])
    assert (np.diff(scales) <= 0).all()


def test_rmsprop_with_bias_correction_is_adam_without_memory_of_the_direction():
    rng = np.random.default_rng(0)
    adam, rmsprop = Adam(beta1=0, beta2=0.9, eps=0), RMSprop(alpha=0.9, eps=0)
    w = x = rng.standard_normal(4)
    for t in range(1, 50):
        g = rng.standard_normal(4)
        w = adam.step(w, g, 0.1)
        x = rmsprop.step(x, g, 0.1 * math.sqrt(1 - 0.9**t))
        np.testing.assert_allclose(w, x, rtol=1e-12)


def test_the_rms_variant_of_adagrad_is_adagrad_with_a_growing_rate():
    """Lee's sigma: the root mean square of all gradients so far."""
    rng = np.random.default_rng(0)
    adagrad, w, x, total = Adagrad(eps=0), np.zeros(3), np.zeros(3), np.zeros(3)
    for t in range(100):
        g = rng.standard_normal(3)
        w = adagrad.step(w, g, 0.1 * math.sqrt(t + 1))
        total += g**2
        x = x - 0.1 * g / np.sqrt(total / (t + 1))
        np.testing.assert_allclose(w, x, rtol=1e-12)


@pytest.mark.parametrize("momentum", [0.5, 0.9])
def test_nesterov_here_is_the_look_ahead_point_of_nesterovs_own_form(momentum):
    """Own form: v = mu v - lr grad(x + mu v), x = x + v. The look-ahead point x + mu v is ours."""
    curvature, lr = np.array([1.0, 0.1, 3.0]), 0.05
    optimizer = GradientDescent(momentum, nesterov=True)
    x, v = np.array([1.0, -2.0, 0.5]), np.zeros(3)
    ours = x.copy()
    for _ in range(200):
        v = momentum * v - lr * curvature * (x + momentum * v)
        x = x + v
        ours = optimizer.step(ours, curvature * ours, lr)
        np.testing.assert_allclose(ours, x + momentum * v, rtol=0, atol=1e-13)
        # and back: x is ours without the part of the step that looks ahead
        np.testing.assert_allclose(x, ours + lr * momentum * optimizer.velocity, atol=1e-13)


# --------------------------------------------------------------------------------------------
# Stability limits
# --------------------------------------------------------------------------------------------


def largest_stable_rate(optimizer, curvature, steps=2000):
    """Of a grid of rates at once: stable where the runs from 1 end nearer than they began."""
    rates = np.linspace(0, 5 / curvature, 5001)[1:]
    w = np.ones_like(rates)
    optimizer.reset()
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(steps):
            w = optimizer.step(w, curvature * w, rates)
    stable = np.abs(w) < 1
    assert not stable[np.argmin(stable) :].any()  # one limit, no islands
    return rates[stable][-1]


@pytest.mark.parametrize("curvature", [1.0, 50.0])
@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_the_stability_limit_is_that_of_the_theory(momentum, curvature):
    heavy_ball = largest_stable_rate(GradientDescent(momentum), curvature)
    assert heavy_ball * curvature == pytest.approx(2 * (1 + momentum), abs=2e-3)
    if momentum:
        nesterov = largest_stable_rate(GradientDescent(momentum, nesterov=True), curvature)
        theory = 2 * (1 + momentum) / (1 + 2 * momentum)
        assert nesterov * curvature == pytest.approx(theory, abs=2e-3)


def test_nesterov_overshoots_less_than_the_heavy_ball():
    """At rate 0.3 and momentum 0.9 on the unit parabola: X40."""
    overshoot = {}
    for nesterov in (False, True):
        optimizer, w, path = GradientDescent(0.9, nesterov), 1.0, []
        for _ in range(60):
            w = float(optimizer.step(w, w, 0.3))
            path.append(w)
        overshoot[nesterov] = (-min(path), np.abs(path).sum())
    assert overshoot[False] == pytest.approx((0.778, 11.2), abs=0.05)
    assert overshoot[True] == pytest.approx((0.426, 2.4), abs=0.05)


# --------------------------------------------------------------------------------------------
# Examples of the papers
# --------------------------------------------------------------------------------------------


def test_reddis_counterexample_to_adam():
    """Gradients 4, -1, -1, 4, ... on [-1, 1]: the best point is -1, and Adam walks to +1."""

    def end(optimizer):
        x = 1.0
        for t in range(6000):
            g = 4.0 if t % 3 == 0 else -1.0
            x = float(optimizer.step(x, g, 0.1 / math.sqrt(t + 1)))
            x = min(1.0, max(-1.0, x))
        return x

    memoryless = {"beta1": 0.0, "beta2": 1 / 17, "bias_correction": False}
    assert end(Adam(**memoryless)) > 0.99
    assert end(Adam(**memoryless, amsgrad=True)) < -0.99
    assert end(GradientDescent()) < -0.99
    # An honest footnote: with the default memory of the scale, Adam finds it too.
    assert end(Adam(beta1=0.0)) < -0.99


def test_without_bias_correction_adam_starts_up_to_six_times_too_fast():
    steps = {}
    for corrected in (True, False):
        optimizer = Adam(bias_correction=corrected)
        steps[corrected] = [-float(optimizer.step(0.0, 1.0, 1.0)) for _ in range(200)]
    np.testing.assert_allclose(steps[True], 1, rtol=1e-7)
    assert steps[False][0] == pytest.approx(0.1 / math.sqrt(0.001), rel=1e-6)
    assert max(steps[False]) == pytest.approx(6.57, abs=0.005)
    assert int(np.argmax(steps[False])) + 1 == 12
    assert steps[False][-1] == pytest.approx(2.35, abs=0.005)


@pytest.mark.parametrize("n", [100, 5000])
def test_adagrad_covers_two_root_n_on_a_slope(n):
    optimizer, w = Adagrad(), 0.0
    for _ in range(n):
        w = float(optimizer.step(w, 3.0, 1.0))
    # The sum of 1/sqrt(t) is 2 sqrt(n) + zeta(1/2) + small
    assert -w == pytest.approx(2 * math.sqrt(n) - 1.4603545 + 0.5 / math.sqrt(n), rel=1e-5)


@pytest.mark.parametrize("alpha", [0.5, 0.9])
def test_rmsprop_ends_jumping_half_a_rate_to_each_side(alpha):
    optimizer, w, lr = RMSprop(alpha=alpha), np.array([1.0, -10.0]), 0.05
    for _ in range(3000):
        w = optimizer.step(w, np.array([100.0, 0.01]) * w, lr)
    np.testing.assert_allclose(np.abs(w), lr / 2, rtol=0.01)


# --------------------------------------------------------------------------------------------
# Elsewhere
# --------------------------------------------------------------------------------------------

# What the libraries themselves return for the settings of `differences()`:
# TensorFlow 2.21 (tf.compat.v1.train), Keras 3.15.1, optax 0.2.8, in float64.
MEASURED_ELSEWHERE = {
    ("GradientDescent", "Keras"): -1.9583997242624043,
    ("Adagrad", "Keras, optax"): 0.003162260267784735,
    ("Adagrad", "TensorFlow 1"): 0.003162261848898663,
    ("RMSprop", "TensorFlow 1"): 0.0010540925087321488,
    ("RMSprop", "Keras"): 2.23606797749979,
    ("RMSprop", "optax"): 3.0151134457776365,
    ("Adam", "Keras"): 0.24025146948514808,
    ("Adam", "TensorFlow 1"): 0.75974575273722,
    ("Adam, amsgrad", "optax"): 1.00000001,
    ("AdamW", "Keras"): 0.0004000000189989805,
    ("AdamW", "optax"): 1e-05,
}


def test_the_differences_are_those_that_the_other_libraries_show():
    rows = {(row.optimizer, row.elsewhere): row for row in differences()}
    assert len(rows) == len(differences())
    for key, value in MEASURED_ELSEWHERE.items():
        # Keras and TensorFlow keep the rate and the betas in float32: seven digits, less a few.
        assert rows[key].there == pytest.approx(value, rel=2e-5), key


# Four updates with the rates 0.1, 0.1, 0.01, 0.01 from (1, 1, 1), by the libraries themselves.
GRADS = [[1e-6, 1.0, -3.0], [1e-6, 0.1, 2.0], [0.0, 0.1, -1.0], [1e-6, -0.2, 0.5]]
RATES = [0.1, 0.1, 0.01, 0.01]
SAME_ELSEWHERE = {
    "optax.sgd, momentum 0.9": (
        GradientDescent(0.9), [0.99999966751, 0.783, 1.39597]),
    "tf.compat.v1 MomentumOptimizer, 0.9": (
        GradientDescent(0.9), [0.9999996675100041, 0.7830000034832955, 1.3959699909186365]),
    "optax.sgd, nesterov": (
        GradientDescent(0.9, True), [0.999999490759, 0.6957, 1.461373]),
    "tf.compat.v1 MomentumOptimizer, use_nesterov": (
        GradientDescent(0.9, True), [0.9999994907590116, 0.6957000083086491, 1.4613729823861126]),
    "optax.adam": (
        Adam(), [0.785915233469387, 0.8156307565717317, 1.118727668937791]),
    "optax.adamw": (
        AdamW(weight_decay=1e-4),
        [0.7858946273833007, 0.8156101112041072, 1.1187044373917139]),
}  # fmt: skip


@pytest.mark.parametrize("elsewhere", SAME_ELSEWHERE)
def test_where_others_agree_they_agree_also_when_the_rate_drops(elsewhere):
    optimizer, result = SAME_ELSEWHERE[elsewhere]
    w = np.ones(3)
    for g, lr in zip(GRADS, RATES, strict=True):
        w = optimizer.step(w, g, lr)
    np.testing.assert_allclose(w, result, rtol=1e-7 if "tf" in elsewhere else 1e-12)


def test_each_difference_is_a_difference():
    for row in differences():
        assert all(isinstance(text, str) and text for text in row[:4])
        assert abs(row.here - row.there) > 0.2 * max(abs(row.here), abs(row.there)), row
        assert hasattr(optimizers, row.optimizer.split(",")[0])


def test_the_sizes_that_the_lessons_quote():
    rows = {(row.optimizer, row.elsewhere): row for row in differences()}
    assert rows["RMSprop", "Lee's lecture"].here == pytest.approx(10, rel=1e-3)
    assert rows["RMSprop", "TensorFlow 1"].there == pytest.approx(1.05e-3, rel=1e-2)
    assert rows["Adam", "lecture notes"].there == pytest.approx(6.57, abs=0.005)
    assert rows["Adam", "Keras"][4:] == pytest.approx((0.99, 0.24), abs=0.005)
    assert rows["GradientDescent", "Keras"][4:] == pytest.approx((-0.0448, -1.958), abs=0.001)
    assert rows["AdamW", "Loshchilov & Hutter 2019"][4:] == pytest.approx((1e-5, 1e-2), rel=1e-6)


# --------------------------------------------------------------------------------------------
# Bad input
# --------------------------------------------------------------------------------------------

BAD_HYPERPARAMETERS = [
    (GradientDescent, {"momentum": 1.0}, ValueError, "momentum"),
    (GradientDescent, {"nesterov": True}, ValueError, "momentum"),
    (GradientDescent, {"momentum": 0.9, "nesterov": 1}, TypeError, "nesterov"),
    (GradientDescent, {"weight_decay": -1}, ValueError, "weight_decay"),
    (Adagrad, {"eps": -1e-8}, ValueError, "eps"),
    (Adagrad, {"initial_accumulator": -0.1}, ValueError, "initial_accumulator"),
    (RMSprop, {"alpha": 1.0}, ValueError, "alpha"),
    (RMSprop, {"eps": -1}, ValueError, "eps"),
    (Adam, {"beta1": 1}, ValueError, "beta1"),
    (Adam, {"beta2": 1.0}, ValueError, "beta2"),
    (Adam, {"eps": -1}, ValueError, "eps"),
    (Adam, {"amsgrad": "yes"}, TypeError, "amsgrad"),
    (Adam, {"bias_correction": 0}, TypeError, "bias_correction"),
    (AdamW, {"weight_decay": -0.01}, ValueError, "weight_decay"),
]


@pytest.mark.parametrize("make, options, error, name", BAD_HYPERPARAMETERS)
def test_bad_hyperparameters(make, options, error, name):
    with pytest.raises(error, match=name):
        make(**options)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (([1.0], [1.0], math.nan), ValueError, "lr must be a finite number, got nan"),
        (([1.0], [1.0], math.inf), ValueError, "lr must be a finite number, got inf"),
        (([1.0], [1.0], "0.1"), TypeError, "lr must be a number"),
        (([1.0], [1.0], None), TypeError, "lr must be a number"),
        (([1.0], [1.0], True), TypeError, "lr must be a number"),
        (([1.0], [1.0], [math.nan]), ValueError, "lr must contain finite numbers"),
        (([1.0], [1.0], [0.1, 0.2]), ValueError, r"lr .* shape of params \(1,\), got shape \(2,\)"),
        (([1.0], [1.0], [[0.1]]), ValueError, r"lr .* got shape \(1, 1\)"),
        (([1.0, 2.0], [1.0], 0.1), ValueError, r"grad .* \(2,\), got \(1,\)"),
        (([1.0], [[1.0]], 0.1), ValueError, r"grad .* \(1,\), got \(1, 1\)"),
        (("x", [1.0], 0.1), TypeError, "params must be an array of numbers"),
        (([1j], [1.0], 0.1), TypeError, "params must be an array of numbers"),
        (([1.0], [None], 0.1), TypeError, "grad must be an array of numbers"),
        (([[1.0], [1.0, 2.0]], [1.0], 0.1), TypeError, "params must be an array of numbers"),
        (([1.0], np.ma.array([1.0], mask=True), 0.1), ValueError, "grad must not have masked"),
    ],
)
@pytest.mark.parametrize("optimizer", ALL, ids=IDS)
def test_bad_arguments_of_step_leave_the_memory_alone(optimizer, call, error, message):
    optimizer.reset()
    with pytest.raises(error, match=message):
        optimizer.step(*call)
    assert optimizer.t == 0
    assert all(getattr(optimizer, name) is None for name in optimizer.memory)


@pytest.mark.parametrize("optimizer", [o for o in ALL if o.memory], ids=repr)
def test_another_shape_needs_a_reset(optimizer):
    optimizer.reset()
    optimizer.step([1.0, 2.0], [1.0, 2.0], 0.1)
    with pytest.raises(ValueError, match=r"params must keep the shape \(2,\).*reset"):
        optimizer.step([1.0], [1.0], 0.1)
    assert optimizer.t == 1


def test_the_base_class_has_no_rule():
    with pytest.raises(NotImplementedError):
        Optimizer().step([1.0], [1.0], 0.1)


def test_a_rate_of_zero_and_a_negative_rate_are_allowed():
    for optimizer in ALL:
        optimizer.reset()
        assert optimizer.step([1.0], [1.0], 0.0)[0] == 1.0
        optimizer.reset()
        assert optimizer.step([1.0], [1.0], -0.1)[0] > 1.0
