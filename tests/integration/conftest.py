"""An emulated AWS account for what LocalStack's free edition cannot do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from testkit.aws import stacks


@pytest.fixture(scope="session")
def account() -> Iterator[stacks.Account]:
    """An account that the tests share; each test names its own stacks and users."""
    with stacks.account() as account:
        yield account
