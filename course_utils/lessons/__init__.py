"""What one lesson needs and no other, one folder a lesson; the appendix alone imports others."""

from importlib import import_module
from pkgutil import iter_modules


def exercises() -> dict[int, tuple[str, ...]]:
    """Return the names of the exercises of each lesson, in the order of its notebook.

    A lesson declares them in its folder, so that they are known without importing its questions.

    Example:
        >>> exercises()[1][:2]
        ('write_gradient_descent', 'one_step_rate')
    """
    folders = sorted(m.name for m in iter_modules(__path__) if m.name.startswith("lesson"))
    return {
        int(name.removeprefix("lesson")): import_module(f"{__name__}.{name}").EXERCISES
        for name in folders
    }
