"""Laws that every schedule, or every schedule of a kind, obeys; arguments drawn by Hypothesis."""

import dataclasses
import inspect
import pickle
import subprocess
import sys
import typing
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import schedules
from course_utils.schedules import (
    FAMILIES,
    Schedule,
    as_schedule,
    constant,
    cosine,
    cosine_restarts,
    custom,
    exponential,
    inverse_time,
    join,
    linear_cosine,
    natural_exponential,
    noisy_linear_cosine,
    one_cycle,
    piecewise_constant,
    polynomial,
    step_decay,
    triangular,
    warmup_stable_decay,
    with_warmup,
)

# --------------------------------------------------------------------------------------------
# Arguments of every family
# --------------------------------------------------------------------------------------------

rates = st.floats(1e-6, 10.0)
shares = st.floats(0.0, 1.0)
counts = st.integers(1, 300)
times = st.lists(st.integers(0, 2000), min_size=1, max_size=20)


def arguments(**strategies):
    return st.fixed_dictionaries(strategies)


def increasing(values):
    return sorted(set(values))


decays = {"lr": rates, "decay_steps": counts, "staircase": st.booleans()}
linear_cosines = {
    "lr": rates,
    "decay_steps": counts,
    "num_periods": st.floats(0, 5),
    "alpha": shares,
    "beta": shares,
}
ARGUMENTS = {
    "constant": arguments(lr=rates),
    "piecewise_constant": st.lists(counts, max_size=5)
    .map(increasing)
    .flatmap(
        lambda b: arguments(
            boundaries=st.just(b),
            values=st.lists(st.floats(0, 10), min_size=len(b) + 1, max_size=len(b) + 1),
        )
    ),
    "step_decay": arguments(lr=rates, step_size=counts, drop=st.floats(0.01, 1)),
    "exponential": arguments(**decays, decay_rate=st.floats(0.01, 1)),
    "natural_exponential": arguments(**decays, decay_rate=st.floats(0, 5)),
    "inverse_time": arguments(**decays, decay_rate=st.floats(0, 5)),
    "inverse_sqrt": arguments(lr=rates, decay_steps=counts),
    "polynomial": arguments(
        lr=rates,
        decay_steps=counts,
        end_lr=st.floats(0, 10),
        power=st.floats(0.1, 5),
        cycle=st.booleans(),
    ),
    "cosine": arguments(lr=rates, decay_steps=counts, alpha=shares),
    "cosine_restarts": arguments(
        lr=rates,
        first_decay_steps=counts,
        t_mul=st.one_of(st.just(1.0), st.floats(1.01, 3)),
        m_mul=st.floats(0.1, 1),
        alpha=shares,
    ),
    "linear_cosine": arguments(**linear_cosines),
    "noisy_linear_cosine": arguments(
        **linear_cosines,
        initial_variance=st.floats(0, 2),
        variance_decay=st.floats(0, 2),
        seed=st.integers(0, 100),
        floor=st.one_of(st.none(), st.floats(0, 1)),
    ),
    "triangular": arguments(lr_min=st.floats(0, 0.9), lr_max=st.floats(1, 10), step_size=counts),
    "one_cycle": arguments(
        lr_max=rates,
        total_steps=st.integers(2, 300),
        warmup_fraction=shares,
        div_factor=st.floats(1, 100),
        final_div_factor=st.floats(1, 1e5),
        anneal=st.sampled_from(["cos", "linear"]),
    ),
    "warmup_stable_decay": arguments(
        lr=rates,
        warmup_steps=st.integers(0, 100),
        stable_steps=st.integers(0, 100),
        decay_steps=st.integers(0, 100),
        shape=st.sampled_from(["linear", "cosine", "1-sqrt", "square"]),
    ),
    "custom": st.just({"function": abs, "name": "my own"}),  # picklable, and not constant
}
simple = st.sampled_from([constant(0.5), cosine(0.1, 7), step_decay(1.0, 3), inverse_time(2, 5, 1)])
ARGUMENTS["with_warmup"] = arguments(
    schedule=simple, warmup_steps=st.integers(0, 50), start_factor=shares
)
ARGUMENTS["join"] = (
    st.lists(counts, max_size=4)
    .map(increasing)
    .flatmap(
        lambda b: arguments(
            boundaries=st.just(b),
            schedules=st.lists(simple, min_size=len(b) + 1, max_size=len(b) + 1),
        )
    )
)
every_family = pytest.mark.parametrize("family", FAMILIES)
some = settings(max_examples=20)


