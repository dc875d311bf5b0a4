"""Verdicts follow from measurements, and a box says them in words, in HTML and as a record."""

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils.course import claims

# --- verdicts ----------------------------------------------------------------------------------


def trial(**options):
    return claims.trial("002-C5", **{"as_stated": True, "evidence": "431 steps", **options})


@given(as_stated=st.booleans(), given_condition=st.booleans(), under_condition=st.booleans())
def test_verdict_follows_from_the_booleans(as_stated, given_condition, under_condition):
    only_if = ("the rate exceeds 1", under_condition) if given_condition else None
    verdict = trial(as_stated=as_stated, only_if=only_if)
    if as_stated:
        assert verdict.verdict == verdict.summary == "holds"
    elif given_condition and under_condition:
        assert verdict.verdict == "holds only if"
        assert verdict.summary == "holds only if the rate exceeds 1"
    else:
        assert verdict.verdict == verdict.summary == "refuted"


def test_booleans_of_numpy_are_booleans():
    assert trial(as_stated=np.bool_(False), only_if=("x", np.float64(2) > 1)).summary == (
        "holds only if x"
    )


BAD_CALLS = [
    (lambda: trial(as_stated=1), TypeError, "as_stated must be True or False, got 1"),
    (lambda: trial(as_stated=None), TypeError, "as_stated must be True or False, got None"),
    (lambda: trial(as_stated=np.array([True])), TypeError, "as_stated must be True or False"),
    (lambda: trial(as_stated="yes"), TypeError, "got 'yes'"),
    (lambda: trial(evidence=""), ValueError, "evidence must say something"),
    (lambda: trial(evidence="  \n"), ValueError, "evidence must say something"),
    (lambda: trial(evidence=3.5), TypeError, "evidence must be a string, got 3.5"),
    (lambda: trial(only_if=("x", 1)), TypeError, "only_if[1] must be True or False, got 1"),
    (lambda: trial(only_if=("", True)), ValueError, "only_if[0] must say something"),
    (lambda: trial(only_if="x"), TypeError, "only_if must be a pair (text, bool), got 'x'"),
    (lambda: trial(only_if=("x",)), TypeError, "only_if must be a pair"),
    (lambda: claims.get("002-C99"), ValueError, "ids of the claims table, got '002-C99'"),
    (lambda: claims.get(5), ValueError, "got 5"),
    (lambda: claims.trial("9", as_stated=True, evidence="x"), ValueError, "got '9'"),
    (
        lambda: claims.trial("002-T1", as_stated=True, evidence="x"),
        ValueError,
        "trial takes ids of kind C (claim), got '002-T1'",
    ),
    (lambda: claims.rebuilt(), ValueError, "at least one id"),
    (lambda: claims.rebuilt("002-T1", "002-C5"), ValueError, "got '002-C5'"),
    (lambda: claims.rebuilt("002-T9"), ValueError, "got '002-T9'"),
    (lambda: claims.rebuilt("002-T1", note=3), TypeError, "note must be a string"),
    (lambda: claims.noted("002-T1", "x"), ValueError, "noted takes ids of kind C (claim), L"),
    (lambda: claims.noted("000-C2", ""), ValueError, "text must say something"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD_CALLS)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()


# --- how a box shows itself --------------------------------------------------------------------


def test_box_as_text_has_short_lines():
    box = trial(as_stated=False, evidence="431 steps to a loss below 1e-6 at 0.01 and at 0.99 " * 3)
    lines = repr(box).splitlines()
    assert max(map(len, lines)) <= 88 and len(lines) >= 4
    assert lines[0].startswith("002-C5  At learning rate 0.99")
    assert lines[-1] == "✘ refuted"


def test_box_as_html_shows_symbol_word_and_color_and_escapes():
    box = trial(as_stated=False, evidence="a < b & `code`", only_if=("x > 1", True))
    page = box._repr_html_()
    assert "◐" in page and "<b>holds only if x &gt; 1</b>" in page
    assert "a &lt; b &amp; <code>code</code>" in page
    assert "border-left: 4px solid #b87a00; " in page
    assert "background" not in page  # inherits, so that light and dark themes both work


def test_record_of_a_box():
    bundle = trial(as_stated=False, only_if=("x > 1", True))._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", claims.MIME}
    record = json.loads(json.dumps(bundle[claims.MIME]))
    assert record["rows"] == [
        {
            "id": "002-C5",
            "kind": "C",
            "verdict": "holds only if",
            "evidence": "431 steps",
            "condition": "x > 1",
        }
    ]


def test_rebuilt_rows_share_one_box():
    box = claims.rebuilt("002-E1", "002-T1")
    assert [row["verdict"] for row in box._repr_mimebundle_()[claims.MIME]["rows"]] == [
        "rebuilt",
        "rebuilt",
    ]
    assert repr(box).splitlines()[-1] == "■ rebuilt"
