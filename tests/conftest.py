"""What every test shares: a signing key of its own, and repeatable Hypothesis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from archivedb.values import signing
from tests.support.exact import difference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# A deadline would make a busy machine fail the tests, and a database of earlier
# failures would make two runs of the same code differ.
settings.register_profile(
    "archivedb",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("archivedb")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with what takes longest, lest one worker ends with it and others wait."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session", autouse=True)
def _own_key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Sign with a key of this session, never with the user's."""
    place = tmp_path_factory.mktemp("keys") / "signing.key"
    with pytest.MonkeyPatch.context() as patch:
        # Subprocesses inherit it.
        patch.setenv(signing.ENVIRONMENT, str(place))
        patch.delenv("ARCHIVEDB", raising=False)
        yield


@pytest.fixture
def same() -> Callable[[Any, Any], bool]:
    """Return what compares two values exactly: types, bits, order and identity."""
    return lambda one, other: difference(one, other) is None
