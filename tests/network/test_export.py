"""Networks in the formats of others: ONNX, safetensors, PyTorch's states."""

from collections import OrderedDict

import numpy as np
import pytest

import nndl_fast as nf
from nndl_fast import CrossEntropyCost, LogLikelihoodCost, QuadraticCost

NETWORKS = {
    "softmax": ([64, 30, 10], {}),
    "no hidden layer": ([64, 10], {"dtype": np.float64}),
    "sigmoid": ([64, 20, 15, 10], {"cost": CrossEntropyCost}),
    "tanh": ([64, 20, 10], {"hidden": "tanh", "cost": QuadraticCost, "dtype": np.float64}),
    "relu": ([64, 20, 10], {"hidden": "relu", "classes": list("abcdefghij")}),
    "numbers": ([64, 20, 3], {"classes": [10, -20, 30]}),
    "single": ([64, 5, 1], {"cost": CrossEntropyCost}),
    "single, named": ([64, 5, 1], {"cost": CrossEntropyCost, "classes": ["no", "yes"]}),
}


def network(name):
    sizes, options = NETWORKS[name]
    return nf.Network(sizes, rng=1, **options)


def examples(net, n=50):
    return np.random.default_rng(0).random((n, net.sizes[0])).astype(net.dtype)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("n", [1, 50])
def test_an_onnx_model_gives_what_the_network_predicts(tmp_path, name, n):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    net, path = network(name), tmp_path / "m.onnx"
    net.to_onnx(path)
    x = examples(net, n)
    label, probabilities = runtime.InferenceSession(path).run(["label", "probabilities"], {"x": x})
    np.testing.assert_array_equal(label, net.predict(x))
    assert probabilities.dtype == net.dtype
    assert np.abs(probabilities - net.predict_proba(x)).max() <= (1e-6 if net.dtype == np.float32 else 1e-14)


@pytest.mark.parametrize("hidden", [(), (10,)])
@pytest.mark.parametrize("kind", ["numbers", "text", "two"])
@pytest.mark.parametrize("by", ["method", "skl2onnx"])
def test_an_estimator_is_converted_by_its_method_and_as_a_step_of_a_pipeline(tmp_path, hidden, kind, by):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("sklearn")
    from sklearn.datasets import load_iris
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from nndl_fast.sklearn import SoftmaxClassifier

    x, y = load_iris(return_X_y=True)
    x = x.astype(np.float32)
    y = {"numbers": y + 5, "text": np.array(["a", "b", "c"])[y], "two": y > 0}[kind]
    if by == "method":
        fitted = SoftmaxClassifier(hidden, alpha=0.1, tol=0.01, random_state=0).fit(x, y)
        fitted.to_onnx(tmp_path / "m.onnx")
        model = str(tmp_path / "m.onnx")
    else:
        to_onnx = pytest.importorskip("skl2onnx").to_onnx
        import nndl_fast.onnx  # noqa: F401

        fitted = make_pipeline(
            StandardScaler(), SoftmaxClassifier(hidden, alpha=0.1, tol=0.01, random_state=0)
        )
        fitted.fit(x, y)
        model = to_onnx(fitted, x[:1], options={"zipmap": False}).SerializeToString()
    session = runtime.InferenceSession(model)
    label, probabilities = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_array_equal(label, fitted.predict(x))
    assert np.abs(probabilities - fitted.predict_proba(x)).max() <= 1e-6


