"""What the emulator's tests share: the accounts, and a few verbs on the running organization."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rehearsal.emulator import Accounts, Emulator
from rehearsal.machine import waiting
from rehearsal.machine.environment import Caller

ACCOUNTS = Accounts(
    management="111111111111",
    home="222222222222",
    central="333333333333",
    members=("444444444444", "555555555555"),
)
HOME_REGION = "us-east-1"
OTHER_REGION = "us-east-2"
WAIT_SECONDS = 20.0


@dataclass(frozen=True)
class Stack:
    """What became of a stack; reason is that of the first resource that failed."""

    status: str
    outputs: dict[str, str]
    reason: str


@dataclass(frozen=True)
class World:
    """The running emulator and its organization; unit holds the member accounts."""

    emulator: Emulator
    root: str
    unit: str
    organization: str

    def client(self, service: str, account: str = ACCOUNTS.home, region: str = HOME_REGION) -> Any:
        return self.emulator.session(account, region).client(service)

    def acting(self, role: str, region: str = HOME_REGION) -> Caller:
        """CodeBuild with a role."""
        return self.emulator.service_credentials(role, "codebuild.amazonaws.com", region)

    def log(self, function: str, group: str | None = None) -> str:
        """What a function of the home account has logged, oldest first."""
        logs = self.client("logs")
        try:
            found = logs.filter_log_events(logGroupName=group or f"/aws/lambda/{function}")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return ""
        return "\n".join(event["message"] for event in found)

    def create(
        self, name: str, template: str, account: str = ACCOUNTS.home, region: str = HOME_REGION
    ) -> Stack:
        cloudformation = self.client("cloudformation", account, region)
        cloudformation.create_stack(
            StackName=name,
            TemplateBody=template,
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Tags=[{"Key": "Application", "Value": "x"}],
        )
        return self.settled(name, account, region)

    def update(
        self, name: str, template: str, account: str = ACCOUNTS.home, region: str = HOME_REGION
    ) -> Stack:
        cloudformation = self.client("cloudformation", account, region)
        cloudformation.update_stack(
            StackName=name, TemplateBody=template, Capabilities=["CAPABILITY_NAMED_IAM"]
        )
        return self.settled(name, account, region)

    def delete(self, name: str, account: str = ACCOUNTS.home, region: str = HOME_REGION) -> None:
        cloudformation = self.client("cloudformation", account, region)
        identifier = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
        cloudformation.delete_stack(StackName=name)
        assert self.settled(identifier, account, region).status == "DELETE_COMPLETE"

    def settled(self, name: str, account: str, region: str) -> Stack:
        cloudformation = self.client("cloudformation", account, region)

        def done() -> dict[str, Any] | None:
            stack: dict[str, Any] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
            return None if stack["StackStatus"].endswith("_IN_PROGRESS") else stack

        stack = eventually(done)
        events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        reasons = [
            event["ResourceStatusReason"]
            for event in reversed(events)
            if "_FAILED" in event["ResourceStatus"]
        ]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        return Stack(stack["StackStatus"], outputs, reasons[0] if reasons else "")


def organize(emulator: Emulator) -> World:
    """Create the organization; the unit `workloads` holds the member accounts."""
    organizations = emulator.session(ACCOUNTS.management, HOME_REGION).client("organizations")
    organization = organizations.create_organization(FeatureSet="ALL")["Organization"]["Id"]
    root = organizations.list_roots()["Roots"][0]["Id"]
    unit = organizations.create_organizational_unit(ParentId=root, Name="workloads")["OrganizationalUnit"][
        "Id"
    ]
    for name, account in ACCOUNTS.ids_by_name().items():
        if name != "management":
            organizations.create_account(AccountName=name, Email=f"{name}@example.com")
        if account in ACCOUNTS.members:
            organizations.move_account(AccountId=account, SourceParentId=root, DestinationParentId=unit)
    return World(emulator, root, unit, organization)


def eventually(look: Callable[[], Any]) -> Any:
    """What `look` finds, as soon as it finds something."""
    found = waiting.until(look, WAIT_SECONDS)
    assert found, f"nothing happened in {WAIT_SECONDS:.0f} seconds"
    return found
