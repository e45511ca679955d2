"""Failures: nothing is left half done, and the next run completes the deployment."""

from __future__ import annotations

import json
from typing import Any, Final

from buildspecs import names
from buildspecs.rollout_report import SUSPENDED
from rehearsal.errors import OutcomeError
from rehearsal.pipeline.execution import ExpectedFailure
from rehearsal.place import Place
from rehearsal.readme.workspace import TARGETS
from rehearsal.scenarios import edits
from rehearsal.scenarios.deployed_organization import DeployedOrganization
from rehearsal.scenarios.edits import MEMBER_TEMPLATE
from rehearsal.scenarios.snapshot import changes, difference

_VAULT: Final = "  Vault:\n    Type: AWS::Backup::BackupVault\n"
_FUNCTION_SOURCE: Final = "lambdas/tag_on_restore/arn.py"
_RULE_NAME: Final = "backup-events-of-this-account"


def analysis_fails(deployed: DeployedOrganization) -> None:
    good = deployed.files.read(MEMBER_TEMPLATE)
    with deployed.expect_no_change("nothing was deployed"):
        deployed.files.edit(
            MEMBER_TEMPLATE, "      EnableKeyRotation: true\n", "      EnableKeyRotations: true\n"
        )
        deployed.commit("A misspelled property in the member template")
        deployed.run(ExpectedFailure(names.ANALYSIS_STAGE, "EnableKeyRotations"), analysed=True)
    with deployed.expect_no_change("the corrected commit succeeds and has nothing to deploy"):
        deployed.files.write(MEMBER_TEMPLATE, good)
        deployed.commit("The property as it was")
        deployed.run()


def tests_fail(deployed: DeployedOrganization) -> None:
    good = {path: deployed.files.read(path) for path in (_FUNCTION_SOURCE, TARGETS)}
    with deployed.expect_no_change(
        "nothing was deployed: neither the function nor the tag of the same commit"
    ):
        deployed.files.edit(_FUNCTION_SOURCE, "re.fullmatch(form,", "re.match(form,")
        deployed.files.add_tag(TARGETS, "Stage", "of a commit that fails")
        deployed.commit("A fault in TagOnRestore, and a stack tag")
        deployed.run(ExpectedFailure(names.ANALYSIS_STAGE, "test_arn"), analysed=True)
    with deployed.expect_no_change("the corrected commit succeeds and has nothing to deploy"):
        for path, text in good.items():
            deployed.files.write(path, text)
        deployed.commit("Both as they were")
        deployed.run()


def upload_fails(deployed: DeployedOrganization) -> None:
    refusing = next(place for place in deployed.package_places if place != deployed.home)
    before = deployed.snapshot()
    bucket, s3 = deployed.package_bucket(refusing.region), deployed.client("s3", refusing)
    policy = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    with deployed.journal.step(f"the policy of bucket {bucket} denies uploads"):
        s3.put_bucket_policy(Bucket=bucket, Policy=_denying_uploads(policy, bucket))
    edits.edit_function(deployed)
    deployed.commit("A comment in TagOnRestore")
    deployed.run(ExpectedFailure(names.FUNCTIONS_STAGE, bucket))
    with deployed.journal.step("the other Region has the package; SSM and the functions have not changed"):
        uploaded = difference(before, deployed.snapshot())
        others = [place for place in deployed.package_places if place != refusing]
        packages = {change.thing.name for change in uploaded if change.thing.kind == "package"}
        if uploaded != changes("created", "package", others, *packages) or len(packages) != 1:
            raise OutcomeError("not exactly one package was uploaded.", *map(str, sorted(uploaded)))
    with deployed.journal.step("the policy allows uploads again"):
        s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    deployed.start_again()
    deployed.run()
    package = edits.recorded_package(deployed)
    deployed.expect_only("the next run has completed it", before, edits.function_update(deployed, package))


def _denying_uploads(policy: str, bucket: str) -> str:
    document: dict[str, Any] = json.loads(policy)
    deny = {
        "Sid": "DenyUploads",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    return json.dumps({**document, "Statement": [*document["Statement"], deny]})


def account_refuses(deployed: DeployedOrganization) -> None:
    refusing = deployed.member_places[0]
    events = deployed.client("events", refusing)
    with deployed.journal.step(f"{refusing} has its own rule {_RULE_NAME}"):
        events.put_rule(Name=_RULE_NAME, EventPattern='{"source": ["own"]}', State="DISABLED")
    before = deployed.snapshot()
    good = deployed.files.read(MEMBER_TEMPLATE)
    deployed.files.edit(MEMBER_TEMPLATE, _VAULT, f"{_new_rule()}\n{_VAULT}")
    deployed.commit("A rule of that name for every member account")
    deployed.run(ExpectedFailure(names.POLICY_STAGE, refusing.account))  # by its last action, which reports
    with deployed.journal.step("the StackSet names the account, the Region and the reason") as step:
        step.summary = _only_refusal(deployed, refusing)
    deployed.check("every other stack has the rule", lambda: _rule_missing(deployed, refusing))
    deployed.expect_only(
        "no other stack has changed",
        before,
        edits.member_update(deployed) | edits.new_template(deployed, before),
    )
    with deployed.journal.step("the account's own rule is deleted, the commit is reverted"):
        events.delete_rule(Name=_RULE_NAME)
        deployed.files.write(MEMBER_TEMPLATE, good)
    deployed.commit("Revert the rule")
    deployed.run()
    deployed.check("no StackSet reports a failure", lambda: next(iter(_refusals(deployed)), None))
    deployed.check_outcomes()


def _new_rule() -> str:
    return (
        "  Rule:\n    Type: AWS::Events::Rule\n    Properties:\n"
        f"      Name: {_RULE_NAME}\n      State: DISABLED\n"
        "      EventPattern:\n        source: [aws.backup]\n"
    )


def _refusals(deployed: DeployedOrganization) -> list[str]:
    """The stack instances that failed; StackSets skips those of suspended accounts."""
    return [
        f"{Place(each['Account'], each['Region'])}: {each.get('StatusReason')}"
        for each in deployed.instances()
        if each["Status"] != "CURRENT" and each["StackInstanceStatus"]["DetailedStatus"] != SUSPENDED
    ]


def _only_refusal(deployed: DeployedOrganization, refusing: Place) -> str:
    found = _refusals(deployed)
    if len(found) != 1 or not found[0].startswith(f"{refusing}: ") or _RULE_NAME not in found[0]:
        raise OutcomeError(f"only {refusing} should have failed.", *found)
    return found[0]


def _rule_missing(deployed: DeployedOrganization, refusing: Place) -> str | None:
    for place in deployed.member_places:
        if place != refusing:
            rules = deployed.client("events", place).list_rules(NamePrefix=_RULE_NAME)["Rules"]
            if not rules:
                return f"{place} has no rule {_RULE_NAME}."
    return None
