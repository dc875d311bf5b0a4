r"""The cheat sheet, generated from the package, so that it cannot say anything else than the code.

Formulas of schedules are their `formula`, those of update rules stand in their docstrings, and
default values are read from the signatures.
"""

from __future__ import annotations

import inspect

from course_utils import optimizers, schedules, validate
from course_utils.schedules import Schedule
from course_utils.views.tables import Page, TextTable

# One example of each schedule, for its name and formula; the numbers do not appear.
_EXAMPLES: dict[str, Schedule] = {
    "constant": schedules.constant(0.1),
    "piecewise_constant": schedules.piecewise_constant([10], [0.1, 0.01]),
    "step_decay": schedules.step_decay(0.1, 10),
    "exponential": schedules.exponential(0.1, 10, 0.9),
    "natural_exponential": schedules.natural_exponential(0.1, 10, 0.9),
    "inverse_time": schedules.inverse_time(0.1, 10, 0.5),
    "inverse_sqrt": schedules.inverse_sqrt(0.1, 10),
    "polynomial": schedules.polynomial(0.1, 100),
    "cosine": schedules.cosine(0.1, 100),
    "cosine_restarts": schedules.cosine_restarts(0.1, 10),
    "linear_cosine": schedules.linear_cosine(0.1, 100),
    "noisy_linear_cosine": schedules.noisy_linear_cosine(0.1, 100),
    "triangular": schedules.triangular(0.01, 0.1, 10),
    "one_cycle": schedules.one_cycle(0.1, 100),
    "warmup_stable_decay": schedules.warmup_stable_decay(0.1, 10, 10, 10),
    "with_warmup": schedules.with_warmup(schedules.constant(0.1), 10),
}
_RULES = ("GradientDescent", "Adagrad", "RMSprop", "Adam", "AdamW")


def cheat_sheet() -> Page:
    """Return the page of formulas, defaults and limits.

    Example:
        >>> cheat_sheet().title
        'The learning rate on one page'
    """
    limits = [(name, f"${formula}$", f"{at_09:.4g}") for name, formula, at_09 in limits_of(1)]
    rules, families = list(map(_rule, _RULES)), list(map(_schedule, _EXAMPLES))
    stable = "Largest stable rate at curvature λ (Adam: λ after division by σ)"
    tables = (
        TextTable(("rule", "formula", "defaults"), rules, "Update rules"),
        TextTable(("rule", "limit", "for λ = 1 and β = 0.9"), limits, stable),
        TextTable(
            ("schedule", "formula", "defaults"), families, "Schedules (t counts updates from 0)"
        ),
        TextTable(("what", "number"), _NUMBERS, "Numbers to remember"),
    )
    return Page("The learning rate on one page", tables)


def limits_of(curvature: float, beta: float = 0.9) -> tuple[tuple[str, str, float], ...]:
    r"""Return the largest stable rate of each rule on a parabola: name, formula, number.

    .. math:: \frac{2}{\lambda}, \quad \frac{2(1+\beta)}{\lambda}, \quad
        \frac{2(1+\beta)}{(1+2\beta)\lambda}, \quad
        \frac{2(1+\beta)}{(1-\beta)\lambda}

    The last is that of a momentum which *averages*, as Adam's does; its curvature is that of the
    loss divided by the root of the averaged squares.

    Args:
        curvature: λ > 0.
        beta: the momentum, in [0, 1).

    Source: Cohen et al. 2022, arXiv:2207.14484, for Adam.

    Example:
        >>> [round(limit, 3) for _, _, limit in limits_of(1.0)]
        [2.0, 3.8, 1.357, 38.0]
    """
    c = validate.positive("curvature", curvature)
    b = validate.between("beta", beta, 0, 1, open_high=True)
    return (
        ("gradient descent", r"2/\lambda", 2 / c),
        ("momentum (heavy ball)", r"2(1+\beta)/\lambda", 2 * (1 + b) / c),
        ("Nesterov", r"2(1+\beta)/((1+2\beta)\lambda)", 2 * (1 + b) / ((1 + 2 * b) * c)),
        ("Adam", r"2(1+\beta_1)/((1-\beta_1)\lambda)", 2 * (1 + b) / ((1 - b) * c)),
    )


_NUMBERS = (
    ("best rate on a parabola of curvature λ", r"$1/\lambda$"),
    ("best rate for curvatures from λmin to λmax", r"$2/(\lambda_{max}+\lambda_{min})$"),
    (
        "factor per step at that rate",
        r"$(\kappa-1)/(\kappa+1),\ \kappa=\lambda_{max}/\lambda_{min}$",
    ),
    (
        "loss of a classifier that only guesses among C classes",
        r"$\ln C$; 2.303 for 10, 4.605 for 100",
    ),
    ("floor of gradient descent with gradient noise σ", r"$\eta\sigma^2/(2(2-\eta\lambda))$"),
    ("steps when the rate is divided by ten", "ten times as many, for the same path"),
    ("spacing of a first grid of rates", "a factor of 3, on a logarithmic axis"),
    ("Keras `l2(x)` in PyTorch", "`weight_decay=2*x`, and for kernels only"),
)


def _rule(name: str) -> tuple[str, str, str]:
    """Name, formula and defaults of an update rule, from its docstring and its signature."""
    rule = getattr(optimizers, name)
    block = inspect.getdoc(rule).partition(".. math::")[2].partition("\n\n")[0]
    return name, _inline(block), _defaults(rule)


def _schedule(name: str) -> tuple[str, str, str]:
    return name, _inline(_EXAMPLES[name].formula), _defaults(getattr(schedules, name))


def _inline(formula: str) -> str:
    """A displayed formula as one that fits into a cell of a table."""
    formula = formula.replace(r"\\", r",\quad").replace("&", " ").replace("|", r"\vert ")
    return "$" + " ".join(formula.split()) + "$"


def _defaults(function: object) -> str:
    """The arguments with their default values; those without one by name alone."""
    parameters = inspect.signature(function).parameters.values()
    return ", ".join(
        p.name if p.default is p.empty else f"{p.name} = {p.default}" for p in parameters
    )
