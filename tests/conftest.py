"""Settings for every test: hypothesis profiles, and an environment without personal settings."""

import pytest
from hypothesis import HealthCheck, settings

from rehearsal.machine import environment

# Before a test module imports botocore. No test can reach an AWS account, whatever the shell holds.
environment.seclude(
    AWS_ACCESS_KEY_ID="testing", AWS_SECRET_ACCESS_KEY="testing", AWS_DEFAULT_REGION="us-east-1"
)

settings.register_profile("default", max_examples=30, deadline=None)
# For `make bench`, see tests/generated.py.
settings.register_profile(
    "thorough", max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("default")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The scenarios first: the longest tests must not be the last to start."""
    items.sort(key=lambda item: item.name != "test_every_scenario")
