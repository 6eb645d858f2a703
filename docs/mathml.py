"""Formulas as MathML, which browsers show themselves: no script and no network.

Docstrings have formulas as one types them, since ``help()`` shows them so. Here they are typeset.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from latex2mathml.converter import convert

# As a docstring has it, and in LaTeX.
FORMULAS = {
    "a_j = e^{c z_j} / sum_k e^{c z_k}": r"a_j = \frac{e^{c z_j}}{\sum_k e^{c z_k}}",
    "c (z_j - max) - ln(sum)": r"c (z_j - \max_k z_k) - \ln \sum_k e^{c (z_k - \max)}",
    "ln sum_k e^{z_k}": r"\ln \sum_k e^{z_k}",
    "z_j = ln a_j + C": r"z_j = \ln a_j + C",
    "da_j/dz_k = a_j (1[j = k] - a_k)": r"\frac{\partial a_j}{\partial z_k} = a_j ([j = k] - a_k)",
    "c a_j (g_j - sum_k g_k a_k)": r"c\, a_j \left(g_j - \sum_k g_k a_k\right)",
    "-sum_k y_k ln a_k": r"-\sum_k y_k \ln a_k",
    "-sum_j y_j ln a_j": r"-\sum_j y_j \ln a_j",
    "sum_k w_k y_k": r"\sum_k w_k y_k",
    "z = a w^T + b": r"z = a w^\top + b",
    "1 / (1 + e^-z)": r"\frac{1}{1 + e^{-z}}",
    "lmbda / 2n sum w^2": r"\frac{\lambda}{2 n} \sum w^2",
    "C = ``|a - y|^2 / 2``": r"C = \tfrac{1}{2} \lVert a - y \rVert^2",
    "(a - y) sigma'(z)": r"(a - y)\, \sigma'(z)",
    "C = -ln a_y": r"C = -\ln a_y",
    "-sum (y ln a + (1 - y) ln(1 - a))": r"-\sum (y \ln a + (1 - y) \ln(1 - a))",
    "-(y ln a + (1 - y) ln(1 - a))": r"-(y \ln a + (1 - y) \ln(1 - a))",
    "(1 - s) y + s / n": r"(1 - s)\, y + s / n",
    "delta = a - y": r"\delta = a - y",
    "(a - y) / n": r"(a - y) / n",
    "sigma(z) (1 - sigma(z))": r"\sigma(z)\, (1 - \sigma(z))",
    "sigma(z) - y": r"\sigma(z) - y",
}


def typeset(text: str) -> str:
    for plain, latex in FORMULAS.items():
        text = text.replace(plain, f":math:`{latex}`")
    return text


def of_docstring(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    lines[:] = [line if line.lstrip().startswith(">>>") else typeset(line) for line in lines]


def inline(self: Any, node: nodes.math) -> None:
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def displayed(self: Any, node: nodes.math_block) -> None:
    self.body.append(f'<div class="math">{convert(node.astext(), display="block")}</div>\n')
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (inline, None), (displayed, None))
    app.connect("autodoc-process-docstring", of_docstring)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