def make(data, family):
    return FAMILIES[family](**data.draw(ARGUMENTS[family]))


def test_every_family_is_tested():
    assert set(ARGUMENTS) == set(FAMILIES)


# --------------------------------------------------------------------------------------------
# Laws of every schedule
# --------------------------------------------------------------------------------------------


@every_family
@some
@given(data=st.data(), steps=times)
def test_one_step_is_the_same_as_in_an_array(family, data, steps):
    schedule = make(data, family)
    array = schedule(np.array(steps))
    one_by_one = [schedule(step) for step in steps]
    assert array.dtype == np.float64 and array.shape == (len(steps),)
    assert all(type(rate) is float for rate in one_by_one)
    # Wide and narrow instructions of the processor may round a power differently.
    np.testing.assert_allclose(array, one_by_one, rtol=1e-14, atol=1e-17)
    grid = schedule(np.array(steps, dtype=np.int32).reshape(1, -1, 1))
    assert grid.shape == (1, len(steps), 1) and grid.ravel().tolist() == array.tolist()


@every_family
@some
@given(data=st.data(), steps=times)
def test_a_call_changes_nothing(family, data, steps):
    schedule = make(data, family)
    asked = np.array(steps)
    first = schedule(asked)
    kept = first.copy()
    assert asked.tolist() == steps, "the steps were changed"
    for step in reversed(steps):
        schedule(step)
    schedule(np.arange(50))
    assert schedule(asked).tolist() == kept.tolist(), "the same step gave another rate"
    assert first.tolist() == kept.tolist(), "an array given out earlier was changed"
    schedule(asked)[:] = -1.0
    assert schedule(asked).tolist() == kept.tolist(), "the caller can reach the inside"


@every_family
@some
@given(data=st.data())
def test_order_does_not_matter(family, data):
    schedule = make(data, family)
    order = np.random.default_rng(0).permutation(500)
    np.testing.assert_allclose(schedule(order), schedule.rates(500)[order], rtol=1e-14, atol=1e-17)


@every_family
@some
@given(data=st.data())
def test_family_and_parameters_say_it_all(family, data):
    schedule = make(data, family)
    again = FAMILIES[schedule.family](**schedule.parameters)
    pickled = pickle.loads(pickle.dumps(schedule))
    assert schedule == again == pickled
    assert hash(schedule) == hash(again)
    assert schedule.rates(40).tolist() == again.rates(40).tolist() == pickled.rates(40).tolist()
    assert schedule.name and schedule.formula and repr(schedule).startswith(family + "(")
    if family != "custom":
        assert eval(repr(schedule), vars(schedules).copy()) == schedule


SCALED = {"lr", "end_lr", "lr_min", "lr_max", "values", "floor"}


@pytest.mark.parametrize(
    "family", [f for f in FAMILIES if f not in ("custom", "with_warmup", "join")]
)
@some
@given(data=st.data(), factor=st.floats(0.01, 100))
def test_scaling_the_rate_scales_the_schedule(family, data, factor):
    drawn = data.draw(ARGUMENTS[family])
    scaled = {
        key: (np.multiply(value, factor).tolist() if key in SCALED and value is not None else value)
        for key, value in drawn.items()
    }
    one, other = FAMILIES[family](**drawn).rates(400), FAMILIES[family](**scaled).rates(400)
    np.testing.assert_allclose(other, factor * one, rtol=1e-12, atol=1e-14 * factor)


@every_family
@settings(max_examples=10)
@given(data=st.data(), steps=st.integers(0, 40))
def test_area_is_the_sum(family, data, steps):
    schedule = make(data, family)
    assert schedule.rates(steps).shape == (steps,)
    one_by_one = sum(schedule(t) for t in range(steps))
    assert schedule.area(steps) == pytest.approx(one_by_one, rel=1e-12, abs=1e-12)


