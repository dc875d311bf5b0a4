"""Tables: best rate, basin, intervals, the file format, and what an audit makes of it."""

import dataclasses
import json
import math

import numpy as np
import pytest

from course_utils.experiments import audit, files
from course_utils.experiments.intervals import estimate
from course_utils.experiments.sweep import sweep
from course_utils.experiments.table import Table, higher_is_better, load, save
from course_utils.run import Run
from course_utils.views import sensitivity_curve, subplots

NAN, INF = math.nan, math.inf


def make(lrs=(0.01, 0.1, 1.0), name="test_loss", means=(0.5, 0.3, 0.4), **others):
    """A table of two seeds that lie 0.02 apart around the given means."""
    both = {name: means} | others
    metrics = {n: np.column_stack([np.subtract(m, 0.01), np.add(m, 0.01)]) for n, m in both.items()}
    return Table(lrs, [0, 1], metrics)


# ------------------------------------------------------------------------------------ best, basin


@pytest.mark.parametrize("name", ["accuracy", "test_accuracy", "validation_accuracy", "x_accuracy"])
def test_accuracies_of_any_name_are_maximized(name):
    table = make(name=name, means=(0.9, 0.6, 0.5))
    assert higher_is_better(name) and table.best(name).lr == 0.01
    assert table.basin(name, 0.35).high == 0.1  # 0.6 is within 0.35 of 0.9, 0.5 is not
    assert table.at_best(name, name) == pytest.approx([0.89, 0.91])


@pytest.mark.parametrize("name", ["loss", "test_loss", "epochs", "accuracy_gap", "inaccuracy"])
def test_everything_else_is_minimized(name):
    assert not higher_is_better(name)
    assert make(name=name, means=(0.9, 0.6, 0.5)).best(name).lr == 1.0


def test_best_says_its_standard_error_and_when_the_grid_ends_too_early():
    best = make().best("test_loss")
    assert (best.index, best.lr, best.edge) == (1, 0.1, None)
    assert best.value == pytest.approx(0.3) and best.standard_error == pytest.approx(0.01)
    assert make().lrs[best] == 0.1 and "edge" not in str(best)
    low, high = make(means=(0.1, 0.3, 0.4)), make(means=(0.5, 0.3, 0.1))
    assert low.best("test_loss").edge == "low" and high.best("test_loss").edge == "high"
    assert "(on the low edge of the grid: extend it)" in str(low.best("test_loss"))
    unsorted = make(lrs=(1.0, 0.01, 0.1), means=(0.4, 0.5, 0.3))
    assert unsorted.best("test_loss").lr == 0.1 and unsorted.best("test_loss").edge is None
    assert make(lrs=[0.1], means=[0.5]).best("test_loss").edge is None
    tie = make(lrs=(1.0, 0.01, 0.1), means=(0.1, 0.1, 5.0))
    assert tie.best("test_loss").lr == tie.basin("test_loss", 0).low == 0.01


@pytest.mark.parametrize("lrs", [(1.0, 0.1, 0.01, 10.0), (0.1, 1.0, 10.0, 0.01)])
def test_of_equal_rates_the_smallest_is_best_and_its_basin_is_around_it(lrs):
    """In any order of the rates; 0.1 is bad, so that there are two basins."""
    means = [0.9 if lr == 0.1 else 0.5 for lr in lrs]
    table = make(lrs=lrs, means=means)
    assert table.best("test_loss").lr == 0.01
    assert tuple(table.basin("test_loss", 0.1)) == (0.01, 0.01, 0)


def test_a_rate_of_zero_is_infinitely_far_from_every_other():
    assert make(lrs=(0.0, 0.1, 1.0)).basin("test_loss", 1).decades == INF


