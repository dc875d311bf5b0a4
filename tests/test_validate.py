"""The checks of arguments: what passes, what does not, and that the message helps."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils import validate

NAN, INF = math.nan, math.inf
NO_NUMBER = ["0.1", None, [0.1], np.array([0.1]), 1j, np.complex128(1), True, np.bool_(False), {}]
NOT_FINITE = [NAN, INF, -INF, np.float32(INF), 10**400]


@pytest.mark.parametrize(
    "value", [0.1, 1, np.float32(0.5), np.float64(2), np.int8(3), Fraction(1, 4), np.array(0.1)]
)
def test_numbers_of_any_real_type_become_floats(value):
    for check in (validate.finite, validate.positive, validate.nonnegative):
        result = check("x", value)
        assert type(result) is float and result == float(value)


@pytest.mark.parametrize("check", [validate.finite, validate.positive, validate.nonnegative])
@pytest.mark.parametrize("value", NO_NUMBER, ids=repr)
def test_what_is_no_number(check, value):
    with pytest.raises(TypeError, match="^lr must be a number, got"):
        check("lr", value)


@pytest.mark.parametrize("check", [validate.finite, validate.positive, validate.nonnegative])
@pytest.mark.parametrize("value", NOT_FINITE, ids=lambda v: str(v)[:8])
def test_what_is_not_finite(check, value):
    with pytest.raises(ValueError, match="^lr must be a finite number, got"):
        check("lr", value)


def test_signs():
    smallest = math.ulp(0.0)
    assert validate.finite("x", -1) == -1.0
    assert validate.positive("x", smallest) == smallest
    assert validate.nonnegative("x", 0.0) == 0.0
    for value in (0, 0.0, -0.0, -smallest, -3):
        with pytest.raises(ValueError, match=f"^x must be greater than 0, got {float(value)}"):
            validate.positive("x", value)
    for value in (-smallest, -3):
        with pytest.raises(ValueError, match=f"^x must be 0 or greater, got {float(value)}"):
            validate.nonnegative("x", value)


@given(st.floats(-10, 10), st.floats(0, 10), st.floats(allow_nan=False, allow_infinity=False))
def test_between_lets_through_what_is_between(low, width, value):
    high = low + width
    if low <= value <= high:
        assert validate.between("x", value, low, high) == value
    else:
        with pytest.raises(ValueError, match="^x must be in "):
            validate.between("x", value, low, high)


def test_the_ends_of_between():
    assert validate.between("x", 0, 0, 1) == 0 and validate.between("x", 1, 0, 1) == 1
    assert validate.between("x", 0, 0, 1, open_high=True) == 0
    with pytest.raises(ValueError, match=r"^x must be in \[0, 1\), got 1.0"):
        validate.between("x", 1, 0, 1, open_high=True)
    with pytest.raises(ValueError, match=r"^x must be in \[0, 1\], got 1.5"):
        validate.between("x", 1.5, 0, 1)
    with pytest.raises(TypeError, match="^x must be a number"):
        validate.between("x", "half", 0, 1)
    with pytest.raises(ValueError, match="^x must be a finite number"):
        validate.between("x", NAN, 0, 1)


@pytest.mark.parametrize("value", [3, 3.0, np.int64(3), np.float32(3), np.uint8(3)], ids=repr)
def test_whole_numbers_become_ints(value):
    result = validate.integer("steps", value)
    assert type(result) is int and result == 3


@pytest.mark.parametrize("value", [*NO_NUMBER, 2.5, NAN, INF, -INF], ids=repr)
def test_what_is_no_integer(value):
    with pytest.raises(TypeError, match="^steps must be an integer, got"):
        validate.integer("steps", value)


def test_the_minimum_of_an_integer():
    assert validate.integer("steps", 1, minimum=1) == 1
    assert validate.integer("steps", -5) == -5
    assert validate.integer("seed", 10**400) == 10**400
    with pytest.raises(ValueError, match="^steps must be 1 or greater, got 0"):
        validate.integer("steps", 0, minimum=1)


def test_one_of():
    assert validate.one_of("loss", "mse", ("mse", "cross_entropy")) == "mse"
    assert validate.one_of("loss", "mse", {"mse": 1}) == "mse"
    for value in ("MSE", None, 3, [], {}, np.array([1.0, 2.0])):
        for allowed in (("mse", "cross_entropy"), {"mse": 1, "cross_entropy": 2}):
            with pytest.raises(
                ValueError, match="^loss must be one of 'mse', 'cross_entropy', got"
            ):
                validate.one_of("loss", value, allowed)


def test_booleans():
    assert validate.boolean("flag", np.bool_(True)) is True
    for value in (1, 0.0, "no", None, np.array(True)):
        with pytest.raises(TypeError, match="^flag must be True or False, got"):
            validate.boolean("flag", value)


def test_instances_and_sequences():
    assert validate.instance("text", "a", str) == "a"
    with pytest.raises(TypeError, match="^text must be a str, got 3"):
        validate.instance("text", 3, str)
    with pytest.raises(TypeError, match="^x must be an Exception such as KeyError, got 3"):
        validate.instance("x", 3, Exception, "such as KeyError")
    assert (
        validate.sequence("rates", np.arange(2)) == validate.sequence("rates", range(2)) == [0, 1]
    )
    for value in (5, "5", b"5", {5: 5}, {5}, None, np.array(5)):
        with pytest.raises(TypeError, match="^rates must be a list, got"):
            validate.sequence("rates", value)


def test_annotations_name_the_checks():
    def example(lr: validate.Positive, steps: validate.Count, name: str = "x"): ...

    checks = validate.checks(example)
    assert set(checks) == {"lr", "steps"} and checks["steps"]("steps", 3.0) == 3
    with pytest.raises(ValueError, match="^steps must be 1 or greater, got 0"):
        checks["steps"]("steps", 0)


def test_masked_values_are_no_numbers_and_nothing_masked_is_an_array():
    hidden = np.ma.masked_array([1.0, 99.0], [False, True])
    with pytest.raises(ValueError, match="^start must not have masked values"):
        validate.array("start", hidden)
    for check in (validate.finite, validate.integer):
        with pytest.raises(TypeError, match="^start must be"):
            check("start", np.ma.masked)
    assert validate.array("start", np.ma.masked_array([1.0, 2.0])).tolist() == [1.0, 2.0]
    assert validate.array("start", hidden.filled(0.0)).tolist() == [1.0, 0.0]


def test_arrays_that_may_hold_infinity_or_keep_their_dtype():
    assert validate.array("x", [NAN, INF], finite=False).tolist()[1] == INF
    for dtype in (np.float16, np.float32, np.int32, np.longdouble, ">f4"):
        kept = np.float32 if dtype is np.float32 else np.float64
        assert validate.array("x", np.ones(2, dtype), keep=(np.float32,)).dtype == kept


def test_arrays_become_float64():
    for value in ([1, 2], (1.0, 2.0), np.array([1, 2], np.int8), np.array([1, 2], np.float32)):
        result = validate.array("x", value, shape=(2,))
        assert result.dtype == np.float64 and result.tolist() == [1.0, 2.0]
    assert validate.array("x", 3).shape == ()
    assert validate.array("x", [], ndim=1).shape == (0,)
    assert validate.array("x", np.ones((4, 2)), shape=(None, 2)).shape == (4, 2)


@pytest.mark.parametrize(
    "value",
    ["ab", "1.5", ["1.5"], None, [None], [1j], np.array([1j]), [True], [[1], [1, 2]], object()],
    ids=lambda value: type(value).__name__ if type(value) is object else repr(value),
)
def test_what_is_no_array_of_numbers(value):
    with pytest.raises(TypeError, match="^start must be an array of numbers, got"):
        validate.array("start", value)


@pytest.mark.parametrize(
    "value, options, message",
    [
        ([NAN], {}, "start must contain finite numbers only"),
        ([1.0, INF], {}, "start must contain finite numbers only"),
        ([1.0], {"ndim": 2}, r"start must have 2 dimension\(s\), got shape \(1,\)"),
        ([1.0], {"shape": (2,)}, r"start must have shape \(2,\), got \(1,\)"),
        ([1.0], {"shape": (None, 2)}, r"start must have shape \(any, 2\), got \(1,\)"),
        ([[1.0]], {"shape": (None, 2)}, r"start must have shape \(any, 2\), got \(1, 1\)"),
        (1.0, {"shape": (None,)}, r"start must have shape \(any,\), got \(\)"),
    ],
)
def test_arrays_of_the_wrong_shape_or_content(value, options, message):
    with pytest.raises(ValueError, match="^" + message):
        validate.array("start", value, **options)