@every_family
@settings(max_examples=5)
@given(data=st.data())
def test_no_steps_give_no_rates(family, data):
    assert make(data, family)([]).shape == (0,)


# --------------------------------------------------------------------------------------------
# Bounds
# --------------------------------------------------------------------------------------------

BOUNDS = {
    "constant": lambda a: (a["lr"], a["lr"]),
    "piecewise_constant": lambda a: (min(a["values"]), max(a["values"])),
    "step_decay": lambda a: (0, a["lr"]),
    "exponential": lambda a: (0, a["lr"]),
    "natural_exponential": lambda a: (0, a["lr"]),
    "inverse_time": lambda a: (0, a["lr"]),
    "inverse_sqrt": lambda a: (0, a["lr"]),
    "polynomial": lambda a: (min(a["lr"], a["end_lr"]), max(a["lr"], a["end_lr"])),
    "cosine": lambda a: (a["alpha"] * a["lr"], a["lr"]),
    "cosine_restarts": lambda a: (a["alpha"] * a["lr"], a["lr"]),
    "linear_cosine": lambda a: (a["beta"] * a["lr"], a["lr"] * (1 + a["alpha"] + a["beta"])),
    "noisy_linear_cosine": lambda a: (-np.inf if a["floor"] is None else a["floor"], np.inf),
    "triangular": lambda a: (a["lr_min"], a["lr_max"]),
    "one_cycle": lambda a: (
        a["lr_max"] / a["div_factor"] / a["final_div_factor"],
        a["lr_max"],
    ),
    "warmup_stable_decay": lambda a: (0, a["lr"]),
}


@pytest.mark.parametrize("family", BOUNDS)
@some
@given(data=st.data())
def test_bounds(family, data):
    drawn = data.draw(ARGUMENTS[family])
    low, high = BOUNDS[family](drawn)
    used = FAMILIES[family](**drawn)([*range(700), 10**5, 10**9, 10**15])
    assert np.isfinite(used).all()
    assert used.min() >= low * (1 - 1e-12) - 1e-15
    assert used.max() <= high * (1 + 1e-12)


# --------------------------------------------------------------------------------------------
# Monotone phases
# --------------------------------------------------------------------------------------------

NEVER_RISE = (
    "step_decay",
    "exponential",
    "natural_exponential",
    "inverse_time",
    "inverse_sqrt",
    "cosine",
)


def assert_falls(used, slack=1e-14):
    assert (np.diff(used) <= slack * np.abs(used).max(initial=0)).all()


@pytest.mark.parametrize("family", NEVER_RISE)
@some
@given(data=st.data())
def test_decay_never_rises(family, data):
    assert_falls(make(data, family).rates(700))


@some
@given(drawn=ARGUMENTS["polynomial"])
def test_polynomial_falls_to_its_end_and_stays(drawn):
    drawn = {**drawn, "end_lr": min(drawn["end_lr"], drawn["lr"]), "cycle": False}
    used = polynomial(**drawn).rates(700)
    assert_falls(used)
    assert np.ptp(used[drawn["decay_steps"] :]) == 0
    assert used[-1] == pytest.approx(drawn["end_lr"])


@some
@given(lr=rates, D=st.integers(2, 100), power=st.floats(0.1, 5))
def test_cycling_polynomial_touches_the_end_and_each_peak_is_lower(lr, D, power):
    used = polynomial(lr, D, end_lr=0.0, power=power, cycle=True).rates(6 * D + 1)
    assert used[D::D].max() == 0
    for k in range(6):
        assert_falls(used[k * D + 1 : (k + 1) * D + 1])
    assert_falls(used[1::D])
    k = np.arange(1, 6)
    np.testing.assert_allclose(used[D + 1 :: D], lr * (1 - (k * D + 1) / ((k + 1) * D)) ** power)


