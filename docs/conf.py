"""How Sphinx makes the documentation: ``sphinx-build docs build/docs``. It needs the extra ``docs``."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from click.testing import CliRunner

import nndl_fast
from nndl_fast import cli

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER))
import pictures  # noqa: E402

# What the pages show and nobody should keep up by hand: pictures, and the help of the command line.
made = FOLDER / "made"
made.mkdir(exist_ok=True)
pictures.draw(made)
program = FOLDER.parent / "bench" / "pictures.py"
subprocess.run([sys.executable, str(program), str(made / "history.png")], check=True)
for words in ([], ["train"], ["predict"], ["evaluate"], ["bench"], ["info"]):
    text = CliRunner().invoke(cli.main, [*words, "--help"], prog_name="nndl-fast", terminal_width=80).output
    (made / f"{'-'.join(['help', *words])}.txt").write_text(text, encoding="utf-8")

project = "nndl_fast"
copyright = "the nndl_fast authors"
version = release = nndl_fast.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "numpydoc", "mathml"]
html_math_renderer = "mathml"
myst_enable_extensions = ["dollarmath"]
# Notebooks are run here: what they show is what this version does.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
exclude_patterns = ["made", "**.ipynb_checkpoints"]
myst_heading_anchors = 3
nitpicky = True
autodoc_typehints = "none"
numpydoc_show_class_members = False  # autodoc shows them
autosummary_generate = False  # numpydoc loads autosummary, which would import every module first
# which of PyTorch's builds fits a machine is for the machine's owner to say
autodoc_mock_imports = [name for name in ["torch", "onnx"] if find_spec(name) is None]
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["style.css"]
html_title = f"nndl_fast {version}"
html_copy_source = False
html_show_sphinx = False
