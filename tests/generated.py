"""How many examples a property test runs."""

from hypothesis import settings


def thorough() -> bool:
    """Whether this is `make test`, which loads the profile thorough; elsewhere fewer cases do."""
    return settings.get_current_profile_name() == "thorough"


def examples(number: int) -> settings:
    """So many in `make test`; elsewhere the default."""
    return settings(max_examples=number) if thorough() else settings()