def test_a_table_does_not_change_with_the_arrays_that_it_was_made_of():
    lrs, seeds, loss, diverged = np.array([0.1]), np.array([0]), np.ones((1, 1)), np.zeros((1, 1))
    table = Table(lrs, seeds, {"loss": loss}, diverged)
    for array in (lrs, seeds, loss, diverged):
        array[...] = 1
    assert (table.lrs, table.seeds, table.diverged, table.metrics["loss"]) == (0.1, 0, False, 1)


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize("name", ["test_loss", "test_accuracy"])
def test_one_seed_without_a_finite_value_loses_its_rate(bad, name):
    values = [[0.5, 0.5], [0.4, 0.4], [0.1, 0.1]]
    values[0 if name == "test_accuracy" else 2][1] = bad  # the rate that would have been best
    table = Table([0.01, 0.1, 1.0], [0, 1], {name: values})
    assert table.best(name).lr == 0.1
    basin = table.basin(name, np.finfo(float).max)
    assert (basin.low, basin.high) == ((0.1, 1.0) if name == "test_accuracy" else (0.01, 0.1))
    nothing = Table([0.1], [0], {name: [[bad]]})
    for question in (nothing.best, lambda m: nothing.basin(m, 1)):
        with pytest.raises(ValueError, match=f"no learning rate of this table has a finite {name}"):
            question(name)


def test_a_rate_at_which_a_seed_diverged_never_wins():
    table = dataclasses.replace(make(), diverged=[[0, 0], [0, 1], [0, 0]])
    assert table.best("test_loss").lr == 1.0
    assert table.basin("test_loss", 1).low == 1.0  # the diverged rate interrupts the range


def test_the_basin_is_the_unbroken_range_around_the_best():
    means = (0.90, 0.50, 0.89, 0.91, 0.2)
    table = make(lrs=(0.001, 0.01, 0.1, 1, 10), name="accuracy", means=means)
    low, high, decades = table.basin("accuracy", 0.02)
    assert (low, high) == (0.1, 1.0)  # 0.001 is good as well, but beyond a gap
    assert decades == pytest.approx(1) and table.basin("accuracy", 0.02).edge is None
    assert table.basin("accuracy", 0).decades == 0
    assert table.basin("accuracy", 1).edge == "both"
    assert make(means=(0.3, 0.31, 0.9)).basin("test_loss", 0.02).edge == "low"
    shuffled = make(
        lrs=(1, 0.01, 10, 0.001, 0.1), name="accuracy", means=(0.91, 0.5, 0.2, 0.9, 0.89)
    )
    assert tuple(shuffled.basin("accuracy", 0.02)) == (0.1, 1.0, decades)


def test_a_mean_exactly_at_the_tolerance_is_inside_whatever_the_rounding():
    for best in np.arange(100, 400):  # hits among 400 images: 8 of them are exactly two points
        hits = np.array([[best - 9], [best - 8], [best], [best - 8], [best - 9]])
        table = Table([0.01, 0.1, 1, 10, 100], [0], {"accuracy": hits / 400, "loss": -hits / 400})
        for metric in ("accuracy", "loss"):
            basin = table.basin(metric, 0.02)
            assert (basin.low, basin.high) == (0.1, 10), (best, metric)


# ----------------------------------------------------------------------- methods side by side


def test_a_metric_is_read_where_another_one_is_best():
    table = make(test_accuracy=(0.7, 0.8, 0.9))
    assert table.at_best("test_accuracy", by="test_loss") == pytest.approx([0.79, 0.81])


def test_a_difference_is_paired_by_seed_and_each_stands_at_its_own_best():
    a = Table([0.1, 1.0], [3, 4], {"loss": [[1.0, 2.0], [5.0, 6.0]]})
    b = Table([0.2, 2.0], [3, 4], {"loss": [[9.0, 9.0], [0.5, 1.75]]})
    assert a.difference(b, "loss", by="loss").tolist() == [0.5, 0.25]
    other = Table([0.1], [4, 3], {"loss": [[1.0, 2.0]]})
    with pytest.raises(ValueError, match=r"other must have the seeds \[3, 4\], got \[4, 3\]"):
        a.difference(other, "loss", by="loss")
    same = other.select(seeds=[3, 4])
    assert a.difference(same, "loss", by="loss").tolist() == [-1.0, 1.0]


# Printed in any book of tables, to four decimals: two-sided 95 % and 99 %.
STUDENT = {1: (12.7062, 63.6567), 2: (4.3027, 9.9248), 3: (3.1824, 5.8409), 4: (2.7764, 4.6041),
           9: (2.2622, 3.2498), 10: (2.2281, 3.1693), 30: (2.0423, 2.7500)}  # fmt: skip


