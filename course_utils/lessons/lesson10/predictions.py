"""Predictions of lesson 10, asked before what answers them."""

from __future__ import annotations

from course_utils.course.exercises import Lesson, grade_choice, grade_number

question = Lesson(10).question


what_is_logged = question(
    "what_is_logged",
    "A line from 1 to 0 over 4 updates; get_last_lr() is logged after scheduler.step(). First?",
    grade_number(
        0.75,
        mistakes={
            1.0: "that is what the first update *used*. When the loop logs, scheduler.step() has "
            "already set the next rate.",
            0.8: "that would be five steps down. Four updates use 1, 0.75, 0.5, 0.25.",
            0.5: "that is two steps down. One scheduler.step() has been made.",
            0.0: "that is the last number that is logged, and no update uses it.",
        },
        otherwise="the rates of the four updates are 1, 0.75, 0.5, 0.25. Which one is set after "
        "the first scheduler.step()?",
        right="0.75, the rate of the *second* update. The log is one update ahead of the training.",
        near=2e-6,
        rtol=1e-3,
    ),
    hints=("In which order do optimizer.step(), scheduler.step() and the log stand?", "1 − 1/4"),
    solution=0.75,
    explanation="get_last_lr() is the last rate that the scheduler *set*, for the next update.",
)

resume_order = question(
    "resume_order",
    "Load the optimizer; make a LambdaLR, load it. Next rate: A as planned, B of step 0, C error?",
    grade_choice(
        "B",
        {
            "A": "so one thinks. But *making* a scheduler writes a rate into the optimizer, after "
            "the right one was loaded.",
            "B": "Making a LambdaLR sets the rate of step 0. Loading its state gives the counter "
            "back, not the rate: that comes right one update later.",
            "C": "nothing complains: all states fit.",
        },
    ),
    hints=(
        "What is the optimizer's rate right after LambdaLR(optimizer, ...) was called?",
        "Who writes the rate: the scheduler's load_state_dict, or its step?",
    ),
    solution="B",
    explanation="One update at the rate of step 0, amid the run; with some schedulers all "
    "later ones are wrong, too.",
)

accumulated = question(
    "accumulated",
    "Line 1 to 0 over 4 updates of 2 mini-batches; a scheduler.step() per mini-batch. Third rate?",
    grade_number(
        0.0,
        mistakes={
            0.5: "that is the plan. The scheduler has made five steps by then, not two.",
            0.25: "that is the second update: three steps of the scheduler, 1 − 3/4.",
            0.375: "that is for a plan of 8 steps, which counts mini-batches.",
            -0.25: "the line ends at 0 and stays there: max(0, 1 − 5/4).",
        },
        otherwise="before the third update there have been five mini-batches, so five steps.",
        right="0.75, 0.25, 0, 0: the plan is over after two updates, and the rest trains nothing.",
        near=2e-6,
        atol=1e-3,
    ),
    hints=(
        "Before the third update five mini-batches are through, and each stepped the scheduler.",
        "max(0, 1 − 5/4)",
    ),
    solution=0.0,
    explanation="The schedule counts mini-batches, the plan updates: it runs twice too fast.",
)

clipped_best = question(
    "clipped_best",
    "SGD, gradients longer than c = 0.1. Best nominal rate: A smaller, B same, C ten times larger?",
    grade_choice(
        "C",
        {
            "A": "clipping does make the steps smaller; so the rate has to be ...?",
            "B": "that is Adam's answer, which divides by the size of the gradient anyway.",
            "C": "Most gradients are several times longer than 0.1. Clipping makes the steps so "
            "many times shorter, and the best rate is larger: what acts is the product.",
        },
    ),
    hints=("What is the length of a step, rate times clipped gradient?", "η · c against η · ‖g‖"),
    solution="C",
    explanation="The step is η · min(1, c/‖g‖) · g: clipping by c is a factor on the rate.",
)

last_rate = question(
    "last_rate",
    "Line over 8 updates for 64 examples in batches of 8; run on two processes. The last rate?",
    grade_number(
        0.625,
        mistakes={
            0.125: "that would be the eighth update. How many updates are there, with two batches "
            "to each?",
            0.25: "that is the end of a plan of 4. This plan was made for 8.",
            0.5: "that would be a fifth update. There are four.",
            0.0: "no update uses the end of the line, not even on one process.",
        },
        otherwise="each process has 4 batches, so there are 4 updates: 1, 0.875, ...",
        right="0.625: each process has 4 batches, and the line of 8 gets no further than 1 − 3/8.",
        near=2e-6,
        rtol=1e-3,
    ),
    hints=("How many batches of 8 has one process?", "1 − 3/8"),
    solution=0.625,
    explanation="The plan counts all batches, the updates take two of them at a time.",
)

warmup_length = question(
    "warmup_length",
    "Warm-up of 5, cosine of 10: warmup_cosine_decay_schedule(0.0, 0.1, 5, ?) of optax",
    grade_number(
        15,
        mistakes={
            10: "then 5 updates are left for the cosine: optax counts from update 0, with the "
            "warm-up.",
            5: "that is the warm-up alone.",
            14: "one short: the cosine is to take ten steps, from update 5 to update 15.",
        },
        otherwise="optax's decay_steps is the whole length, with the warm-up.",
        right="15 in optax and Transformers, 10 in Keras and in PyTorch's T_max.",
        near=2e-6,
    ),
    hints=("Is the warm-up a part of decay_steps?", "5 + 10"),
    solution=15,
    explanation="In optax `decay_steps` is the length of the whole schedule.",
)
