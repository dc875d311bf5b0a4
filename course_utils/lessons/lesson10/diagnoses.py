"""What a strip of recorded rates can mean: the nine diagnoses, and the right one of each strip."""

DIAGNOSES = {
    "A": "the scheduler was used up before the training began: somebody plotted it",
    "B": "the rate is set after an epoch, for an epoch that is over: everything comes one late",
    "C": "the training is longer than the cosine, which climbs back",
    "D": "a cosine that swings, where restarts were announced",
    "E": "made for epochs, but stepped after every update",
    "F": "the boundaries are in another unit, and are never reached",
    "G": "the schedule moves at every mini-batch, but only every fourth one is an update",
    "H": "a checkpoint without the schedule: it begins anew",
    "I": "nothing: this is what was announced",
}
"""The diagnoses of section 10.2, by letter."""

LOOKS = {
    "A": "the rate would be constant from the start, at the *last* value of the schedule",
    "B": "the first epoch would run at the optimizer's own rate, and the announced first value "
    "would appear in the second epoch",
    "C": "the rate would reach its lowest value at the announced time, and rise again after it",
    "D": "the rate would go down and up again in smooth waves, without a jump",
    "E": "the whole schedule would be over within an epoch or two, 31 times too early",
    "F": "the rate would be constant from the start, at the *first* value of the schedule",
    "G": "the whole schedule would be over after a quarter of the run",
    "H": "the rate would be as announced for a while, and then jump back to the first value",
    "I": "the solid line would lie on the dashed one",
}
"""How the strip would look under each diagnosis."""

MISTAKES = {
    1: (
        "B",
        "The optimizer's own 0.5 acts in the whole first epoch, the one the warm-up was for; "
        "then an epoch at rate 0 is thrown away. Set the rate before the epoch.",
        "Which rate does the first epoch use, and which one the second?",
    ),
    2: (
        "F",
        "The milestones count examples (15,000 and 22,500), the scheduler counts updates (930"
        " in all). Count both in updates.",
        "Is the constant the first value of the announced schedule or the last?",
    ),
    3: (
        "D",
        "CosineAnnealingLR with a short T_max is a wave: after a bottom it climbs back for as"
        " long as it fell. The class with restarts is CosineAnnealingWarmRestarts.",
        "A restart is a jump up. Do you see one?",
    ),
    4: (
        "A",
        "The loop that drew the curve stepped the same object 30 times; the training then "
        "runs at 0.125. PyTorch warned (step before optimizer.step), and nobody reads "
        "warnings. Plot another scheduler than the one that you train with.",
        "Is the constant the first value of the announced schedule or the last?",
    ),
    5: (
        "E",
        "0.85 per epoch was meant, 0.85 per update was run: 31 times too fast. The loss stops"
        " falling in the second epoch, and looks like a network that cannot learn more. Step "
        "once per epoch.",
        "By which factor is the time axis wrong: 4 or 31?",
    ),
    6: (
        "C",
        "T_max=20 and 30 epochs: PyTorch's formula is a cosine of period 2·T_max and does not"
        " stop. Keras, optax and TensorFlow stay at the bottom. Stop stepping there.",
        "What does cos do after π?",
    ),
    7: (
        "H",
        "The weights went on, the schedule did not: 12 epochs at large rates, and the run "
        "ends at 0.3. Save the scheduler's state; make both anew, then load both.",
        "What happened at epoch 18?",
    ),
    8: (
        "G",
        "The plan of 930 updates was over after 930 mini-batches, a quarter of the run; the "
        "rest ran at rate 0. Step the scheduler where the optimizer steps.",
        "By which factor is the time axis wrong: 4 or 31?",
    ),
}
"""Of each strip: the right letter, what it means, a hint."""