@pytest.mark.parametrize("freedom", STUDENT)
@pytest.mark.parametrize("which", [0, 1])
def test_intervals_are_students(freedom, which):
    values = np.arange(freedom + 1.0)
    found = estimate(values, confidence=(0.95, 0.99)[which])
    error = math.sqrt((freedom + 1) * (freedom + 2) / 12 / (freedom + 1))  # of 0, 1, ..., freedom
    assert found.mean == freedom / 2 and found.standard_error == pytest.approx(error)
    assert (found.high - found.mean) / error == pytest.approx(STUDENT[freedom][which], abs=6e-5)
    assert found.mean - found.low == pytest.approx(found.high - found.mean)


@pytest.mark.parametrize("values", [[1.0], [1.0, NAN], [INF, 1.0], [INF, -INF]])
def test_without_two_finite_values_nothing_is_known(values):
    found = estimate(values)
    assert (found.low, found.high) == (-INF, INF) and math.isnan(found.standard_error)


def test_rates_are_found_on_a_logarithmic_axis():
    table = make(lrs=(0.0, 1e-5, 1.0), means=(1, 2, 3))
    assert [table.nearest(lr) for lr in (1e-300, 3.1e-3, 3.2e-3, 50)] == [1, 1, 2, 2]


def test_select_keeps_rates_and_seeds_in_the_order_given():
    values = np.arange(6.0).reshape(3, 2)
    table = Table([0.01, 0.1, 0.215443], [5, 7], {"loss": values}, values == 4, {"name": "x"})
    part = table.select(lrs=[0.215, 0.01], seeds=[7])
    assert part.lrs.tolist() == [0.215443, 0.01] and part.seeds.tolist() == [7]
    assert part.metrics["loss"].tolist() == [[5.0], [1.0]] and part.meta == {"name": "x"}
    assert part.diverged.tolist() == [[False], [False]]
    assert table.select(seeds=[5]).diverged.ravel().tolist() == [False, False, True]
    with pytest.raises(ValueError, match="lrs must be rates of this table, .*, got 0.102"):
        table.select(lrs=[0.102])


def test_a_sweep_comes_to_a_table_and_both_draw_the_same_curve():
    result = sweep([0.01, 0.1, 1e30], seeds=[0, 4], steps=60, evaluate_every=20)
    table = result.table
    np.testing.assert_array_equal(table.final("train_loss"), result.metrics["train_loss"][..., -1])
    assert table.diverged.tolist() == [[False] * 2, [False] * 2, [True] * 2]
    assert table.seeds.tolist() == [0, 4] and table.meta["steps"] == 60
    lines = [sensitivity_curve(subplots()[1], t, "train_loss").lines[0] for t in (result, table)]
    np.testing.assert_array_equal(*[line.get_xydata() for line in lines])


# ------------------------------------------------------------------------------------- files


AWKWARD = [0.1 + 0.2, 5e-324, 1.7976931348623157e308, -0.0, NAN, INF, -INF, 1 / 3]


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.delenv(audit.SHIFT, raising=False)
    return tmp_path / "05_speed.json"


def test_every_number_is_read_back_exactly(path):
    values = np.reshape(AWKWARD, (2, 4))
    table = Table([0.1, 1 / 3], [0, 2**40, 2, 3], {"ω": values}, values > 1, {"a": [1, "b"]})
    save(path, {"α = 0.1": table, "again": table}, command="python make.py", seconds=12.5)
    back = load(path)
    assert list(back) == ["α = 0.1", "again"]
    found = back["α = 0.1"]
    for name in ("lrs", "seeds", "diverged"):
        assert getattr(found, name).tobytes() == getattr(table, name).tobytes()
    assert found.metrics["ω"].tobytes() == values.tobytes()
    assert found.meta["a"] == [1, "b"]
    made = found.meta["provenance"]
    assert (made["command"], made["seconds"]) == ("python make.py", 12.5)
    assert made["seeds"] == [0, 2**40, 2, 3] and made["versions"]["numpy"] == np.__version__
    assert {"date", "machine"} <= set(made)
    json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda word: pytest.fail(word))
    assert len(path.read_text(encoding="utf-8").splitlines()) == 4  # a line per table: small diffs


