"""What the rehearsal adds to ministack inside the server process, one module per thing emulated."""

from rehearsal.emulator.configuration import Configuration
from rehearsal.emulator.extensions import (
    backup,
    base,
    codecommit,
    codepipeline,
    functions,
    iam,
    organizations,
    pipeline_executions,
    service_roles,
    stacksets,
)


def install(configuration: Configuration) -> None:
    """Add everything to the ministack of this process; the order is that of dependence."""
    base.configure(configuration)
    iam.install()
    organizations.install(configuration)
    service_roles.install()
    codecommit.install()
    codepipeline.install()
    pipeline_executions.install()
    functions.install()
    backup.install()
    stacksets.install()
