"""The fast output layer for NumPy neural networks, in the language of chapter 3 of Michael Nielsen's
*Neural Networks and Deep Learning*: softmax, the log-likelihood cost and the output error.

>>> import nndl_fast as nf
>>> nf.softmax([2.0, 3.0, 4.0]).round(4)
array([0.09  , 0.2447, 0.6652])
"""

try:
    from . import _core as _core
except ImportError as error:
    if error.name != __name__:  # it is there, and what it says is to be heard
        raise
    # In the source folder Python finds the source before the installed package, which alone has the compiled
    # core. All modules are then taken from there.
    import sys
    from importlib.machinery import PathFinder
    from os.path import dirname, realpath

    source = realpath(dirname(__path__[0]))
    installed = PathFinder.find_spec(__name__, [path for path in sys.path if realpath(path) != source])
    if installed is None or not installed.submodule_search_locations:
        raise ImportError(
            "nndl_fast's compiled core is missing: this is the source, and no nndl_fast is installed here; "
            "pip install . installs it"
        ) from error
    __path__[:] = installed.submodule_search_locations
    from . import _core as _core

from . import datasets, optimizers
from ._runtime import _threadpoolctl
from ._runtime._config import (
    __version__,
    get_include,
    get_num_threads,
    num_threads,
    set_num_threads,
    show_config,
)
from .costs import CrossEntropyCost, LogLikelihoodCost, QuadraticCost
from .functional import (
    activate,
    activation_backward,
    affine,
    affine_backward,
    binary_cross_entropy_cost,
    binary_cross_entropy_cost_and_delta,
    binary_cross_entropy_delta,
    cost_and_delta_from_activations,
    fit_sharpness,
    hardmax,
    inverse_softmax,
    linear_log_likelihood,
    log_likelihood_cost,
    log_likelihood_cost_and_delta,
    log_likelihood_delta,
    log_softmax,
    logsumexp,
    matmul,
    sigmoid,
    sigmoid_prime,
    softmax,
    softmax_backward,
    softmax_jacobian,
)
from .network import Network, load

__all__ = [
    "CrossEntropyCost",
    "LogLikelihoodCost",
    "Network",
    "QuadraticCost",
    "__version__",
    "activate",
    "activation_backward",
    "affine",
    "affine_backward",
    "binary_cross_entropy_cost",
    "binary_cross_entropy_cost_and_delta",
    "binary_cross_entropy_delta",
    "cost_and_delta_from_activations",
    "datasets",
    "fit_sharpness",
    "get_include",
    "get_num_threads",
    "hardmax",
    "inverse_softmax",
    "linear_log_likelihood",
    "load",
    "log_likelihood_cost",
    "log_likelihood_cost_and_delta",
    "log_likelihood_delta",
    "log_softmax",
    "logsumexp",
    "matmul",
    "num_threads",
    "optimizers",
    "set_num_threads",
    "show_config",
    "sigmoid",
    "sigmoid_prime",
    "softmax",
    "softmax_backward",
    "softmax_jacobian",
]

if _core.threads_by() == "pool":
    _threadpoolctl.register_when_imported()
