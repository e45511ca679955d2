"""How much the functions' tests do: least in CodeBuild, all faults in `make test`, all sizes in `make bench`.

`make bench` loads the hypothesis profile `thorough`, as does `pytest --hypothesis-profile thorough`.
"""

from hypothesis import settings

from rehearsal.machine import environment

# CodeBuild sets this variable in every build.
IN_CODEBUILD = bool(environment.given("CODEBUILD_CI"))


def thorough() -> bool:
    """Whether generated tests run at full size."""
    return settings.get_current_profile_name() == "thorough"


def examples(number: int) -> settings:
    """This many examples at full size, otherwise the default."""
    return settings(max_examples=number) if thorough() else settings()
