"""Predictions of lesson 5 on loss spikes and on weight decay."""

from __future__ import annotations

from course_utils.course.exercises import Lesson, grade_choice, grade_number

question = Lesson(5).question

spike_threshold = question(
    "spike_threshold",
    "At which value of rate/σ × curvature does Adam with β1 = 0.5 become unstable?",
    grade_number(
        6,
        mistakes={
            2: "2 is the limit without an averaged direction, β1 = 0.",
            38: "38 belongs to β1 = 0.9.",
            3: "2(1+β) is the heavy ball's limit. Adam's average has a factor 1−β more.",
            4: "2/(1−β): and the factor 1+β?",
            2 / 3: "you have numerator and denominator exchanged.",
        },
        otherwise="put β1 = 0.5 into 2(1+β1)/(1−β1).",
        right="2 · 1.5 / 0.5 = 6. The spike begins when the meter is between 6 and 7.",
        near=1e-3,
        rtol=1e-3,
    ),
    hints=(
        "The threshold is 2 for β1 = 0 and 38 for β1 = 0.9.",
        "The heavy ball is stable up to 2(1+β)/λ; Adam's m is (1−β) times its velocity.",
    ),
    solution=6,
    explanation="2(1+β1)/(1−β1) with β1 = 0.5.",
)

decay_and_rate = question(
    "decay_and_rate",
    'AdamW, rate four times as large. The best λ, by test loss: "a quarter", "the same", "four '
    'times"?',
    grade_choice(
        "the same",
        {
            "a quarter": "then rate × λ stays, and so does the time in which a weight is "
            "forgotten. But these networks run long enough to memorize: what limits them?",
            "the same": "The gradient's pull is multiplied by the rate as well: λ is what the two "
            "balance at.",
            "four times": "a longer step already shrinks more, by rate × λ.",
        },
    ),
    hints=(
        "One update moves a weight by rate × (direction + λ · weight).",
        "A weight is at rest where direction = −λ · weight. Where is the rate in this?",
    ),
    solution="the same",
    explanation="In loss, on 200 noisy digits for 1500 updates: 1/4 at the rates 1/256 to 1/64.",
)
