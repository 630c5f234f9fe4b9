"""Random arrival times and durations for simulation.py."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from random import Random

#: Draws a random time in seconds with the given mean.
Draw = Callable[[Random, float], float]


def lognormal(deviation: float) -> Draw:
    """Lognormal times; their standard deviation is *deviation* times the mean."""
    sigma = math.sqrt(math.log(1 + deviation**2))
    return lambda random, mean: mean * math.exp(sigma * random.gauss(0, 1) - sigma**2 / 2)


def exponential(random: Random, mean: float) -> float:
    return random.expovariate(1 / mean) if mean else 0.0


def constant(rate: float, seconds: float) -> Iterator[float]:
    return (n / rate for n in range(round(rate * seconds)))


def poisson(
    rate_at: Callable[[float], float], highest: float, seconds: float, random: Random
) -> Iterator[float]:
    """Poisson arrivals at a varying rate, by thinning: Lewis and Shedler, 1979.

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
    """A daily rate: starts at mean * (1 - swing) and peaks at mean * (1 + swing)."""
    return lambda at: mean * (1 - swing * math.cos(2 * math.pi * at / period_s))