@some
@given(drawn=ARGUMENTS["cosine_restarts"])
def test_restarts_fall_within_each_cycle_and_restart_at_the_peak(drawn):
    schedule = cosine_restarts(**drawn)
    lengths = drawn["first_decay_steps"] * drawn["t_mul"] ** np.arange(5)
    ends = np.cumsum(lengths)
    for i, (start, end) in enumerate(zip([0, *ends], ends)):
        steps = np.arange(np.ceil(np.round(start, 6)), np.ceil(np.round(end, 6)))
        if len(steps) == 0:
            continue
        assert_falls(schedule(steps))
        if steps[0] == np.round(start, 6):  # a cycle may start between two steps
            a, peak = drawn["alpha"], drawn["m_mul"] ** i
            assert schedule(steps)[0] == pytest.approx(drawn["lr"] * ((1 - a) * peak + a))


@pytest.mark.parametrize("t_mul", [1.0, 1.1, 1.5, 1.6, 2.0, 2.2, 2.7, 3.0])
@pytest.mark.parametrize("first", [1, 7, 10, 1000, 100_000])
def test_every_restart_is_on_its_exact_step(first, t_mul):
    """In exact arithmetic: t_mul = n/10, starts = first * (1 + t_mul + t_mul**2 + ...)."""
    ratio, start, length = Fraction(round(10 * t_mul), 10), Fraction(0), Fraction(first)
    for _ in range(12):
        start, length = start + length, length * ratio
        if start.denominator == 1:
            assert cosine_restarts(1.0, first, t_mul)(int(start)) == pytest.approx(1.0, abs=1e-12)


@some
@given(drawn=ARGUMENTS["triangular"])
def test_triangle_rises_then_falls_and_repeats(drawn):
    s = drawn["step_size"]
    used = triangular(**drawn).rates(4 * s + 1)
    assert_falls(-used[: s + 1])
    assert_falls(used[s : 2 * s + 1])
    np.testing.assert_allclose(used[: 2 * s], used[2 * s : 4 * s], rtol=1e-12)
    assert used[s] == pytest.approx(drawn["lr_max"])


@some
@given(drawn=ARGUMENTS["one_cycle"])
def test_one_cycle_rises_then_falls(drawn):
    used = one_cycle(**drawn).rates(drawn["total_steps"] + 50)
    top = int(np.argmax(used))
    assert_falls(-used[: top + 1])
    assert_falls(used[top:])
    if drawn["div_factor"] > 1.01:
        assert abs(top - (drawn["warmup_fraction"] * drawn["total_steps"] - 1)) <= 1 + 1e-9


@some
@given(drawn=ARGUMENTS["warmup_stable_decay"])
def test_trapezoid(drawn):
    W, S, D = drawn["warmup_steps"], drawn["stable_steps"], drawn["decay_steps"]
    used = warmup_stable_decay(**drawn).rates(W + S + D + 20)
    if W and D and drawn["shape"] == "linear":
        corners = [0, W, W + S, W + S + D], [0.0, drawn["lr"], drawn["lr"], 0.0]
        np.testing.assert_allclose(used, np.interp(np.arange(len(used)), *corners), atol=1e-13)
    assert_falls(-used[: W + 1] if S + D else -used[:W])
    assert D == 0 or used[W + S] == drawn["lr"]
    assert used[W : W + S].tolist() == [drawn["lr"]] * S
    assert_falls(used[W + S :])
    assert used[W + S + D :].max() == 0


# --------------------------------------------------------------------------------------------
# Continuity at joins
# --------------------------------------------------------------------------------------------


@some
@given(drawn=ARGUMENTS["with_warmup"])
def test_warmup_ends_where_the_schedule_starts(drawn):
    schedule, W, f = drawn["schedule"], drawn["warmup_steps"], drawn["start_factor"]
    warm = with_warmup(**drawn)
    assert warm(np.arange(W, W + 60)).tolist() == schedule.rates(60).tolist()
    rise = warm.rates(W + 1)
    np.testing.assert_allclose(np.diff(rise), schedule(0) * (1 - f) / max(W, 1), atol=1e-13)
    assert rise[0] == pytest.approx(schedule(0) * (f if W else 1))


