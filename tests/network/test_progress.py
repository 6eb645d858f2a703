"""What a training tells of its progress: monitors, the bar in a terminal and in a notebook, warnings."""

import io
import warnings

import numpy as np
import pytest
from networks import COSTS, problem

import nndl_fast as nf
from nndl_fast import QuadraticCost


def rows(n=7, features=4, seed=0):
    return np.random.default_rng(seed).standard_normal((n, features))


@pytest.mark.parametrize("cost", COSTS)
def test_monitors_are_what_the_methods_say_after_each_epoch(cost):
    data, evaluation = problem(23), problem(11, seed=1)
    net, by_hand, given = nf.Network([4, 5, 3], cost=cost, rng=0), [], []

    def ask(epoch, values):
        by_hand.append(
            (
                epoch,
                net.total_cost(evaluation, 0.3),
                net.accuracy(evaluation),
                net.total_cost(data, 0.3),
                net.accuracy(data),
            )
        )
        given.append((epoch, *values.values()))

    lists = net.SGD(data, 3, 4, 0.5, 0.3, evaluation, True, True, True, True, callback=ask)
    assert list(zip([1, 2, 3], *lists, strict=True)) == by_hand == given
    for wanted in range(4):
        lists = net.SGD(data, 2, 4, 0.5, 0.3, evaluation, *(wanted == i for i in range(4)))
        assert [len(values) for values in lists] == [2 * (wanted == i) for i in range(4)]


def test_without_a_terminal_training_is_silent(capfd):
    nf.Network([4, 5, 3], rng=0).SGD(problem(), 2, 4, 0.5, monitor_training_cost=True)
    assert capfd.readouterr() == ("", "")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("monitored", [False, True])
def test_a_terminal_shows_a_bar_with_cost_and_accuracy(monkeypatch, monitored):
    pytest.importorskip("tqdm")
    terminal, net = Terminal(), nf.Network([4, 5, 3], rng=0)
    monkeypatch.setattr("sys.stderr", terminal)
    net.SGD(problem(), 2, 4, 0.5, monitor_training_cost=monitored, monitor_training_accuracy=monitored)
    prefix = "training_" if monitored else ""
    last = terminal.getvalue().split("\r")[-1]
    assert "2/2" in last
    cost, accuracy = net.total_cost(problem(), 0), net.accuracy(problem())
    assert f"{prefix}cost={cost:.4f}, {prefix}accuracy={accuracy}" in last


CELL = """
import nndl_fast as nf
net = nf.Network([64, 10, 10], rng=0)
lists = net.SGD(nf.datasets.load_digits()[0], 3, 10, 0.5)
"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Jupyter's own, about event loops and folders
def test_training_shows_a_bar_in_a_notebook(tmp_path):
    """In a kernel of Jupyter. What the cell shows is how the bar began; where it ended is in its widgets."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    for needed in ("ipykernel", "ipywidgets", "tqdm"):
        pytest.importorskip(needed)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    options = {"timeout": 120, "kernel_name": "python3", "resources": {"metadata": {"path": str(tmp_path)}}}
    nbclient.NotebookClient(notebook, **options).execute()
    shown = [output.get("data", {}) for output in notebook.cells[0].outputs]
    assert any("application/vnd.jupyter.widget-view+json" in data for data in shown)
    widgets = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"].values()
    parts = {widget["model_name"]: [] for widget in widgets}
    for widget in widgets:
        parts[widget["model_name"]].append(widget["state"])
    (progress,) = parts["FloatProgressModel"]
    assert (progress["value"], progress["max"], progress["bar_style"]) == (3, 3, "success")
    assert any("3/3" in label["value"] for label in parts["HTMLModel"])


# Training that diverges


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize("dtype, eta", [(np.float32, 1e30), (np.float64, 1e200)])
def test_training_that_diverges_is_a_warning_with_the_epoch_and_ends(optimizer, dtype, eta):
    net = nf.Network([4, 5, 3], hidden="relu", dtype=dtype, rng=0)
    epochs = []
    with pytest.warns(RuntimeWarning, match=r"after epoch \d+\. A lower eta than 1e") as caught:
        lists = net.SGD(
            (rows(20), np.arange(20) % 3),
            2000,
            5,
            eta,
            lmbda=1.0,
            monitor_training_cost=True,
            optimizer=optimizer,
            callback=lambda epoch, values: epochs.append(epoch),
        )
    assert len(caught) == 1
    assert len(lists[2]) == epochs[-1] < 2000
    assert not all(np.isfinite(p).all() for p in net.biases + net.weights)


def test_training_that_diverges_leaves_the_best_epochs_network_where_it_is_kept():
    x, y = rows(60), np.arange(60) % 3
    net = nf.Network([4, 5, 3], hidden="relu", rng=0)
    with pytest.warns(RuntimeWarning, match="weights or biases are NaN or infinite after epoch 4"):
        rate = lambda epoch: 0.1 if epoch < 4 else 1e38  # noqa: E731
        lists = net.SGD((x, y), 9, 5, rate, lmbda=1.0, evaluation_data=(x, y), early_stopping_n=8)
    assert len(lists[1]) == 4
    assert net.accuracy((x, y)) == max(lists[1][:3])


def test_a_cost_that_is_infinite_is_a_warning_once_and_training_goes_on():
    class Infinite(QuadraticCost):
        @staticmethod
        def from_z(z, y):
            return np.inf

    net = nf.Network([4, 3], cost=Infinite, rng=0)
    with pytest.warns(RuntimeWarning, match="training_cost is inf after epoch 1") as caught:
        lists = net.SGD((rows(9), np.arange(9) % 3), 3, 5, 0.1, monitor_training_cost=True)
    assert (len(caught), len(lists[2])) == (1, 3)


def test_training_that_converges_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nf.Network([4, 3], rng=0).SGD((rows(9), np.arange(9) % 3), 3, 5, 0.1, monitor_training_cost=True)


def test_the_history_is_the_books_four_lists_with_names_and_a_repr():
    data = np.random.default_rng(0).standard_normal((30, 4)), np.arange(30) % 3
    history = nf.Network([4, 3], rng=0).SGD(data, 2, 10, 0.1, monitor_training_accuracy=True)
    evaluation_cost, evaluation_accuracy, training_cost, training_accuracy = history
    assert evaluation_cost == evaluation_accuracy == training_cost == [] and len(training_accuracy) == 2
    assert history.training_accuracy is training_accuracy and history == ([], [], [], training_accuracy)
    assert repr(history) == "<History: training_accuracy {} to {}>".format(*training_accuracy)
    assert repr(nf.Network([4, 3], rng=0).SGD(data, 1, 10, 0.1)) == "<History: nothing was monitored>"