def test_a_table_from_a_file_keeps_its_provenance(path):
    save(path, {"old": make()}, command="first", seconds=1)
    save(path, load(path) | {"new": make()}, command="second", seconds=2)
    made = {name: table.meta["provenance"]["command"] for name, table in load(path).items()}
    assert made == {"old": "first", "new": "second"}


def test_an_unfinished_write_leaves_the_old_file(path, monkeypatch):
    save(path, {"a": make()}, command="x")
    before = path.read_bytes()
    unfit = dataclasses.replace(make(), meta={"data": object()})
    with pytest.raises(ValueError, match=r"tables\['b'\].meta must hold plain JSON"):
        save(path, {"a": make(), "b": unfit}, command="y")
    with monkeypatch.context() as patch, pytest.raises(OSError, match="the disk is full"):
        patch.setattr("os.fsync", lambda handle: (_ for _ in ()).throw(OSError("the disk is full")))
        save(path, {"c": make()}, command="z")
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]


def test_runs_have_the_same_kind_of_file(path):
    run = Run([0.1, 0.1], [1.0, NAN], [2.0, INF], NAN, metrics={"step": [2], "x": [0.5]},
              meta={"seed": 3})  # fmt: skip
    files.save_runs(path, {"0.1": run}, command="python make.py", seconds=3)
    back = files.load_runs(path)["0.1"]
    assert Run.to_json(dataclasses.replace(back, meta=run.meta)) == run.to_json()
    assert back.meta["provenance"]["seeds"] == 3 and back.meta["seed"] == 3
    with pytest.raises(ValueError, match="must have the format 'learning rate tables', got 'learn"):
        load(path)


def edited(**changes):
    """How one table looks in a file, after some changes of its fields."""
    entry = {"lrs": [0.1], "seeds": [0], "metrics": {"x": [[1.0]]}, "diverged": [[0]], "meta": {}}
    entry = {k: v for k, v in (entry | changes).items() if v is not None}
    return {"format": "learning rate tables", "version": 1, "tables": {"A": entry}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "must name a whole file of the expected kind"),
        ("{", "must name a whole file of the expected kind"),
        (b"\xff\xfe\xff", "must name a whole file of the expected kind"),
        ("[" * 100_000, "must name a whole file of the expected kind"),
        ('{"format": NaN}', "expected kind, .* strict JSON has no NaN"),
        ("[]", "must have the format 'learning rate tables', got None"),
        ({"rates": {}}, "must have the format 'learning rate tables', got None"),
        ({"format": "learning rate tables"}, "must have version 1, got None"),
        (edited() | {"version": 2}, "must have version 1, got 2"),
        (edited() | {"tables": []}, "must have a dictionary 'tables', got "),
        (edited(lrs=None), r"tables\['A'\]: it must have the fields"),
        (edited(more=1), r"tables\['A'\]: it must have the fields"),
        (edited(lrs=[None]), r"tables\['A'\]: lrs must be an array of numbers"),
        (edited(lrs=["inf"]), r"tables\['A'\]: lrs must be an array of numbers"),
        (edited(seeds=[0.5]), r"tables\['A'\]: seeds must be different integers"),
        (edited(metrics=[]), r"tables\['A'\]: "),
        (edited(metrics={"x": [1.0]}), r"tables\['A'\]: "),
        (edited(metrics={"x": [[None]]}), r"tables\['A'\]: metrics must hold numbers, .* got None"),
        (edited(metrics={"x": [["1"]]}), r"tables\['A'\]: metrics must hold numbers, .* got '1'"),
        (edited(metrics={"x": [[True]]}), r"tables\['A'\]: metrics must hold numbers, .* got True"),
        (edited(metrics={"x": [[10**400]]}), r"tables\['A'\]: "),
        (edited(metrics={"x": [[1.0, 2.0]]}), r"tables\['A'\]: metrics\['x'\] must have shape"),
        (edited(diverged=[[2]]), r"tables\['A'\]: diverged must hold True and False only"),
        (edited(meta=[]), r"tables\['A'\]: meta must be a dictionary"),
    ],
)
def test_a_damaged_file_is_named(path, content, message):
    content = content if isinstance(content, (str, bytes)) else json.dumps(content)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ValueError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(path):
    with pytest.raises(FileNotFoundError, match="05_speed.json"):
        load(path)


# ------------------------------------------------------------------------------------- audit


