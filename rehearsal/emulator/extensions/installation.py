"""Puts every extension into the ministack of this process."""

from rehearsal.emulator.configuration import Configuration
from rehearsal.emulator.extensions import (
    backup,
    base,
    closed_accounts,
    cloudformation,
    codebuild,
    codecommit,
    codepipeline,
    events,
    functions,
    iam,
    organizations,
    pipeline_executions,
    pipeline_jobs,
    rules,
    service_roles,
    services,
    stackset_api,
    stackset_deployment,
    stacksets,
)


def install(configuration: Configuration) -> None:
    """Add everything to the ministack of this process; the order is that of dependence."""
    base.configure(configuration)
    iam.install()
    organizations.install(configuration)
    closed_accounts.install()
    service_roles.install()
    codebuild.install()
    codecommit.install()
    codepipeline.install()
    pipeline_executions.install()
    pipeline_jobs.install()
    functions.install()
    events.install()
    rules.install()
    backup.install()
    services.install()
    stacksets.install()
    stackset_api.install()
    stackset_deployment.install()
    cloudformation.install()
