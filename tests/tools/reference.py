"""Each function of nndl_fast in plain NumPy, in float64 (or wider): the specification."""

from __future__ import annotations

import numpy as np

WIDE = np.longdouble


def shifted(z, axis, c):
    z = np.asarray(z).astype(WIDE)
    return c * (z - z.max(axis, keepdims=True))


def softmax(z, axis=-1, c=1.0):
    e = np.exp(shifted(z, axis, c))
    return e / e.sum(axis, keepdims=True)


def log_sum(z, axis=-1, c=1.0):
    """ln sum e^{c (z - max)}, from the classes without one maximum, so that 1 + tiny loses nothing."""
    e = np.exp(shifted(z, axis, c))
    first = np.expand_dims(np.asarray(z).argmax(axis), axis)
    np.put_along_axis(e, first, 0, axis)
    return np.log1p(e.sum(axis, keepdims=True))


def log_softmax(z, axis=-1, c=1.0):
    return shifted(z, axis, c) - log_sum(z, axis, c)


def logsumexp(z, axis=-1, keepdims=False):
    z = np.asarray(z).astype(WIDE)
    result = z.max(axis, keepdims=True) + log_sum(z, axis)
    return result if keepdims else result.squeeze(axis)


def softmax_backward(a, grad, axis=-1, c=1.0):
    a, g = np.asarray(a).astype(WIDE), np.asarray(grad).astype(WIDE)
    return c * a * (g - (g * a).sum(axis, keepdims=True))


def targets_of(z, y, axis):
    """y as targets of z's shape; rows that are ignored have a label outside and become zeros."""
    z, y = np.asarray(z), np.asarray(y)
    if y.shape == z.shape:
        return y.astype(WIDE)
    classes = np.arange(z.shape[axis]).reshape([-1 if d == axis % z.ndim else 1 for d in range(z.ndim)])
    return (np.expand_dims(y, axis) == classes).astype(WIDE)


def log_likelihood_cost_and_delta(
    z,
    y,
    axis=-1,
    reduction="mean",
    sample_weight=None,
    class_weight=None,
    ignore_index=None,
    label_smoothing=0.0,
):
    z, y = np.asarray(z), np.asarray(y)
    n = z.shape[axis]
    t = targets_of(z, y, axis)
    shape = [-1 if d == axis % z.ndim else 1 for d in range(z.ndim)]
    w = (np.ones(n) if class_weight is None else np.asarray(class_weight)).astype(WIDE).reshape(shape)
    rows = np.delete(np.array(z.shape), axis)
    s = np.ones(rows, WIDE) if sample_weight is None else np.asarray(sample_weight).astype(WIDE)
    if ignore_index is not None:
        s = np.where(y == ignore_index, 0, s)
        z = np.where(np.expand_dims(y == ignore_index, axis), 0, z)
    counts = s * ((w * t).sum(axis) if class_weight is not None else 1)
    smoothed = w * ((1 - WIDE(label_smoothing)) * t + WIDE(label_smoothing) / n)
    with np.errstate(invalid="ignore"):
        terms = np.where(smoothed == 0, 0, -smoothed * log_softmax(z, axis))
    cost = s * terms.sum(axis)
    delta = np.expand_dims(s, axis) * (smoothed.sum(axis, keepdims=True) * softmax(z, axis) - smoothed)
    if reduction == "none":
        return cost, delta
    divisor = counts.sum() if reduction == "mean" else 1
    with np.errstate(invalid="ignore", divide="ignore"):
        nothing = (np.expand_dims(s, axis) == 0) | (divisor == 0)
        return cost.sum() / divisor, np.where(nothing, 0, delta / divisor)


def cost_and_delta_from_activations(a, y, axis=-1, reduction="mean"):
    t, a = targets_of(a, y, axis), np.asarray(a).astype(WIDE)
    n = a.size // a.shape[axis] if reduction == "mean" else 1
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(t == 0, 0, -t * np.log(a)).sum() / n, (a - t) / n


def sigmoid(z):
    z = np.asarray(z).astype(WIDE)
    u = np.exp(-np.abs(z))
    return np.where(z < 0, u, 1) / (1 + u)


def sigmoid_prime(z):
    return sigmoid(z) * sigmoid(-np.asarray(z))


def binary_cross_entropy_cost_and_delta(z, y, reduction="mean", sample_weight=None):
    z, y = np.asarray(z).astype(WIDE), np.asarray(y).astype(WIDE)
    w = np.ones(z.shape, WIDE) if sample_weight is None else np.asarray(sample_weight).astype(WIDE)
    cost = w * (np.abs(z) * np.where(z < 0, y, 1 - y) + np.log1p(np.exp(-np.abs(z))))
    delta = w * np.where(y > 0.5, (1 - y) - sigmoid(-z), sigmoid(z) - y)
    if reduction == "none":
        return cost, delta
    divisor = w.sum() if reduction == "mean" else 1
    return cost.sum() / divisor, delta / divisor


# Of a weighted input z; and the derivative there, from the activation a.
ACTIVATIONS = {
    "relu": (lambda z: np.maximum(z, 0), lambda a: np.where(a > 0, WIDE(1), WIDE(0))),
    "sigmoid": (sigmoid, lambda a: a * (1 - a)),
    "tanh": (np.tanh, lambda a: 1 - a * a),
    "leaky_relu": (lambda z: np.where(z > 0, z, z / 100), lambda a: np.where(a > 0, WIDE(1), WIDE(1) / 100)),
}