def test_lessons_draw_their_seeds_from_one_helper(monkeypatch):
    for text in (None, "", "0", " 0 "):
        monkeypatch.delenv(audit.SHIFT, raising=False)
        if text is not None:
            monkeypatch.setenv(audit.SHIFT, text)
        assert audit.seeds(5) == [0, 1, 2, 3, 4] and audit.seeds(2, start=100) == [100, 101]
    monkeypatch.setenv(audit.SHIFT, "3")
    assert audit.seeds(5) == [3000, 3001, 3002, 3003, 3004]
    assert audit.seeds(2, start=100) == [3100, 3101]
    for text in ("-1", "1.5", "three", "²"):
        monkeypatch.setenv(audit.SHIFT, text)
        with pytest.raises(ValueError, match="COURSE_AUDIT_SHIFT must be an integer, 0 or greater"):
            audit.seeds(1)


def labeled(seeds, lrs=(0.1, 1.0)):
    """A table whose every cell is its seed; the first seed diverges at the second rate."""
    values = np.tile(np.asarray(seeds, dtype=float), (len(lrs), 1))
    diverged = values == seeds[0]
    diverged[0] = False
    return Table(lrs, seeds, {"loss": values}, diverged)


def test_an_audit_draws_the_seeds_of_recorded_tables_anew(path, monkeypatch, tmp_path):
    ten = list(range(10, 20))
    tables = {"a": labeled(ten), "b": labeled(ten, [0.5]), "c": labeled([7]),
              "d": labeled(range(30, 40))}  # fmt: skip
    save(path, tables, command="x")
    monkeypatch.setenv(audit.REPORT, str(tmp_path / "report.txt"))
    draws = {}
    for shift in range(1, 9):
        monkeypatch.setenv(audit.SHIFT, str(shift))
        back = load(path)
        draws[shift] = back["a"].final("loss")[0].astype(int).tolist()
        assert set(draws[shift]) <= set(ten) and back["a"].seeds.tolist() == ten
        assert back["a"].meta["drawn"] == draws[shift]
        assert back["a"].select(seeds=[12, 10]).meta["drawn"] == [draws[shift][2], draws[shift][0]]
        assert np.ptp(back["a"].final("loss"), axis=0).max() == 0  # a column is one seed
        np.testing.assert_array_equal(back["a"].diverged[1], back["a"].final("loss")[1] == 10)
        assert back["b"].final("loss")[0].astype(int).tolist() == draws[shift]  # still paired
        assert (back["a"].difference(back["b"], "loss", by="loss") == 0).all()
        assert set(back["d"].meta["drawn"]) <= set(range(30, 40))
        assert back["c"].final("loss").tolist() == [[7.0], [7.0]] and "drawn" not in back["c"].meta
        again = load(path)["a"].final("loss")[0].astype(int).tolist()
        assert again == draws[shift]  # every cell that loads the file sees the same
    assert len({tuple(draw) for draw in draws.values()}) == 8
    assert any(len(set(draw)) < 10 for draw in draws.values())  # with replacement
    assert set((tmp_path / "report.txt").read_text().splitlines()) == {"05_speed.json: c"}
    with pytest.raises(ValueError, match=r"tables\['a'\] has its seeds drawn anew, for an audit"):
        save(path, back, command="x")
    monkeypatch.setenv(audit.SHIFT, "0")
    assert load(path)["a"].final("loss")[0].tolist() == ten


def test_another_file_is_drawn_otherwise(monkeypatch):
    monkeypatch.setenv(audit.SHIFT, "1")
    draws = {tuple(audit.draw(f"{n}.json", range(20)).tolist()) for n in range(5)}
    assert len(draws) == 5


# --------------------------------------------------------------------------------- bad input


