"""What goes wrong, by means that anybody has: nothing half-done is left, and the next run completes it."""

from __future__ import annotations

import json
from typing import Any, Final

from buildspecs.rollout_report import SUSPENDED
from rehearsal.errors import OutcomeError
from rehearsal.pipeline.execution import ExpectedFailure
from rehearsal.readme.workspace import TARGETS
from rehearsal.scenarios.changes import (
    MEMBER_TEMPLATE,
    edit_function,
    function_update,
    member_update,
    new_body,
    recorded_package,
)
from rehearsal.scenarios.deployed_organization import Rollout
from rehearsal.scenarios.snapshot import changes, difference

_VAULT: Final = "  Vault:\n    Type: AWS::Backup::BackupVault\n"
_FUNCTION_SOURCE: Final = "lambdas/tag_on_restore/arn.py"
_RULE_NAME: Final = "backup-events-of-this-account"


def analysis_fails(rollout: Rollout) -> None:
    good = rollout.files.read(MEMBER_TEMPLATE)
    with rollout.unchanged("nothing was deployed"):
        rollout.files.edit(
            MEMBER_TEMPLATE, "      EnableKeyRotation: true\n", "      EnableKeyRotations: true\n"
        )
        rollout.commit("A misspelt property in the member template")
        rollout.run(ExpectedFailure("TestBackupRecoveryWithAWSBackup", "EnableKeyRotations"), analysed=True)
    with rollout.unchanged("the corrected commit goes through and has nothing to deploy"):
        rollout.files.write(MEMBER_TEMPLATE, good)
        rollout.commit("The property as it was")
        rollout.run()


def tests_fail(rollout: Rollout) -> None:
    good = {path: rollout.files.read(path) for path in (_FUNCTION_SOURCE, TARGETS)}
    with rollout.unchanged("nothing was deployed: neither the function nor the tag of the same commit"):
        rollout.files.edit(_FUNCTION_SOURCE, "re.fullmatch(form,", "re.match(form,")
        rollout.files.add_tag(TARGETS, "Stage", "of a commit that fails")
        rollout.commit("A fault in TagOnRestore, and a stack tag")
        rollout.run(ExpectedFailure("TestBackupRecoveryWithAWSBackup", "test_arn"), analysed=True)
    with rollout.unchanged("the corrected commit goes through and has nothing to deploy"):
        for path, text in good.items():
            rollout.files.write(path, text)
        rollout.commit("Both as they were")
        rollout.run()


def upload_fails(rollout: Rollout) -> None:
    account, region = next(place for place in rollout.package_places if place[1] != rollout.home.region)
    before = rollout.snapshot()
    bucket, s3 = rollout.package_bucket(region), rollout.client("s3", account, region)
    policy = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    with rollout.journal.step(f"the policy of bucket {bucket} denies uploads"):
        s3.put_bucket_policy(Bucket=bucket, Policy=_denying_uploads(policy, bucket))
    edit_function(rollout)
    rollout.commit("A comment in TagOnRestore")
    rollout.run(ExpectedFailure("DeployLambdaFunctions", bucket))
    with rollout.journal.step("the other region has the package; SSM and functions are as they were"):
        uploaded = difference(before, rollout.snapshot())
        others = [place for place in rollout.package_places if place[1] != region]
        packages = {change.thing.name for change in uploaded if change.thing.kind == "package"}
        if uploaded != changes("created", "package", others, *packages) or len(packages) != 1:
            raise OutcomeError("more or less than one package was uploaded", *map(str, sorted(uploaded)))
    with rollout.journal.step("the policy allows uploads again"):
        s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    rollout.start_again()
    rollout.run()
    rollout.only(
        "the next run has completed it",
        before,
        function_update(rollout, recorded_package(rollout)),
    )


def _denying_uploads(policy: str, bucket: str) -> str:
    document: dict[str, Any] = json.loads(policy)
    deny = {
        "Sid": "Planted",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    return json.dumps({**document, "Statement": [*document["Statement"], deny]})


def account_refuses(rollout: Rollout) -> None:
    account, region = rollout.everywhere[0]
    events = rollout.client("events", account, region)
    with rollout.journal.step(f"account {account} has a rule {_RULE_NAME} of its own in {region}"):
        events.put_rule(Name=_RULE_NAME, EventPattern='{"source": ["own"]}', State="DISABLED")
    before = rollout.snapshot()
    good = rollout.files.read(MEMBER_TEMPLATE)
    rollout.files.edit(MEMBER_TEMPLATE, _VAULT, f"{_new_rule()}\n{_VAULT}")
    rollout.commit("A rule of that name for every member account")
    rollout.run(ExpectedFailure("DeployBackupOrgPolicy", account))  # its last action reports
    with rollout.journal.step("the StackSet names the account, the region and the reason") as step:
        step.summary = _only_refusal(rollout, account, region)
    rollout.check("every other stack has the rule", lambda: _rule_missing(rollout, (account, region)))
    rollout.only("no other stack was touched", before, member_update(rollout) | new_body(rollout, before))
    with rollout.journal.step("the account's own rule is removed, the commit is taken back"):
        events.delete_rule(Name=_RULE_NAME)
        rollout.files.write(MEMBER_TEMPLATE, good)
    rollout.commit("No such rule any more")
    rollout.run()
    rollout.check(
        "no StackSet reports anything", lambda: _refusals(rollout)[0] if _refusals(rollout) else None
    )
    rollout.is_consistent()


def _new_rule() -> str:
    return (
        "  Rule:\n    Type: AWS::Events::Rule\n    Properties:\n"
        f"      Name: {_RULE_NAME}\n      State: DISABLED\n"
        "      EventPattern:\n        source: [aws.backup]\n"
    )


def _refusals(rollout: Rollout) -> list[str]:
    """Suspended accounts refuse nothing: nothing is tried in them."""
    return [
        f"account {each['Account']}, {each['Region']}: {each.get('StatusReason')}"
        for each in rollout.instances()
        if each["Status"] != "CURRENT" and each["StackInstanceStatus"]["DetailedStatus"] != SUSPENDED
    ]


def _only_refusal(rollout: Rollout, account: str, region: str) -> str:
    found = _refusals(rollout)
    if (
        len(found) != 1
        or not found[0].startswith(f"account {account}, {region}: ")
        or _RULE_NAME not in found[0]
    ):
        raise OutcomeError(f"one refusal of account {account} in {region} was expected", *found)
    return found[0]


def _rule_missing(rollout: Rollout, refusing: tuple[str, str]) -> str | None:
    for account, region in rollout.everywhere:
        if (account, region) != refusing:
            rules = rollout.client("events", account, region).list_rules(NamePrefix=_RULE_NAME)["Rules"]
            if not rules:
                return f"account {account}, {region} has no rule {_RULE_NAME}."
    return None
