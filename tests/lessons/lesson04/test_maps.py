"""Maps: a star on the best setting, words for each row, gray where nothing arrived."""

import numpy as np
import pytest

from course_utils import views
from course_utils.lessons.lesson04.maps import draw_map

VALUES = [[30.0, np.inf, np.nan], [np.inf] * 3, [50.0, 7.0, 90.0]]


@pytest.mark.parametrize(
    ("lower", "star", "words"),
    [(True, (1.0, 2), ["30", "never", "7"]), (False, (10.0, 2), ["30", "never", "90"])],
)
def test_the_star_stands_on_the_best_and_rows_say_theirs(lower, star, words):
    ax = views.subplots()[1]
    image = draw_map(ax, [0.1, 1.0, 10.0], (0, 0.5, 0.9), VALUES, lower=lower)
    assert tuple(ax.lines[0].get_xydata()[0]) == star
    assert [text.get_text() for text in ax.texts] == words
    assert image.get_array().mask.sum() == 5


def test_a_map_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"values must have shape \(3, 2\)"):
        draw_map(views.subplots()[1], [0.1, 1.0], (0, 0.5, 0.9), VALUES)
