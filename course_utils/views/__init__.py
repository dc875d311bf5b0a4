"""What draws and trains nothing: `from course_utils import views`, then `views.loss_curve`.

Here is what lessons use; the rest is in the modules. Live figures are in `views.explorer`, which
needs ipywidgets.
"""

from course_utils.views.curves import (
    loss_and_rate,
    loss_curve,
    losses,
    rate_strip,
    running_mean,
    schedule_gallery,
)
from course_utils.views.figure import (
    BLACK,
    BLUE,
    GRAY,
    GREEN,
    INFEASIBLE,
    RATE_LABEL,
    STEP_LABEL,
    VERMILLION,
    Picture,
    as_label,
    color,
    legend,
    line_style,
    log_ticks,
    subplots,
    suptitle,
    with_alt,
)
from course_utils.views.paths import draw_contours, draw_curve, trajectory
from course_utils.views.rates import differences, mark_rates, sensitivity_curve

__all__ = [
    "BLACK",
    "BLUE",
    "GRAY",
    "GREEN",
    "INFEASIBLE",
    "RATE_LABEL",
    "STEP_LABEL",
    "VERMILLION",
    "Picture",
    "as_label",
    "color",
    "legend",
    "line_style",
    "log_ticks",
    "subplots",
    "suptitle",
    "with_alt",
    "loss_and_rate",
    "loss_curve",
    "losses",
    "rate_strip",
    "running_mean",
    "schedule_gallery",
    "draw_contours",
    "draw_curve",
    "trajectory",
    "differences",
    "mark_rates",
    "sensitivity_curve",
]
