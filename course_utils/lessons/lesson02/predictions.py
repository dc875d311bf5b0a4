"""Predictions of lesson 2, asked before the figure that answers them."""

from __future__ import annotations

import math

from course_utils.course.exercises import (
    Lesson,
    choice,
    expect,
    grade_choice,
    grade_number,
    number,
    pair,
)

question = Lesson(2).question


which_arrives_first = question(
    "which_arrives_first",
    "Which rate brings (w+1)² below 1e-6 first: '0.01', '0.99', 'both' at once, or 'neither'?",
    grade_choice(
        "both",
        {
            "0.01": "it is careful, but is it faster? Compare |1 − 2η| for both rates.",
            "0.99": "its steps are long, but most of each step is spent on the way back.",
            "both": "The factors are +0.98 and −0.98: the same size, so the same speed, to the "
            "last step.",
            "neither": "both factors are below 1 in size, so both distances shrink to nothing.",
        },
    ),
    hints=("Each step multiplies the distance by 1 − 2η.", "The loss forgets the sign."),
    solution="both",
    explanation="|1 − 2·0.01| = |1 − 2·0.99| = 0.98.",
)


at_the_limit = question(
    "at_the_limit",
    "What is the loss (w+1)² after 1000 steps from w = 5 at the rate 1.0?",
    grade_number(
        36,
        mistakes={
            0: "then the distance would have to shrink. What is 1 − 2·1?",
            math.inf: "to diverge, the factor must be larger than 1 in size. What is 1 − 2·1?",
            144: "(2·6)² is where it lands if the distance doubles. What is 1 − 2·1?",
            6: "6 is the distance. The loss is its square.",
        },
        otherwise="the factor is −1: the distance 6 changes its sign and nothing else.",
        right="5, −7, 5, −7, …: the distance is 6 for ever, and the loss 36.",
    ),
    hints=("Each step multiplies the distance to −1 by 1 − 2η.", "The factor is −1."),
    solution=36,
    explanation="The distance is 6 before and after every step; only its sign changes.",
)


def _grade_who_sets_what(answer):
    parts = pair(answer, "give a pair: ('steep' or 'flat', …).")
    limit, time = (choice(part, ("steep", "flat")) for part in parts)
    expect(
        (limit, time) != ("flat", "steep"),
        "It is the other way round: the steep direction is the first to blow up, and the flat "
        "one the last to arrive.",
    )
    expect(limit == "steep", "The limit is 2/λ, so the *largest* λ gives the smallest limit.")
    expect(time == "flat", "The steep direction arrives early. Which one is still on its way?")
    return (
        "The steep direction sets the limit and, up to the best rate, the flat one the time. Their "
        "ratio is the trouble."
    )


who_sets_what = question(
    "who_sets_what",
    "Which direction sets the largest stable rate, and which the number of steps?",
    _grade_who_sets_what,
    hints=("The limit in each direction is 2/λ.", "With one rate, the factors are 1 − ηλ."),
    solution=("steep", "flat"),
    explanation="A stable rate must be below 2/λ_max; then the factor of the flat direction, "
    "1 − ηλ_min, is close to 1.",
)


above_the_limit_in_the_ravine = question(
    "above_the_limit_in_the_ravine",
    "At rate 0.1, above the limit 0.08 of the bottom: what does the run do?",
    grade_choice(
        "bounces",
        {
            "diverges": "on a parabola it would. These walls become straight: the slope is never "
            "above 5.",
            "settles": "the bottom has the curvature 25, and 0.1 is above 2/25: it cannot stay "
            "there.",
            "bounces": "Too large to settle at the bottom, and too gentle walls to be thrown out.",
            "crawls": "along the valley, yes. But what happens across, where it is steep?",
        },
    ),
    hints=(
        "The gradient across is 5·tanh(5x), so it is never larger than 5.",
        "A step across is never longer than 0.1 · 5.",
    ),
    solution="bounces",
    explanation="It is caught in a jump between the walls, from x to −x, where the step "
    "0.1·5·tanh(5x) is exactly 2x.",
)


def _grade_one_percent_above(answer):
    value = number(answer)
    expect(value > 0, f"You gave {value:g}: a factor between two losses is positive.")
    expect(
        value > 1.5, f"You gave {value:g}: one percent *per step* would be mild; 500 steps are not."
    )
    expect(
        value > 1e5,
        f"You gave {value:g}: much too small. The factor of one step is 1 − 2.02 = −1.02; "
        "the loss grows by its square, 500 times.",
    )
    expect(value < 1e10, f"You gave {value:g}: too large. What is 1.02 to the power of 1000?")
    return "1.02^1000 is 4·10⁸, and about a tenth of the first loss lies in that direction."


one_percent_above = question(
    "one_percent_above",
    "By what factor does the loss grow in 500 steps at 1.01 times the limit, within a hundredfold?",
    _grade_one_percent_above,
    hints=(
        "In the steepest direction the factor of one step is 1 − 1.01·2.",
        "The loss grows by the square of that, 500 times.",
    ),
    solution=4e7,
    explanation="(1 − 2.02)^1000 = 4·10⁸, times the share of the loss in the steepest direction.",
)


where_runs_leave = question(
    "where_runs_leave",
    "The sharpness of the road peaks at 3.8. Up to which rate does a run follow the road?",
    grade_number(
        2 / 3.8,
        mistakes={
            3.8: "that is the sharpness itself. The limit is 2 divided by it.",
            1 / 3.8: "1/λ is the rate that is best on a parabola; a run is stable up to 2/λ.",
            3.8 / 2: "turned over: the larger the curvature, the smaller the limit.",
            1: "at 1.0 the limit 2/η is 2, which the road passes early.",
        },
        otherwise="the steepest direction of the road sets the limit: 2/λ with λ = 3.8.",
        right="2/3.8 = 0.53: computed from a slow run, about runs that are faster.",
        near=0.03,
        rtol=0.06,
    ),
    hints=("Section 2.3: what is the largest stable rate where the curvature is λ?", "2/3.8"),
    solution=0.53,
    explanation="As long as 2/η lies above the sharpness of the road, a run stays on it.",
)


at_the_center = question(
    "at_the_center",
    "From the longest jump on: does the sharpness at the center of the jump 'rise', 'stay' or "
    "'fall'?",
    grade_choice(
        "fall",
        {
            "rise": "it did until then. If it went on, the run would not come back.",
            "stay": "so it is in the ravine of 2.4, which bounces for ever. This run comes back.",
            "fall": "The jumping itself drives the network to where the valley is less steep.",
        },
    ),
    hints=(
        "In the ravine the curvature of the bottom is 25, whatever the run does.",
        "The run returns to the road. What must have become smaller than 2/η?",
    ),
    solution="fall",
    explanation="From above 2/η to below it; that is why the jumps die out.",
)
