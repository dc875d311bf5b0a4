"""Write tests/golden/digits.json: what scikit-learn made of its digits, as SHA-256 of each part.

    pip install scikit-learn==1.9.1 && python tests/golden/make_digits.py

The course ships the images (course_utils/experiments/digits.npz) and splits them itself. The tests
compare with this file, so that they need no scikit-learn.
"""

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import sklearn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

# (seed, images for training, for validation): usual, extremes, one in which rounding makes a draw.
CASES = [(seed, 1000, 397) for seed in range(8)]
CASES += [(0, 800, 500), (3, 1437, 180), (1, 500, 100), (2, 10, 10), (4, 1777, 10), (5, 10, 1777)]
CASES += [(2**32 - 1, 997, 398), (0, 1415, 84), (1, 1415, 84)]


def digest(x: np.ndarray, y: np.ndarray) -> str:
    return sha256(x.astype("<f4").tobytes() + y.astype("<i8").tobytes()).hexdigest()


def split(seed: int, n_train: int, n_validation: int) -> list[str]:
    x, y = load_digits(return_X_y=True)
    x_train, x, y_train, y = train_test_split(
        x / 16, y, train_size=n_train, stratify=y, random_state=seed
    )
    x_validation, x_test, y_validation, y_test = train_test_split(
        x, y, train_size=n_validation, stratify=y, random_state=seed
    )
    return [digest(x_train, y_train), digest(x_validation, y_validation), digest(x_test, y_test)]


if __name__ == "__main__":
    rows = ",\n".join(json.dumps([case, split(*case)]) for case in CASES)
    text = f'{{"scikit-learn": "{sklearn.__version__}", "splits": [\n{rows}\n]}}\n'
    Path(__file__).with_name("digits.json").write_text(text, encoding="utf-8")
