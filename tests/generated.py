"""How many examples a property test runs."""

from hypothesis import settings


def examples(thorough: int) -> settings:
    """So many in `make test`, which loads the profile thorough; elsewhere the default: builds are quick."""
    if settings.get_current_profile_name() == "thorough":
        return settings(max_examples=thorough)
    return settings()