def activate(z, activation):
    return ACTIVATIONS[activation][0](np.asarray(z).astype(WIDE))


def activation_backward(delta, a, activation):
    return np.asarray(delta).astype(WIDE) * ACTIVATIONS[activation][1](np.asarray(a).astype(WIDE))


def affine(x, w, b=None, axis=-1, activation=None):
    x, w = np.asarray(x).astype(WIDE), np.asarray(w).astype(WIDE)
    z = w @ x if axis == 0 else x @ w
    if b is not None:
        b = np.asarray(b).astype(WIDE)
        z = z + (b if b.shape == z.shape else b.reshape((-1, 1) if axis == 0 and x.ndim == 2 else -1))
    return z if activation is None else activate(z, activation)


def affine_backward(delta, x, w, axis=-1, activation=None, a=None):
    delta, x, w = (np.asarray(array).astype(WIDE) for array in (delta, x, w))
    if axis == 0:
        below = w.T @ delta
        inputs, errors = (array if array.ndim == 2 else array[:, None] for array in (x, delta))
        nabla_w, nabla_b = errors @ inputs.T, errors.sum(1, keepdims=x.ndim == 2)
    else:
        below = delta @ w.T
        examples = int(np.prod(x.shape[:-1]))
        inputs, errors = x.reshape(examples, x.shape[-1]), delta.reshape(examples, delta.shape[-1])
        nabla_w, nabla_b = inputs.T @ errors, errors.sum(0)
    if activation is not None:
        below = activation_backward(below, x if a is None else a, activation)
    return nabla_w, nabla_b, below


def optimizer_steps(
    kind,
    parameters,
    gradients,
    rates,
    weight_decay=0.0,
    max_norm=None,
    momentum=0.9,
    betas=(0.9, 0.999),
    alpha=0.99,
    eps=1e-8,
):
    """What the parameters are after a step for each list of gradients."""
    parameters = [p.astype(WIDE) for p in parameters]
    first, second = ([np.zeros_like(p) for p in parameters] for _ in range(2))
    for t, (all_g, lr) in enumerate(zip(gradients, rates), 1):
        norm = np.sqrt(sum((np.asarray(g).astype(WIDE) ** 2).sum() for g in all_g))
        clip = 1 if max_norm is None else min(1, max_norm / (norm + 1e-6))
        for p, g, m, s in zip(parameters, all_g, first, second):
            g = clip * np.asarray(g).astype(WIDE)
            if kind == "AdamW":
                p *= 1 - lr * weight_decay
            else:
                g += weight_decay * p
            if kind == "SGD":
                p -= lr * g
            elif kind in ("Momentum", "Nesterov"):
                m[...] = momentum * m - lr * g
                p += m if kind == "Momentum" else momentum * m - lr * g
            elif kind == "AdaGrad":
                s += g * g
                p -= lr * g / (np.sqrt(s) + eps)
            elif kind == "RMSprop":
                s[...] = alpha * s + (1 - alpha) * g * g
                p -= lr * g / (np.sqrt(s) + eps)
            else:
                m[...] = betas[0] * m + (1 - betas[0]) * g
                s[...] = betas[1] * s + (1 - betas[1]) * g * g
                p -= lr / (1 - betas[0] ** t) * m / (np.sqrt(s / (1 - betas[1] ** t)) + eps)
    return parameters


def two_sum(a, b):
    """The sum, and what its rounding took from it."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def odd_sum(a, b):
    """The sum of float64 if it is exact, else the neighbour of it whose last bit is 1: what is added to it,
    or rounded to fewer bits, is then rounded as if it were the sum itself."""
    total, rest = np.broadcast_arrays(*two_sum(a, b))
    bits = np.array(total).view(np.int64)
    inexact = np.isfinite(total) & (rest != 0) & (bits % 2 == 0)
    return (bits + inexact * np.where((rest > 0) == (total > 0), 1, -1)).view(np.float64)


def halves(x):
    """Two float64 of half the bits each, whose sum is x (Dekker, 1971)."""
    high = 134217729.0 * x
    high = high - (high - x)
    return high, x - high


def fused(a, b, c):
    """a b + c, rounded once (Boldo and Melquiond, 2008). Of float64, nothing may overflow or underflow."""
    if c.dtype == np.float32:
        return odd_sum(a.astype(np.float64) * b, c.astype(np.float64)).astype(np.float32)
    product, (a1, a2), (b1, b2) = a * b, halves(a), halves(b)
    low, rest = two_sum(c, a2 * b2 - (((product - a1 * b1) - a2 * b1) - a1 * b2))
    high, middle = two_sum(product, low)
    return high + odd_sum(middle, rest)


def chain(left, right, start=0):
    """start + left right as the core adds it up: each element by one fused multiply-add after the other."""
    result = np.zeros((len(left), right.shape[1]), left.dtype) + np.asarray(start, left.dtype)
    for k in range(len(right)):
        result = fused(left[:, k : k + 1], right[k : k + 1], result)
    return result


def ulps(result, exact):
    """The largest distance in units in the last place of the exact results, of those that are normal."""
    result, exact = np.asarray(result), np.asarray(exact).astype(WIDE)
    limits = np.finfo(result.dtype)
    normal = (np.abs(exact) >= 4 * WIDE(limits.smallest_normal)) & (np.abs(exact) <= WIDE(limits.max))
    if not normal.any():
        return 0.0
    unit = np.spacing(np.abs(exact[normal]).astype(result.dtype)).astype(WIDE)
    return float(np.max(np.abs(result[normal].astype(WIDE) - exact[normal]) / unit))
