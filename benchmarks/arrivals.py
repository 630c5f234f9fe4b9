"""When images come in the model of benchmarks/simulation.py, and how long things take."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from random import Random

#: A random time with this mean, in seconds.
Draw = Callable[[Random, float], float]


def lognormal(deviation: float) -> Draw:
    """Times whose standard deviation is *deviation* of their mean."""
    sigma = math.sqrt(math.log(1 + deviation**2))
    return lambda random, mean: mean * math.exp(sigma * random.gauss(0, 1) - sigma**2 / 2)


def exponential(random: Random, mean: float) -> float:
    return random.expovariate(1 / mean) if mean else 0.0


def constant(rate: float, seconds: float) -> Iterator[float]:
    return (n / rate for n in range(round(rate * seconds)))


def poisson(
    rate_at: Callable[[float], float], highest: float, seconds: float, random: Random
) -> Iterator[float]:
    """Arrivals with a rate that changes, by thinning: Lewis and Shedler, 1979.

    https://doi.org/10.1002/nav.3800260304
    """
    at = random.expovariate(highest)
    while at < seconds:
        if random.random() * highest < rate_at(at):
            yield at
        at += random.expovariate(highest)


def burst(base: float, factor: float, from_s: float, to_s: float) -> Callable[[float], float]:
    return lambda at: base * (factor if from_s <= at < to_s else 1)


def diurnal(mean: float, swing: float, period_s: float = 86_400) -> Callable[[float], float]:
    """From mean * (1 - swing), at first, to mean * (1 + swing)."""
    return lambda at: mean * (1 - swing * math.cos(2 * math.pi * at / period_s))