@some
@given(drawn=ARGUMENTS["join"])
def test_each_joined_schedule_starts_at_its_boundary(drawn):
    joined = join(**drawn)
    starts = [0, *drawn["boundaries"]]
    for schedule, start, end in zip(drawn["schedules"], starts, [*starts[1:], starts[-1] + 80]):
        assert joined(np.arange(start, end)).tolist() == schedule.rates(end - start).tolist()


LIPSCHITZ = {  # the largest change per step, as a multiple of the largest rate
    "cosine": lambda a: np.pi / 2 / a["decay_steps"],
    "triangular": lambda a: 1 / a["step_size"],
    "inverse_sqrt": lambda a: 1 / 2 / a["decay_steps"],
    "linear_cosine": lambda a: (1 + (1 + a["alpha"]) * np.pi * a["num_periods"]) / a["decay_steps"],
    "warmup_stable_decay": lambda a: (
        1 / max(1, min(n for n in (a["warmup_steps"], a["decay_steps"], 10**9) if n))
        if a["warmup_steps"] and a["decay_steps"] and a["shape"] == "linear"
        else 1
    ),
}


@pytest.mark.parametrize("family", LIPSCHITZ)
@some
@given(data=st.data())
def test_no_jumps_in_a_continuous_schedule(family, data):
    drawn = data.draw(ARGUMENTS[family])
    largest = drawn.get("lr") or drawn["lr_max"]
    change = np.abs(np.diff(FAMILIES[family](**drawn).rates(1000))).max()
    assert change <= largest * LIPSCHITZ[family](drawn) * (1 + 1e-9)


# --------------------------------------------------------------------------------------------
# Identities between families
# --------------------------------------------------------------------------------------------


@some
@given(lr=rates, D=counts, r=st.floats(0.01, 1), staircase=st.booleans())
def test_natural_exponential_is_exponential_with_rate_e_to_minus_r(lr, D, r, staircase):
    one = natural_exponential(lr, D, r, staircase).rates(500)
    other = exponential(lr, D, np.exp(-r), staircase).rates(500)
    np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-300)


@some
@given(lr=rates, s=counts, drop=st.floats(0.01, 1))
def test_step_decay_is_the_staircase(lr, s, drop):
    assert (
        step_decay(lr, s, drop).rates(500).tolist()
        == exponential(lr, s, drop, True).rates(500).tolist()
    )


@some
@given(drawn=ARGUMENTS["cosine"])
def test_one_cycle_of_restarts_is_a_cosine(drawn):
    D = drawn["decay_steps"]
    restarts = cosine_restarts(drawn["lr"], D, alpha=drawn["alpha"])
    np.testing.assert_allclose(restarts.rates(D), cosine(**drawn).rates(D), rtol=1e-14)


@some
@given(b=st.lists(counts, min_size=1, max_size=5).map(increasing), lr=rates)
def test_piecewise_constant_is_a_join_that_changes_one_step_later(b, lr):
    values = [lr / (i + 1) for i in range(len(b) + 1)]
    joined = join(values, [boundary + 1 for boundary in b])
    assert piecewise_constant(b, values).rates(400).tolist() == joined.rates(400).tolist()


# --------------------------------------------------------------------------------------------
# The noise
# --------------------------------------------------------------------------------------------


def test_noise_depends_on_the_step_and_the_seed_only():
    schedule = noisy_linear_cosine(0.1, 10_000, seed=5)
    late_first = [schedule(9000), schedule(0), schedule(4096), schedule(4095)]
    assert late_first == schedule.rates(10_000)[[9000, 0, 4096, 4095]].tolist()
    assert schedule(17) == noisy_linear_cosine(0.1, 10_000, seed=5)(17)
    assert schedule(17) != noisy_linear_cosine(0.1, 10_000, seed=6)(17)


def test_neighboring_seeds_share_no_noise():
    """Not in another order either: a seed is not a shift of its neighbor."""
    flat = {"num_periods": 0.0, "beta": 0.0}
    line = linear_cosine(1.0, 10**9, **flat).rates(10_000)
    noisy = [noisy_linear_cosine(1.0, 10**9, 1.0, 0.0, seed=s, **flat) for s in (0, 1)]
    draws = [np.round(schedule.rates(10_000) - line, 11) for schedule in noisy]
    assert not set(draws[0]) & set(draws[1])


