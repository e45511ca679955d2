"""Puts every extension into the ministack of this process."""

from rehearsal.emulator.configuration import Configuration
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.backup import recovery_points, services
from rehearsal.emulator.extensions.cloudformation import (
    creation,
    stackset_api,
    stackset_deployment,
    stacksets,
)
from rehearsal.emulator.extensions.functions import events, functions, rules
from rehearsal.emulator.extensions.identity import iam, service_roles
from rehearsal.emulator.extensions.organizations import closed_accounts, organizations
from rehearsal.emulator.extensions.pipeline import codebuild, codecommit, codepipeline, executions, jobs


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
    executions.install()
    jobs.install()
    functions.install()
    events.install()
    rules.install()
    recovery_points.install()
    services.install()
    stacksets.install()
    stackset_api.install()
    stackset_deployment.install()
    creation.install()
