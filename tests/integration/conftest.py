"""An emulated AWS account for what LocalStack's free edition cannot do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from testkit import stacks


@pytest.fixture(scope="session")
def account() -> Iterator[stacks.Account]:
    """Shared: each test has stacks and users under names of its own."""
    with stacks.account() as account:
        yield account