def test_noise_can_be_negative_as_in_tensorflow_and_a_floor_forbids_it():
    used = noisy_linear_cosine(0.1, 100, seed=0).rates(100)
    floored = noisy_linear_cosine(0.1, 100, seed=0, floor=0.0).rates(100)
    assert used.min() < 0 and floored.min() == 0
    assert floored.tolist() == np.maximum(used, 0).tolist()


def test_noise_is_white_and_standard_normal():
    """Against the normal distribution itself, within 4.5 standard errors; 16 blocks of steps."""
    n = 2**16
    schedule = noisy_linear_cosine(1.0, 10**9, variance_decay=0.0, num_periods=0.0, beta=0.0)
    z = schedule.rates(n) - linear_cosine(1.0, 10**9, num_periods=0.0, beta=0.0).rates(n)
    assert abs(z.mean()) < 4.5 / np.sqrt(n)
    assert abs((z**2).mean() - 1) < 4.5 * np.sqrt(2 / n)
    assert abs((z**4).mean() - 3) < 4.5 * np.sqrt(96 / n)
    for lag in (1, 2, 4096):
        assert abs((z[lag:] * z[:-lag]).mean()) < 4.5 / np.sqrt(n)
    assert len(np.unique(z)) == n


# --------------------------------------------------------------------------------------------
# Your own function, numbers, cost
# --------------------------------------------------------------------------------------------


def test_custom_gives_the_function_plain_ints_once_per_step():
    seen = []
    schedule = custom(lambda t: seen.append(t) or (0.1 if t < 2 else 0.01))
    assert schedule([0, 1, 2, 3]).tolist() == [0.1, 0.1, 0.01, 0.01]
    assert seen == [0, 1, 2, 3] and all(type(t) is int for t in seen)


def test_custom_takes_what_numpy_functions_return_for_one_step():
    schedule = custom(lambda t: np.where(t < 5, 0.1, 0.01))
    assert schedule([4, 5]).tolist() == [0.1, 0.01] and type(schedule(4)) is float


def test_a_rate_that_is_not_finite_is_an_error_that_names_its_step():
    rises = exponential(0.1, 1, 1.5)
    assert np.isfinite(rises(1700))
    for call in (lambda: rises(2000), lambda: rises.rates(2000), lambda: rises.area(2000)):
        with pytest.raises(
            ValueError, match=r"^the rate of exponential at step \d+ must be a fini"
        ):
            call()
    with pytest.raises(ValueError, match="cosine restarts at step 20000"):
        cosine_restarts(0.1, 10, 1.0, m_mul=2.0)([0, 20_000])


@every_family
def test_signatures_and_type_hints_say_schedule(family):
    factory = FAMILIES[family]
    assert inspect.signature(factory).return_annotation is Schedule
    assert typing.get_type_hints(factory)["return"] is Schedule
    assert getattr(schedules, family) is factory


def test_custom_vectorized_equals_custom():
    def function(t):
        return 0.01 * 0.6**t

    fast = custom(function, vectorized=True)
    np.testing.assert_allclose(fast.rates(50), custom(function).rates(50), rtol=1e-14)
    assert fast(3) == pytest.approx(0.01 * 0.6**3)


def test_as_schedule():
    schedule = cosine(0.1, 3)
    assert as_schedule(schedule) is schedule
    assert as_schedule(np.float32(0.5)) == as_schedule(0.5) == constant(0.5)


@pytest.mark.parametrize(
    "schedule", [cosine(0.1, 10**6), cosine_restarts(0.1, 10), noisy_linear_cosine(0.1, 10**6)]
)
def test_all_steps_are_computed_at_once(schedule):
    """One call of the formula for the whole array; how long it takes is for `make bench`."""
    calls = []
    counted = dataclasses.replace(schedule, rate=lambda t: calls.append(t.size) or schedule.rate(t))
    assert np.array_equal(counted(np.arange(1000)), schedule(np.arange(1000)))
    assert calls == [1000]


def test_import_needs_numpy_only():
    code = "import sys, course_utils.schedules; print({'torch', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
