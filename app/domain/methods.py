"""The list of binarization methods: names, parameters with their ranges, and descriptions.

Plain data, so that the API, the page and the docs can list the methods without loading OpenCV,
numpy or numba. `app.binarize.methods` maps each name to its function.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from ..errors import InvalidParameterError

#: OpenCV sums squares of bytes in 32 bits; 255^2 x 181^2 is the largest sum that fits.
MAX_WINDOW_PX: Final = 181


@dataclass(frozen=True)
class Parameter:
    """A numeric parameter of a method, with its inclusive range."""

    name: str
    kind: type[int] | type[float]
    default: float
    minimum: float
    maximum: float
    description: str

    def parse(self, value: str | float) -> int | float:
        """*value* as a number within the range.

        Raises:
            InvalidParameterError: *value* is not a number of this kind, or is out of range.
        """
        # int() and float() also accept 1_0 and the digits of other scripts.
        is_plain = not isinstance(value, str) or (value.isascii() and "_" not in value)
        try:
            # JSON Schema and form libraries accept 30.0 as an integer.
            number = self.kind(float(value))
            fits = is_plain and number == float(value) and self.minimum <= number <= self.maximum
        except (ValueError, OverflowError):
            fits = False
        if not fits:
            raise InvalidParameterError(
                f"{self.name}={str(value)[:40]!r} is not {self._kind_in_words} from "
                f"{self.minimum:g} to {self.maximum:g}.",
                parameter=self.name,
                minimum=self.minimum,
                maximum=self.maximum,
            )
        return number

    @property
    def _kind_in_words(self) -> str:
        return "a whole number" if self.kind is int else "a number"


@dataclass(frozen=True)
class Method:
    """A binarization method under its standard name, with its parameters."""

    name: str
    description: str
    parameters: tuple[Parameter, ...] = ()

    def parse(self, given: Mapping[str, str | float]) -> dict[str, int | float]:
        """All parameters of the method: those *given*, checked, and defaults for the others.

        Raises:
            InvalidParameterError: the method has no such parameter, or its value is wrong.
        """
        self.check_names(given)
        return {p.name: p.parse(given.get(p.name, p.default)) for p in self.parameters}

    def check_names(self, given: Iterable[str]) -> None:
        """Raises InvalidParameterError if the method has no parameter of a *given* name."""
        names = [parameter.name for parameter in self.parameters]
        for name in given:
            if name not in names:
                raise InvalidParameterError(
                    f"Method {self.name} takes no parameter {name[:40]!r}; "
                    f"it takes {', '.join(names) or 'none'}.",
                    parameter=name[:40],
                )


def choose_method(methods: Mapping[str, Method], name: str) -> Method:
    """The method called *name*.

    Raises:
        InvalidParameterError: no method has this name.
    """
    if name not in methods:
        raise InvalidParameterError(
            f"method={name[:40]!r} is not one of {', '.join(methods)}.", parameter="method"
        )
    return methods[name]


def _window(default: int) -> Parameter:
    return Parameter(
        "window", int, default, 3, MAX_WINDOW_PX,
        "Side of the square around each pixel, in pixels; even counts as the next odd number.",
    )  # fmt: skip


def _k(default: float, minimum: float, maximum: float, description: str) -> Parameter:
    return Parameter("k", float, default, minimum, maximum, description)


_THRESHOLD: Final = Parameter(
    "threshold", int, 127, 0, 254, "Gray values over this become white, the others black."
)
_OFFSET: Final = Parameter(
    "offset", float, 15, -255, 255, "How much darker than its surroundings ink is, in gray values."
)
_PERCENT: Final = Parameter(
    "percent", float, 15, 0, 100, "How much darker than its surroundings ink is, in percent."
)
_CONTRAST: Final = Parameter(
    "contrast", int, 25, 0, 255, "A window with less difference than this has no edge of ink."
)
_CONTRAST_LOWERS: Final = "How far low contrast lowers the threshold; higher means less ink."

_ALL: Final = (
    Method("auto", "Detects what kind of page it is and sets itself; light on dark is inverted."),
    Method("otsu", "One threshold for the page, chosen from its histogram."),
    Method("triangle", "One threshold for the page, at the foot of the histogram's peak."),
    Method("simple", "One fixed threshold for the page.", (_THRESHOLD,)),
    Method("adaptive-mean", "Darker than the mean around it.", (_window(75), _OFFSET)),
    Method(
        "adaptive-gaussian",
        "Darker than the weighted mean around it, near pixels counting more.",
        (_window(75), _OFFSET),
    ),
    Method("bradley", "Darker than the mean by a percentage.", (_window(75), _PERCENT)),
    Method(
        "bernsen", "Darker than half way between the extremes around it.", (_window(75), _CONTRAST)
    ),
    Method(
        "niblack",
        "Mean plus k deviations; splits noise where there is no ink.",
        (_window(25), _k(-0.2, -2, 2, "Deviations added to the mean; lower means less ink.")),
    ),
    Method(
        "sauvola",
        "Niblack made for text: low contrast lowers the threshold.",
        (_window(25), _k(0.2, 0, 1, _CONTRAST_LOWERS)),
    ),
    Method(
        "wolf",
        "Sauvola with the page's own contrast and darkest gray.",
        (_window(25), _k(0.5, 0, 1, _CONTRAST_LOWERS)),
    ),
    Method(
        "nick",
        "Niblack for faint ink on light pages.",
        (_window(25), _k(-0.1, -1, 0, "Lower means less ink and less noise.")),
    ),
    Method(
        "singh",
        "Local mean and the pixel's own distance from it; fast.",
        (_window(75), _k(0.2, 0, 1, "Higher means less ink.")),
    ),
    Method(
        "floyd-steinberg", "Dots, denser where the page is darker; for photographs, not for text."
    ),
)
#: All methods by name, the default first.
METHODS: Final[Mapping[str, Method]] = MappingProxyType({method.name: method for method in _ALL})
DEFAULT_METHOD: Final = _ALL[0].name
