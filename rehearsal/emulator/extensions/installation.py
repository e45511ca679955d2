"""Installs every extension in the ministack of this process."""

from rehearsal.emulator.configuration import Configuration
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.backup import (
    recovery_points,
    requests,
    restore_jobs,
    restored_resources,
    vaults,
)
from rehearsal.emulator.extensions.cloudformation import conditions, parsing, resources, stack_roles
from rehearsal.emulator.extensions.functions import creation, delivery, rules, runtime
from rehearsal.emulator.extensions.identity import (
    authorization,
    managed_policies,
    resource_arns,
    service_roles,
)
from rehearsal.emulator.extensions.organizations import closed_accounts, organization
from rehearsal.emulator.extensions.pipeline import codebuild, codecommit, executions, jobs, pipelines
from rehearsal.emulator.extensions.stacksets import automatic_deployment, read_calls, resource

# In the order of dependence: what is added later surrounds what was added before.
_EXTENSIONS = (
    resource_arns,
    authorization,
    managed_policies,
    service_roles,
    closed_accounts,
    codebuild,
    codecommit,
    pipelines,
    executions,
    jobs,
    runtime,
    creation,
    delivery,
    rules,
    vaults,
    recovery_points,
    restore_jobs,
    requests,
    restored_resources,
    resource,
    read_calls,
    automatic_deployment,
    resources,
    stack_roles,
    conditions,
    parsing,
)


def install(configuration: Configuration) -> None:
    base.configure(configuration)
    organization.install(configuration)
    for extension in _EXTENSIONS:
        extension.install()
