"""Fits the polynomials of exp.h, log.h and tanh.h, and makes exp.h's tables; prints them as C++ initialisers.

    python csrc/math/fit.py

Needs mpmath, and NumPy with a longdouble of 64 bits or more. A Remez exchange in 60 digits minimises the
largest error relative to the function's result; the coefficients are then rounded to the type that evaluates
them. What is printed stands in those files, so a run of this script can be compared with them.
"""

import struct

import numpy as np
from mpmath import atanh, exp, linspace, log, lu_solve, matrix, mp, mpf, sqrt, tanh

mp.dps = 60


def remez(function, weight, degree, low, high):
    """Coefficients, constant first, of the polynomial p that minimises |weight * (p - function)|."""
    count = degree + 2
    nodes = [(low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * k / (count - 1)) for k in range(count)]
    grid = linspace(low, high, 4001)
    for _ in range(12):
        system = matrix(count, count)
        right = matrix(count, 1)
        for row, x in enumerate(nodes):
            for power in range(degree + 1):
                system[row, power] = x**power
            system[row, degree + 1] = (-1) ** row / weight(x)
            right[row] = function(x)
        solution = lu_solve(system, right)
        coefficients = list(solution[: degree + 1])
        error = [weight(x) * (mp.polyval(coefficients[::-1], x) - function(x)) for x in grid]
        nodes = alternation(grid, error, count)
    return coefficients, max(abs(e) for e in error)


def alternation(grid, error, count):
    """The grid points where the error is extreme, one per run of equal sign, `count` of them."""
    best = []
    for x, e in zip(grid, error):
        if best and (best[-1][1] > 0) == (e > 0):
            if abs(e) > abs(best[-1][1]):
                best[-1] = (x, e)
        else:
            best.append((x, e))
    while len(best) > count:
        best.pop(0 if abs(best[0][1]) < abs(best[-1][1]) else -1)
    assert len(best) == count, "too few alternations: a finer grid is needed"
    return [x for x, _ in best]


def to_float32(x):
    return struct.unpack("f", struct.pack("f", float(x)))[0]


def show(name, coefficients, error, single):
    accuracy = f": largest error {mp.nstr(error, 3)} (2^{mp.nstr(log(error, 2), 4)})" if error else ""
    print(f"// {name}{accuracy}")
    for c in coefficients:
        # hexadecimal, so that no digit is lost between here and the compiler
        print(f"    {to_float32(c).hex()}f," if single else f"    {float(c).hex()},")


def from_bits(bits, single):
    return struct.unpack(*("f", struct.pack("I", bits)) if single else ("d", struct.pack("Q", bits)))[0]


def to_bits(x, single):
    return struct.unpack(*("I", struct.pack("f", x)) if single else ("Q", struct.pack("d", x)))[0]


def less_index(power, i, single):
    """The table's entry i: less i in the place where n = 8 k + i will be added."""
    return from_bits(to_bits(power, single) - (i << (20 if single else 49)), single)


def exp_tables(single):
    """2^(i/8) rounded, and what rounding took."""
    rounded = to_float32 if single else float
    powers, corrections = [], []
    for i in range(8):
        exact = mpf(2) ** (mpf(i) / 8)
        power = rounded(exact)
        powers.append(less_index(power, i, single))
        corrections.append(log(exact / mpf(power)))
    return powers, corrections


def scaled_table(single):
    """f 2^(i/8) rounded, f, and the largest error of rounding, for the best f of 2^23 (then moved near 1)."""
    bits, rounded = (24, to_float32) if single else (53, float)
    candidates = 1 + np.arange(1 << 23, dtype=np.longdouble) / (1 << 23)
    worst = np.zeros(candidates.size)
    for i in range(8):
        exact = candidates * np.exp2(np.longdouble(i) / 8)
        unit = np.where(exact < 2, 1, 2) * np.longdouble(2) ** (1 - bits)
        np.maximum(worst, (abs(exact - np.rint(exact / unit) * unit) / exact).astype(float), out=worst)
    # multiplied by 2^(1/8), f gives the same table turned by one
    found = mpf(float(candidates[worst.argmin()]))
    found *= mpf(2) ** (-mp.nint(8 * log(found, 2)) / 8)
    powers = [mpf(rounded(found * mpf(2) ** (mpf(i) / 8))) for i in range(8)]
    # what the entries say that f is: the middle of it
    factors = [power / mpf(2) ** (mpf(i) / 8) for i, power in enumerate(powers)]
    factor = sqrt(min(factors) * max(factors))
    error = max(abs(f / factor - 1) for f in factors)
    return [less_index(float(p), i, single) for i, p in enumerate(powers)], factor, error


def exp_quotient(r):
    """(e^r - 1 - r) / r^2"""
    if abs(r) < mpf("1e-12"):
        return mpf(1) / 2 + r / 6 + r * r / 24
    return (exp(r) - 1 - r) / r**2


def log_remainder(z):
    """(2 atanh(s) - 2 s) / s^3 with z = s^2; then log(1 + f) = 2 atanh(f / (2 + f))."""
    if z < mpf("1e-24"):
        return mpf(2) / 3 + 2 * z / 5
    s = sqrt(z)
    return (2 * atanh(s) - 2 * s) / s**3


def tanh_remainder(z):
    """(tanh s - s) / s^3 with z = s^2"""
    if z < mpf("1e-24"):
        return -mpf(1) / 3 + 2 * z / 15
    s = sqrt(z)
    return (tanh(s) - s) / s**3


def main():
    ln2 = log(2)
    for single in (True, False):
        kind = "float" if single else "double"
        rounded = to_float32 if single else float
        high = mpf(rounded(ln2))
        print(f"// {kind}: ln 2 = high + low, 8 / ln 2")
        print("   ", *(rounded(v).hex() for v in (high, ln2 - high, 8 / ln2)))
        for name, table in zip(("powers", "corrections"), exp_tables(single)):
            show(f"{name}, {kind}", table, None, single)
        table, factor, error = scaled_table(single)
        show(f"scaled, {kind}", table, error, single)
        inverse = mpf(rounded(1 / factor))
        lacking = -log(factor * inverse)
        show(
            f"factor, 1 / factor, the logarithm that this lacks, {kind}",
            [factor, inverse, lacking],
            None,
            single,
        )
        # 0.0445, not ln(2) / 16 = 0.0433: the quotient that is rounded to n has an error of its own
        edge = mpf("0.0445")
        fit = remez(exp_quotient, lambda r: r**2 / exp(r) + mpf("1e-30"), 2 if single else 5, -edge, edge)
        show(f"exp, {kind}", *fit, single)
        # |f| <= sqrt(2) - 1, so |s| = |f / (2 + f)| <= 0.1716 (f from sqrt(1/2) - 1 gives the same)
        edge = mpf("0.0296")
        fit = remez(log_remainder, lambda z: z + mpf("1e-30"), 2 if single else 6, mpf(0), edge)
        show(f"log, {kind}", *fit, single)
        # |s| <= 1/4, and a little more
        fit = remez(tanh_remainder, lambda z: z + mpf("1e-30"), 2 if single else 6, mpf(0), mpf("0.063"))
        show(f"tanh, {kind}", *fit, single)


if __name__ == "__main__":
    main()
