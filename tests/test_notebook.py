"""What is seen in a notebook: run in a kernel of Jupyter."""

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
pytest.importorskip("tqdm")

CELL = """
import nndl_fast as nf
net = nf.Network([64, 10, 10], rng=0)
lists = net.SGD(nf.datasets.load_digits()[0], 3, 10, 0.5)
"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Jupyter's own, about event loops and folders
def test_training_shows_a_bar_in_a_notebook(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    options = {"timeout": 120, "kernel_name": "python3", "resources": {"metadata": {"path": str(tmp_path)}}}
    nbclient.NotebookClient(notebook, **options).execute()
    outputs = notebook.cells[0].outputs
    shown = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs]
    assert any("3/3" in text or "0/3" in text or "epoch" in text for text in shown), outputs
