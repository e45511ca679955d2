"""The size of generated tests: small in `make test` and in builds, full in `make bench`.

`make bench` loads the hypothesis profile `thorough`, as does `pytest --hypothesis-profile thorough`.
"""

from hypothesis import settings


def thorough() -> bool:
    """Whether generated tests run at full size."""
    return settings.get_current_profile_name() == "thorough"


def examples(number: int) -> settings:
    """So many examples at full size, otherwise the default."""
    return settings(max_examples=number) if thorough() else settings()
