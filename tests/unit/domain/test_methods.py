"""Methods as data: how their parameters are read and refused."""

from __future__ import annotations

import pytest

from app.domain.methods import Method, Parameter, choose_method
from app.errors import InvalidParameterError

SIMPLE = Method("simple", "", (Parameter("threshold", int, 127, 0, 254, ""),))
NICK = Method("nick", "", (Parameter("k", float, -0.1, -0.3, 0.0, ""),))


def test_a_missing_parameter_has_its_default() -> None:
    assert SIMPLE.parse({}) == {"threshold": 127}
    assert SIMPLE.parse({"threshold": "90"}) == {"threshold": 90}
    assert NICK.parse({"k": "-0.2"}) == {"k": -0.2}


@pytest.mark.parametrize(
    "value", ["255", "-1", "1.5", "", "high", "nan", "inf", "1e400", "9" * 5000, "١٢٧", "1_0"]
)
def test_a_wrong_value_is_refused_with_name_value_and_range(value: str) -> None:
    with pytest.raises(InvalidParameterError, match=r"threshold=.*0 to 254"):
        SIMPLE.parse({"threshold": value})


@pytest.mark.parametrize("value", ["nan", "inf", "0.1"])
def test_a_fraction_must_be_a_number_in_its_range_too(value: str) -> None:
    with pytest.raises(InvalidParameterError, match="k="):
        NICK.parse({"k": value})


def test_a_parameter_of_another_method_is_refused() -> None:
    with pytest.raises(InvalidParameterError, match="takes no parameter 'k'; it takes threshold"):
        SIMPLE.parse({"k": "1"})


def test_an_unknown_method_is_refused_with_those_that_exist() -> None:
    with pytest.raises(InvalidParameterError, match="'magic' is not one of simple"):
        choose_method({"simple": SIMPLE}, "magic")