TABLE = make()
MASKED = np.ma.masked_array([[1.0]], [[True]])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Table([], [0], {}), ValueError, "lrs must not be empty"),
        (lambda: Table([[0.1]], [0], {}), ValueError, "lrs must have 1 dimension"),
        (lambda: Table([NAN], [0], {}), ValueError, "lrs must contain finite numbers"),
        (lambda: Table([-0.1], [0], {}), ValueError, "lrs must be 0 or greater"),
        (lambda: Table(["a"], [0], {}), TypeError, "lrs must be an array of numbers"),
        (lambda: Table([0.1], [], {}), ValueError, "seeds must be different integers, 0 or"),
        (lambda: Table([0.1], [-1], {}), ValueError, "seeds must be different integers, 0 or"),
        (lambda: Table([0.1], [1, 1], {}), ValueError, "seeds must be different integers, 0 or"),
        (lambda: Table([0.1], [2**63], {}), ValueError, "seeds must be different integers, 0 or"),
        (lambda: Table([0.1], 5, {}), ValueError, "seeds must be different integers, 0 or"),
        (lambda: Table([0.1], [0], []), TypeError, "metrics must be a dictionary"),
        (lambda: Table([0.1], [0], {1: [[1]]}), TypeError, "metrics must be a .* with strings as"),
        (lambda: Table([0.1], [0], {"x": [1]}), ValueError, r"metrics\['x'\] must have shape"),
        (lambda: Table([0.1], [0], {"x": MASKED}), ValueError, r".*x.. must not have masked"),
        (lambda: Table([0.1], [0], {"x": [["a"]]}), TypeError, r"metrics\['x'\] must be an array"),
        (lambda: Table([1, 2], [0], {"x": [[1], [1, 2]]}), ValueError, r"metrics\['x'\] must be"),
        (lambda: Table([0.1], [0], {}, [[0.5]]), ValueError, "diverged must hold True and False"),
        (lambda: Table([0.1], [0], {}, [True]), ValueError, "diverged must have shape"),
        (lambda: Table([0.1], [0], {}, None, 5), TypeError, "meta must be a dictionary .*, got 5"),
        (lambda: TABLE.best("loss"), ValueError, "metric must be one of 'test_loss', got 'loss'"),
        (lambda: TABLE.mean(["loss"]), ValueError, "metric must be one of 'test_loss'"),
        (lambda: TABLE.basin("test_loss", -1), ValueError, "tolerance must be 0 or greater"),
        (lambda: TABLE.basin("test_loss", NAN), ValueError, "tolerance must be a finite number"),
        (lambda: TABLE.at_best("x", "test_loss"), ValueError, "metric must be one of"),
        (lambda: TABLE.at_best("test_loss", "x"), ValueError, "by must be one of"),
        (lambda: TABLE.difference(5, "test_loss", "test_loss"), TypeError, "other must be a Table"),
        (lambda: TABLE.nearest(0), ValueError, "lr must be greater than 0"),
        (lambda: TABLE.select(lrs=0.1), TypeError, "lrs must be a list, got 0.1"),
        (lambda: TABLE.select(lrs=["a"]), TypeError, "lrs must be a number"),
        (lambda: TABLE.select(lrs=[]), ValueError, "lrs must not be empty"),
        (lambda: TABLE.select(seeds=[2]), ValueError, "seeds must be one of 0, 1, got 2"),
        (lambda: TABLE.select(seeds=1), TypeError, "seeds must be a list, got 1"),
        (lambda: TABLE.select(seeds=[1, 1]), ValueError, "seeds must be different"),
        (lambda: estimate([]), ValueError, "values must be a list of at least one"),
        (lambda: estimate([[1.0]]), ValueError, "values must be a list of at least one number"),
        (lambda: estimate("ab"), TypeError, "values must be an array of numbers"),
        (lambda: estimate([1, 2], 1), ValueError, r"confidence must be in \[0, 1\)"),
        (lambda: save("x", {}, command="c"), ValueError, "tables must be a dictionary that is not"),
        (lambda: save("x", [TABLE], command="c"), ValueError, "tables must be a dictionary"),
        (lambda: save("x", {"a": 1}, command="c"), TypeError, "tables must map names to Tables"),
        (lambda: save("x", {1: TABLE}, command="c"), TypeError, "tables must map names to Tables"),
        (lambda: save("x", {"a": TABLE}, command=""), ValueError, "command must be the line"),
        (lambda: save("x", {"a": TABLE}, command="c", seconds=-1), ValueError, "seconds must be 0"),
        (lambda: files.save_runs("x", {"a": 1}, command="c"), TypeError, "runs must map names to"),
        (lambda: audit.seeds(0), ValueError, "n must be 1 or greater"),
        (lambda: audit.seeds(1, start=-1), ValueError, "start must be 0 or greater"),
    ],
)  # fmt: skip
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
