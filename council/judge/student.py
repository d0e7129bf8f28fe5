"""Student's t distribution without SciPy: the few quantiles that intervals need, to twelve digits.

The distribution function through the regularised incomplete beta function, evaluated by its continued fraction
(Press et al., Numerical Recipes, 6.4; Lentz's method), inverted by bisection. Standard library only.
"""

from __future__ import annotations

import math
from functools import lru_cache

TINY = 1e-300
STEPS = 500


def incomplete_beta(a: float, b: float, x: float) -> float:
    """I_x(a, b), the regularised incomplete beta function, for a, b > 0 and 0 ≤ x ≤ 1."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast below this point only
        return 1 - incomplete_beta(b, a, 1 - x)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(log_front) * _fraction(a, b, x) / a


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of I_x(a, b) by Lentz's method."""
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _not_zero(1 + term * d)
            c = _not_zero(1 + term / c)
            value *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return value


def _not_zero(x: float) -> float:
    return x if abs(x) > TINY else TINY


def cdf(t: float, freedom: float) -> float:
    """P(T ≤ t) for Student's t with that many degrees of freedom."""
    tail = incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t)) / 2
    return 1 - tail if t > 0 else tail


@lru_cache(maxsize=256)
def quantile(p: float, freedom: float) -> float:
    """The t below which a share p of Student's t lies, 0 < p < 1."""
    if not (0 < p < 1 and freedom > 0):
        raise ValueError(f"a quantile needs 0 < p < 1 and positive degrees of freedom, got {p} and {freedom}")
    if p < 0.5:
        return -quantile(1 - p, freedom)
    low, high = 0.0, 1.0
    while cdf(high, freedom) < p:
        low, high = high, 2 * high
    while high - low > 1e-14 * high:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if cdf(middle, freedom) < p else (low, middle)
    return (low + high) / 2
