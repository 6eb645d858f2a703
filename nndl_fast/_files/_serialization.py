"""Networks in files: ``.npz`` without pickle, and the JSON of the book's ``network2.py``."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Sequence
from os import PathLike
from typing import IO, Any

import numpy as np

from .. import costs
from .._runtime._text import printable
from .._runtime._types import HIDDEN, Array
from . import _archives, _encoding, _replacing, _state_dict

Content = tuple[dict[str, Any], list[Array], list[Array]]

_FORMAT = "nndl_fast network 1"
_MOST = 10  # how far a file may be compressed; save compresses nothing, and parameters hardly can be
_KEY = "nndl_fast"  # of the header in a safetensors file, whose metadata are texts by name
_NAMES = ("classes", "features")  # lists that a header may have
OPTIONAL = (*_NAMES, "table")


def save(
    filename: str | PathLike[str], header: dict[str, Any], biases: Sequence[Array], weights: Sequence[Array]
) -> None:
    """Writes what :func:`load` reads; the old file is whole until the new one is."""
    try:
        _check(header, biases, weights)
    except ValueError as error:
        raise ValueError(f"save: the network cannot be saved: {error}") from error
    text = json.dumps({"format": _FORMAT, **header})
    if _is_safetensors(filename):
        content = _safetensors().save(_state_dict.of_layers(biases, weights), metadata={_KEY: text})
        with _replacing.replacing(filename) as file:
            file.write(content)
        return
    arrays = {f"biases_{i}": b for i, b in enumerate(biases)} | {
        f"weights_{i}": w for i, w in enumerate(weights)
    }
    with _replacing.replacing(filename) as file:
        np.savez(file, header=np.frombuffer(text.encode(), np.uint8), **arrays)  # type: ignore[arg-type]


def check_place(filename: str | PathLike[str]) -> None:
    """Raises what :func:`save` would raise whatever the network is; of an old file nothing changes."""
    if _is_safetensors(filename):
        _safetensors()
    _replacing.check(filename)


def _is_safetensors(filename: str | PathLike[str]) -> bool:
    return os.fsdecode(filename).lower().endswith(".safetensors")


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
    try:
        file = _archives.open_regular(filename)
    except ValueError as error:
        raise ValueError(f"load: {error}") from error
    with file:
        start = file.read(64)
        file.seek(0)
        try:
            read = _read_npz
            if start.lstrip()[:1] == b"{":
                read = _read_json
            elif start[8:9] == b"{":  # after the header's length
                read = _read_safetensors
            header, biases, weights = read(file)
            _check(header, biases, weights)
        except ModuleNotFoundError:
            raise
        except Exception as error:  # whatever the decoders of zip, NumPy and JSON meet in a damaged file
            name = printable(os.fsdecode(filename))
            raise ValueError(f"load: {name} does not hold a network: {printable(error)}") from error
    return header, biases, weights


def name_of(cost: Any) -> str:
    """What stands for a cost in a file: its class's name; with its module's, if one of ours has the same."""
    cost = cost if hasattr(cost, "__name__") else type(cost)
    name: str = cost.__name__
    return name if costs.BY_NAME.get(name, cost) is cost else f"{cost.__module__}.{name}"


def cost_named(name: str, filename: str | PathLike[str]) -> Any:
    if name not in costs.BY_NAME:
        raise ValueError(
            f"load: {printable(os.fsdecode(filename))} was trained with the cost {name!r}, which is not one "
            f"of {', '.join(costs.BY_NAME)}; give the class as cost="
        )
    return costs.BY_NAME[name]


def _header(text: str) -> dict[str, Any]:
    header = json.loads(text)
    if not isinstance(header, dict) or header.get("format") != _FORMAT:
        raise ValueError(f"its format is not {_FORMAT!r}")
    return header


def _read_npz(file: IO[bytes]) -> Content:
    if not zipfile.is_zipfile(file):
        raise ValueError("it is neither an .npz archive nor JSON")
    archive = _archives.Archive(file)
    size = _archives.size_of(file)
    if archive.bytes > _MOST * size:
        raise ValueError(
            f"it has {size} bytes and would unpack to {archive.bytes}, more than {_MOST} times as many"
        )
    if "header" not in archive.names:
        raise ValueError("it has no header")
    header = _header(archive.read("header").tobytes().decode())
    names = [[f"{kind}_{i}" for i in range(len(header["sizes"]) - 1)] for kind in ("biases", "weights")]
    _check(header, *([archive.describe(name) for name in side] for side in names))  # before any is unpacked
    biases, weights = ([archive.read(name) for name in side] for side in names)
    return header, biases, weights


def _read_safetensors(file: IO[bytes]) -> Content:
    from_bytes = _safetensors().load
    content = file.read()
    length = 8 + int.from_bytes(content[:8], "little")
    text = (json.loads(content[8:length]).get("__metadata__") or {}).get(_KEY)
    if text is None:
        raise ValueError(
            "it was not written by nndl_fast; make a Network of the same sizes and give it "
            "safetensors.numpy.load_file(filename) by load_state_dict, which takes the layers in the order "
            "of the numbers in their names"
        )
    header = _header(text)
    return header, *_state_dict.to_layers(from_bytes(content), header["sizes"])


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "safetensors files need safetensors: pip install 'nndl_fast[safetensors]'", name="safetensors"
        ) from None
    return safetensors.numpy


def _read_json(file: IO[bytes]) -> Content:
    content = json.loads(file.read().decode())
    header = {"sizes": content["sizes"], "cost": content["cost"], "hidden": "sigmoid"}
    return header, *([np.array(x, np.float64) for x in content[key]] for key in ("biases", "weights"))  # type: ignore[return-value]


def _check(header: dict[str, Any], biases: Sequence[Array], weights: Sequence[Array]) -> None:
    """Refuses what is no network, when one is saved as when one is loaded."""
    sizes, cost, hidden = header["sizes"], header["cost"], header["hidden"]
    if not isinstance(sizes, list) or len(sizes) < 2 or not all(type(n) is int and n > 0 for n in sizes):
        raise ValueError(f"its sizes are {sizes}; they must be two or more integers, each at least 1")
    if not isinstance(cost, str):
        raise ValueError(f"its cost is {cost!r}; it must be the name of a class")
    if hidden not in HIDDEN:
        known = ", ".join(map(repr, HIDDEN))
        raise ValueError(f"its hidden layers are {hidden!r}; they must be one of {known}")
    for name in _NAMES:
        names = header.get(name, [])
        if not isinstance(names, list) or not all(isinstance(item, (str, int, float)) for item in names):
            raise ValueError(f"its {name} are {names!r}; they must be a list of strings or numbers")
    if "table" in header:
        _encoding.from_json(header["table"], sizes[0])
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