def test_an_activation_of_ones_own_has_no_onnx_model(tmp_path):
    pytest.importorskip("onnx")

    class Own(LogLikelihoodCost):
        @staticmethod
        def activation(z):
            return z

    with pytest.raises(ValueError, match="to_onnx: the cost Own has an activation of its own"):
        nf.Network([4, 3], cost=Own).to_onnx(tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", NETWORKS)
def test_safetensors_hold_all_of_a_network(tmp_path, name):
    safetensors = pytest.importorskip("safetensors.numpy")
    net, path = network(name), tmp_path / "m.safetensors"
    net.features = [f"pixel {i}" for i in range(64)]
    net.save(path)
    again = nf.load(path)
    assert repr(again) == repr(net) and again.digest() == net.digest()
    assert (again.classes, again.features, again.dtype) == (net.classes, net.features, net.dtype)
    state = safetensors.load_file(path)
    assert sorted(state) == sorted(net.state_dict())
    for key, array in net.state_dict().items():
        np.testing.assert_array_equal(state[key], array)


def test_layers_keep_their_order_from_ten_on(tmp_path):
    pytest.importorskip("safetensors")
    net = nf.Network([3] * 13, rng=0)
    net.save(tmp_path / "m.safetensors")
    assert nf.load(tmp_path / "m.safetensors").digest() == net.digest()


def test_safetensors_of_others_and_damaged_ones_are_refused(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "m.safetensors"
    state = network("softmax").state_dict()
    path.write_bytes(safetensors.save(state))
    with pytest.raises(ValueError, match=r"was not written by nndl_fast; .* load_state_dict"):
        nf.load(path)
    net = nf.Network([64, 30, 10], rng=5)
    net.load_state_dict(safetensors.load_file(path))
    assert net.digest() == network("softmax").digest()
    net.save(path)
    content = path.read_bytes()
    for damaged in (
        content[:-1],
        content[:40],
        content.replace(b"nndl_fast network 1", b"nndl_fast network 9"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"m\.safetensors does not hold a network"):
            nf.load(path)


def test_a_state_goes_to_pytorch_and_comes_back():
    torch = pytest.importorskip("torch")
    from nndl_fast.torch import state_dict

    net = network("softmax")
    model = torch.nn.Sequential(torch.nn.Linear(64, 30), torch.nn.Sigmoid(), torch.nn.Linear(30, 10))
    model.load_state_dict(state_dict(net))
    x = examples(net)
    with torch.no_grad():
        a = torch.softmax(model(torch.from_numpy(x)), 1).numpy()
    np.testing.assert_allclose(a, net.predict_proba(x), atol=1e-6)

    class Named(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = torch.nn.Linear(64, 30), torch.nn.Linear(30, 10)

    other, module = nf.Network([64, 30, 10], rng=9), Named()
    other.load_state_dict(module.state_dict())
    for w, layer in zip(other.weights, (module.first, module.second)):
        np.testing.assert_array_equal(w, layer.weight.detach().numpy())


def test_layers_of_a_pytorch_module_have_its_own_order():
    torch = pytest.importorskip("torch")

    class Named(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.prepare, self.mix, self.end = (torch.nn.Linear(5, 5) for _ in range(3))

    net, module = nf.Network([5, 5, 5, 5]), Named()
    net.load_state_dict(module.state_dict())
    for w, layer in zip(net.weights, (module.prepare, module.mix, module.end)):
        np.testing.assert_array_equal(w, layer.weight.detach().numpy())


def by_the_alphabet(state):
    """As a safetensors file has them: 10 before 2, and the bias before the weight."""
    return dict(sorted(state.items()))


def renamed(net, *modules):
    """The parameters of a network, whose layers have other names; in a plain dictionary, by the alphabet."""
    names = [f"{module}{kind}" for module in modules for kind in ("weight", "bias")]
    return by_the_alphabet(dict(zip(names, net.state_dict().values(), strict=True)))


@pytest.mark.parametrize(
    "name", ["layers.{}.", "{}.", "fc{}.", "blocks.0.linear_{}.", "part{0}.sub.{0}.", "a.{}.b."]
)
def test_layers_of_others_are_ordered_by_number(name):
    net, other = nf.Network([3] * 13, rng=0), nf.Network([3] * 13, rng=1)
    other.load_state_dict(renamed(net, *(name.format(2 * layer) for layer in range(12))))
    assert other.digest() == net.digest()


def test_a_file_of_others_is_taken_as_the_message_says(tmp_path):
    torch, safetensors = pytest.importorskip("torch"), pytest.importorskip("safetensors.torch")
    from safetensors.numpy import load, load_file

    layers = [layer for _ in range(7) for layer in (torch.nn.Linear(5, 5), torch.nn.Sigmoid())]
    module = torch.nn.Sequential(*layers[:-1])
    safetensors.save_file(module.state_dict(), tmp_path / "m.safetensors")
    x = np.random.default_rng(0).standard_normal((20, 5))
    with torch.no_grad():
        expected = torch.softmax(module(torch.from_numpy(x).float()), 1).numpy()
    for state in (load_file(tmp_path / "m.safetensors"), load((tmp_path / "m.safetensors").read_bytes())):
        net = nf.Network([5] * 8)
        net.load_state_dict(state)
        np.testing.assert_allclose(net.predict_proba(x), expected, atol=1e-6)


@pytest.mark.parametrize(
    "sizes, modules",
    [
        ([4, 5, 3], ["prepare.", "output."]),
        ([4, 5, 4], ["encoder.", "decoder."]),
        ([4, 5, 5, 5, 3], ["start.", "layers.2.", "layers.10.", "end."]),
        ([4, 3], [""]),
    ],
)
def test_shapes_tell_the_order_of_layers_whose_names_do_not(sizes, modules):
    net, other = nf.Network(sizes, rng=0), nf.Network(sizes, rng=1)
    other.load_state_dict(renamed(net, *modules))
    assert other.digest() == net.digest()


@pytest.mark.parametrize(
    "modules",
    [
        ["prepare.", "output."],
        ["first.", "second."],  # where the alphabet would be right, by chance
        ["hidden0.", "output."],
        ["1.", "01."],
        ["\x1b[31m.", "b."],
    ],
)
def test_layers_whose_order_cannot_be_told_are_refused(modules):
    net, other = nf.Network([3, 3, 3], rng=0), nf.Network([3, 3, 3], rng=1)
    before, state = other.digest(), renamed(net, *modules)
    with pytest.raises(
        ValueError, match=r"weight are both of shape \(3, 3\), .* give a coll.*OrderedD"
    ) as caught:
        other.load_state_dict(state)
    assert str(caught.value).isprintable() and other.digest() == before
    names = [f"{module}{kind}" for module in modules for kind in ("weight", "bias")]
    other.load_state_dict(OrderedDict((name, state[name]) for name in names))
    assert other.digest() == net.digest()


def test_a_state_is_a_copy():
    net = network("softmax")
    before = net.digest()
    for array in net.state_dict().values():
        array += 1
    assert net.digest() == before


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda state: state.pop("0.bias"), r"0\.weight has no 0\.bias beside it"),
        (
            lambda state: state.update({"1.running_mean": np.zeros(3)}),
            r"1\.running_mean is neither the weight",
        ),
        (
            lambda state: state.update({"out.weight": np.zeros((9, 9))}),
            r"out\.weight has no out\.bias beside it",
        ),
        (lambda state: (state.pop("2.weight"), state.pop("2.bias")), "biases has 1 arrays; it must have 2"),
        (
            lambda state: state.update({"2.weight": np.zeros((10, 31))}),
            r"weights of layer 2 has shape \(10, 31\)",
        ),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(change, message):
    net = network("softmax")
    before, state = net.digest(), nf.Network([64, 30, 10], rng=7).state_dict()
    change(state)
    with pytest.raises(ValueError, match=message):
        net.load_state_dict(state)
    assert net.digest() == before


def test_the_order_of_a_state_dict_is_its_own_whatever_its_names_say():
    net = nf.Network([4, 4, 4, 4], rng=0)
    arrays = list(net.state_dict().values())
    for names in (("up2", "up1", "down"), ("dense128", "dense64", "dense10"), ("c", "b", "a")):
        keys = [f"{name}.{part}" for name in names for part in ("weight", "bias")]
        other = nf.Network([4, 4, 4, 4], rng=1)
        other.load_state_dict(OrderedDict(zip(keys, arrays)))
        assert other.digest() == net.digest()


def test_numbers_that_are_sizes_are_no_order():
    net, other = nf.Network([4, 3, 2], rng=0), nf.Network([4, 3, 2], rng=1)
    keys = ["fc4_3.weight", "fc4_3.bias", "fc3_2.weight", "fc3_2.bias"]
    other.load_state_dict(dict(zip(keys, net.state_dict().values())))
    assert other.digest() == net.digest()
