"""Networks in files: ``.npz`` without pickle, and the JSON of the book's ``network2.py``."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import zipfile
from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np

from . import _backpropagation, _replace, _state, costs
from ._types import Array

Content = tuple[dict[str, Any], list[Array], list[Array]]

_FORMAT = "nndl_fast network 1"
_KEY = "nndl_fast"  # of the header in a safetensors file, whose metadata are texts by name
OPTIONAL = ("classes", "features")  # lists of names that a header may have


def save(
    filename: str | PathLike[str], header: dict[str, Any], biases: Sequence[Array], weights: Sequence[Array]
) -> None:
    """Writes what :func:`load` reads; the old file is whole until the new one is."""
    try:
        _check(header, biases, weights)
    except ValueError as error:
        raise ValueError(f"save: the network cannot be saved: {error}") from error
    text = json.dumps({"format": _FORMAT, **header})
    if os.fsdecode(filename).lower().endswith(".safetensors"):
        from safetensors.numpy import save as to_bytes

        content = to_bytes(_state.of_layers(biases, weights), metadata={_KEY: text})
        with _replace.replacing(filename) as file:
            file.write(content)
        return
    arrays = {f"biases_{i}": b for i, b in enumerate(biases)} | {
        f"weights_{i}": w for i, w in enumerate(weights)
    }
    with _replace.replacing(filename) as file:
        np.savez(file, header=np.frombuffer(text.encode(), np.uint8), **arrays)  # type: ignore[arg-type]


def digest(arrays: Sequence[Array]) -> str:
    """The first 16 digits of the SHA-256 of shapes, dtypes and elements, least significant byte first."""
    sha = hashlib.sha256()
    for array in arrays:
        dtype = array.dtype.newbyteorder("<")
        sha.update(f"{array.shape} {dtype.str} ".encode())
        sha.update(np.ascontiguousarray(array, dtype).tobytes())
    return sha.hexdigest()[:16]


def load(filename: str | PathLike[str]) -> Content:
    """(header, biases, weights); a ValueError that names the file if it does not hold a network."""
    if not stat.S_ISREG(os.stat(filename).st_mode):  # a pipe, say, that nobody writes to
        raise ValueError(f"load: {os.fspath(filename)} is not a regular file")
    with open(filename, "rb") as file:
        start = file.read(64)
    try:
        read = _read_npz
        if start.lstrip()[:1] == b"{":
            read = _read_json
        elif start[8:9] == b"{":  # after the header's length
            read = _read_safetensors
        header, biases, weights = read(filename)
        _check(header, biases, weights)
    except Exception as error:  # whatever the decoders of zip, NumPy and JSON meet in a damaged file
        raise ValueError(f"load: {os.fspath(filename)} does not hold a network: {error}") from error
    return header, biases, weights


def name_of(cost: Any) -> str:
    """What stands for a cost in a file: its class's name; with its module's, if one of ours has the same."""
    cost = cost if hasattr(cost, "__name__") else type(cost)
    name: str = cost.__name__
    return name if costs.BY_NAME.get(name, cost) is cost else f"{cost.__module__}.{name}"


def cost_named(name: str, filename: str | PathLike[str]) -> Any:
    if name not in costs.BY_NAME:
        raise ValueError(
            f"load: {os.fspath(filename)} was trained with the cost {name!r}, which is not one of "
            f"{', '.join(costs.BY_NAME)}; give the class as cost="
        )
    return costs.BY_NAME[name]


def _header(text: str) -> dict[str, Any]:
    header = json.loads(text)
    if not isinstance(header, dict) or header.get("format") != _FORMAT:
        raise ValueError(f"its format is not {_FORMAT!r}")
    return header


def _read_npz(filename: str | PathLike[str]) -> Content:
    if not zipfile.is_zipfile(filename):
        raise ValueError("it is neither an .npz archive nor JSON")
    with open(filename, "rb") as file, np.load(file, allow_pickle=False) as archive:
        if "header" not in archive.files:
            raise ValueError("it has no header")
        header = _header(archive["header"].tobytes().decode())
        layers = range(len(header["sizes"]) - 1)
        return header, [archive[f"biases_{i}"] for i in layers], [archive[f"weights_{i}"] for i in layers]


def _read_safetensors(filename: str | PathLike[str]) -> Content:
    from safetensors import safe_open

    with safe_open(filename, framework="numpy") as file:
        text = (file.metadata() or {}).get(_KEY)
        if text is None:
            raise ValueError(
                "it was not written by nndl_fast; make a Network of the same sizes and give it "
                "safetensors.numpy.load_file(filename) by load_state_dict"
            )
        state = {name: file.get_tensor(name) for name in sorted(file.keys(), key=_place)}
    return _header(text), *_state.to_layers(state)


def _place(name: str) -> int:
    """Of a layer: the tensors of a file have an order of their own."""
    return int(name.partition(".")[0])


def _read_json(filename: str | PathLike[str]) -> Content:
    with open(filename, encoding="utf-8") as file:
        content = json.load(file)
    header = {"sizes": content["sizes"], "cost": content["cost"], "hidden": "sigmoid"}
    return header, *([np.array(x, np.float64) for x in content[key]] for key in ("biases", "weights"))  # type: ignore[return-value]


def _check(header: dict[str, Any], biases: Sequence[Array], weights: Sequence[Array]) -> None:
    """Refuses what is no network, when one is saved as when one is loaded."""
    sizes, cost, hidden = header["sizes"], header["cost"], header["hidden"]
    if not isinstance(sizes, list) or len(sizes) < 2 or not all(type(n) is int and n > 0 for n in sizes):
        raise ValueError(f"its sizes are {sizes}; they must be two or more integers, each at least 1")
    if not isinstance(cost, str):
        raise ValueError(f"its cost is {cost!r}; it must be the name of a class")
    if hidden not in list(_backpropagation.ACTIVATIONS):
        known = ", ".join(map(repr, _backpropagation.ACTIVATIONS))
        raise ValueError(f"its hidden layers are {hidden!r}; they must be one of {known}")
    for name in OPTIONAL:
        names = header.get(name, [])
        if not isinstance(names, list) or not all(isinstance(item, (str, int, float)) for item in names):
            raise ValueError(f"its {name} are {names!r}; they must be a list of strings or numbers")
    for name, arrays in (("biases", biases), ("weights", weights)):
        if len(arrays) != len(sizes) - 1:
            raise ValueError(f"it has {name} of {len(arrays)} layers; sizes {sizes} need {len(sizes) - 1}")
        for layer, (array, inputs, n) in enumerate(zip(arrays, sizes, sizes[1:]), 1):
            what, shape = f"its {name} of layer {layer}", (n, 1 if name == "biases" else inputs)
            if not isinstance(array, np.ndarray):
                raise ValueError(f"{what} are of type {type(array).__name__}; they must be an array")
            if array.shape != shape:
                raise ValueError(f"{what} have shape {array.shape}; it must be {shape}")
            if array.dtype not in (np.float32, np.float64):
                raise ValueError(f"{what} have dtype {array.dtype}; it must be float32 or float64")
            if array.dtype != biases[0].dtype:
                raise ValueError(
                    f"{what} have dtype {array.dtype}; it must be that of its first biases, {biases[0].dtype}"
                )
