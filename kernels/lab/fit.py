#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Where the polynomials in kernels/simd.h come from.

Prints them as C, and the error of each function evaluated in float32 with fused
multiply-adds, against double.  Needs numpy and scipy (made with 2.4.6 and 1.17.1).

exp      e^r = 1 + r + r^2 P(r) on |r| <= ln(2)/2
Phi      ln(2 Phi(-a)) = Q(a) for a >= 0, Phi the normal distribution.  The weight is
         what an error of Q does to GELU, a * Phi(-a), so the tail may be loose; the
         degree is even and the leading coefficient negative, so Q falls to -infinity.
"""
import numpy as np
from scipy.special import log_ndtr, ndtr

f32 = np.float32


def minimax(fn, lo, hi, degree, weight, nodes=4000, rounds=200):
    """Weighted minimax fit by Lawson's iteration; coefficients from x^0 up."""
    t = np.cos(np.pi * (np.arange(nodes) + 0.5) / nodes)
    x = (t * (hi - lo) + hi + lo) / 2
    basis = np.polynomial.chebyshev.chebvander(t, degree)
    y, scale, lawson = fn(x), weight(x), np.full(nodes, 1 / nodes)
    best = (np.inf, None)
    for _ in range(rounds):
        q = np.sqrt(lawson) * scale
        c = np.linalg.lstsq(basis * q[:, None], y * q, rcond=None)[0]
        err = np.abs(basis @ c - y) * scale
        best = min(best, (err.max(), c), key=lambda b: b[0])
        lawson = lawson * err / (lawson * err).sum()
    series = np.polynomial.chebyshev.Chebyshev(best[1], domain=[lo, hi])
    return series.convert(kind=np.polynomial.Polynomial).coef.astype(f32)


def fma(a, b, c):
    return (a.astype(np.float64) * b + c).astype(f32)


def horner(coef, x):
    r = np.full_like(x, coef[-1])
    for c in coef[-2::-1]:
        r = fma(r, x, c)
    return r


def exp32(coef, x):
    n = np.rint(fma(x, f32(1 / np.log(2)), f32(0)))
    r = fma(n, f32(-0.693359375), x)
    r = fma(n, f32(2.12194440e-4), r)
    p = fma(horner(coef, r), (r * r).astype(f32), r) + f32(1)
    return np.where(x < -87, f32(0), np.ldexp(p, n.astype(int)).astype(f32))


def show(name, coef):
    print(f"{name}: " + ", ".join(f"{c:.9e}f" for c in coef))


def main():
    half = np.log(2) / 2 * 1.0001
    exp = minimax(lambda r: (np.expm1(r) - r) / (r * r), -half, half, 4, lambda r: r * r + 1e-6)
    show("exp P", exp)
    x = np.linspace(-86.9, 0.5, 3000001).astype(f32)
    exact = np.exp(x.astype(float))
    print(f"  relative error {(abs(exp32(exp, x) - exact) / exact).max():.2e}")

    phi = minimax(lambda a: log_ndtr(-a) + np.log(2), 0, 5.6, 8,
                  lambda a: ndtr(-a) * np.maximum(a, 0.2) + 1e-12)
    show("Phi Q", phi)
    v = np.linspace(-12, 12, 2000001).astype(f32)
    tail = f32(0.5) * exp32(exp, horner(phi, abs(v)))
    gelu = v * np.where(v < 0, tail, f32(1) - tail)
    exact = v * ndtr(v.astype(float))
    err = abs(gelu - exact)
    print(f"  GELU: error {err[v < 0].max():.2e} below 0, "
          f"relative {(err[v > 0] / exact[v > 0]).max():.2e} above")


if __name__ == "__main__":
    main()
