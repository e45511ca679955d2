"""Create, Update and Delete as CloudFormation sees them: the deployed function over a strict fake of AWS."""

import copy
import json
import logging
from typing import Any

import pytest
from backup_org_policy_manager.request import Owner

from .conftest import (
    ACCOUNT,
    MANAGEMENT,
    OTHER_MANAGEMENT,
    OU_1,
    OU_2,
    OU_3,
    ROOT,
    STACK,
    Function,
    event,
    plan,
    properties,
)
from .fakes import Fault

ANOTHER_STACK = {
    Owner.TAG_STACK: "arn:aws:cloudformation:us-east-1:222222222222:stack/another-stack/1a2b",
    Owner.TAG_RESOURCE: "DailyPolicy",
}
SIBLING = "which belongs to resource Weekly of this stack"


def update(policy_id: str, **changed: Any) -> dict[str, Any]:
    return event(
        "Update", properties(**changed), OldResourceProperties=properties(), PhysicalResourceId=policy_id
    )


def delete(policy_id: str, **changed: Any) -> dict[str, Any]:
    return event("Delete", properties(**changed), PhysicalResourceId=policy_id)


# -- create ----------------------------------------------------------------------------------------------


def test_a_policy_is_created_tagged_and_attached(function: Function) -> None:
    response = function.succeed(event("Create", properties(PolicyTargets=[ROOT, OU_1, ACCOUNT])))
    policy = function.organization.policies[response["PhysicalResourceId"]]
    assert (policy.name, policy.description, policy.targets) == (
        "daily",
        "Daily backups",
        [ROOT, OU_1, ACCOUNT],
    )
    assert policy.tags == {
        "backup-org-policy-manager:stack": STACK,
        "backup-org-policy-manager:resource": "DailyPolicy",
        "backup-org-policy-manager:request": "request-Create",
    }
    assert json.loads(policy.content)["plans"]["Daily"]["regions"] == {"@@assign": ["us-east-1", "us-east-2"]}
    assert ": " not in policy.content
    assert response["Data"] == {
        "PolicyId": policy.id,
        "PolicyName": "daily",
        "PolicyType": "BACKUP_POLICY",
        "PolicyTargets": [ROOT, OU_1, ACCOUNT],
        "PolicyTargetCount": "3",
        "EffectivePolicy": "valid",
    }
    assert not function.aws.clock.slept, "no sleep without a retry"


def test_an_invalid_request_is_refused_before_the_first_call(function: Function) -> None:
    regions = ["mars-north-1", "us-east-9", "aws-global", "cn-north-1"]
    reason = function.fail(event("Create", properties(PolicyName=None, PolicyRegions=regions)))
    assert [f"[{number}]" in reason for number in range(4)] == [True, True, False, False]
    assert "2 more in the log (PolicyRegions)" in reason
    assert reason.startswith(
        "PolicyName: missing; PolicyRegions[0]: mars-north-1 is not a Region of this partition"
    )
    assert function.aws.calls == []
    assert function.last_response["PhysicalResourceId"] == "policy-not-created"


@pytest.mark.parametrize(
    ("tags", "owner"),
    [
        ({}, "which has no owner tags, so its owner is unknown"),
        ({"made-by": "hand"}, "which has no owner tags, so its owner is unknown"),
        ({**ANOTHER_STACK, Owner.TAG_STACK: STACK, Owner.TAG_RESOURCE: "Weekly"}, SIBLING),
        (ANOTHER_STACK, "which belongs to stack another-stack"),
        ({Owner.TAG_STACK: "by hand"}, "which belongs to stack by hand"),
    ],
    ids=["untagged", "with other tags", "of a sibling", "of another stack", "tagged by hand"],
)
def test_a_name_that_is_not_ours_is_refused_with_its_id(
    function: Function, tags: dict[str, str], owner: str
) -> None:
    theirs = function.organization.add("daily", tags=tags, targets=[OU_1])
    reason = function.fail(event("Create", properties()))
    assert f"daily is the name of policy {theirs.id}, {owner}. Choose another name." in reason
    assert "delete" not in reason
    assert "(nothing was changed)" in reason
    assert list(function.organization.policies.values()) == [theirs]
    assert theirs.targets == [OU_1]


def test_a_policy_of_an_earlier_request_of_this_resource_is_refused_too(function: Function) -> None:
    policy_id = function.create()
    again = event("Create", properties(), RequestId="another-request")
    assert "was left by an earlier, unfinished request of this resource" in function.fail(again)
    assert function.organization.policies[policy_id].targets == [OU_1, OU_2]


def leave(function: Function, name: str = "daily", **tags: str) -> Any:
    """The policy of an earlier Create of this resource, which never came to be attached."""
    return function.organization.add(
        name, tags=Owner(STACK, "DailyPolicy", "earlier").tags() | tags, targets=[]
    )


def test_what_an_earlier_create_left_unattached_makes_room(function: Function) -> None:
    left = leave(function)
    policy_id = function.create()
    assert left.id not in function.organization.policies
    assert function.organization.policies[policy_id].targets == [OU_1, OU_2]
    assert function.aws.writes[:3] == ["CreatePolicy", "DeletePolicy", "CreatePolicy"]


@pytest.mark.parametrize(
    "tag", [{Owner.TAG_STACK: "arn:of:another:stack"}, {Owner.TAG_RESOURCE: "WeeklyPolicy"}], ids=str
)
def test_an_unattached_policy_of_somebody_else_never_makes_room(
    function: Function, tag: dict[str, str]
) -> None:
    left = leave(function, **tag)
    assert "Choose another name." in function.fail(event("Create", properties()))
    assert function.organization.policies == {left.id: left}


@pytest.mark.parametrize("look_up", ["ListPolicies", "ListTagsForResource"])
@pytest.mark.parametrize("lost", ["response lost", "response lost, then denied"])
def test_a_create_that_cannot_look_up_what_it_made_leaves_it_to_the_delete(
    function: Function, look_up: str, lost: str
) -> None:
    function.organization.denied.add(look_up)
    response = function.invoke(event("Create", properties()), Fault(lost, 1))
    assert response
    assert response["Status"] == "FAILED"
    assert "1 left to the rollback: policy daily" in response["Reason"]
    assert len(function.organization.policies) == 1
    function.organization.denied.clear()
    function.succeed(delete(response["PhysicalResourceId"]))
    assert not function.organization.policies


def test_a_create_without_time_to_look_up_what_it_made_leaves_it_to_the_delete(function: Function) -> None:
    late = Fault("time out", 2)
    response = function.invoke(event("Create", properties()), Fault("response lost", 1), late)
    assert response
    assert response["Status"] == "FAILED"
    assert len(function.organization.policies) == 1
    function.succeed(delete(response["PhysicalResourceId"]))
    assert not function.organization.policies


def test_the_next_create_finds_it_as_well(function: Function) -> None:
    function.organization.denied.add("ListPolicies")
    assert function.invoke(event("Create", properties()), Fault("response lost", 1))
    function.organization.denied.clear()
    again = function.succeed(event("Create", properties(), RequestId="another-request"))
    assert list(function.organization.policies) == [again["PhysicalResourceId"]]


def test_an_update_that_takes_its_name_finds_it_as_well(function: Function) -> None:
    policy_id = function.create()
    leave(function, "nightly")
    function.succeed(update(policy_id, PolicyName="nightly"))
    assert [policy.name for policy in function.organization.policies.values()] == ["nightly"]
    assert policy_id in function.organization.policies


def test_an_update_that_makes_the_policy_again_finds_it_under_the_old_name(function: Function) -> None:
    left = leave(function)
    new = function.succeed(update("p-1a2b3c4d", PolicyName="nightly"))["PhysicalResourceId"]
    assert list(function.organization.policies) == [new]
    assert new != left.id


def test_a_request_delivered_twice_makes_one_policy(function: Function) -> None:
    policy_id = function.create()
    assert function.create() == policy_id
    assert len(function.organization.policies) == 1
    assert function.aws.writes == ["CreatePolicy"], "only the name is tried; everything is as it should be"


def test_ours_is_found_among_500_others_on_the_last_page(function: Function) -> None:
    for number in range(500):
        function.organization.add(
            f"daily-{number}" if number % 2 else f"dail{number}", targets=[OU_3] * (number < 9)
        )
    policy_id = function.create()
    before = {name: policy for name, policy in function.organization.policies.items() if name != policy_id}
    function.organization.policies[policy_id].targets.clear()
    assert function.create() == policy_id
    assert function.organization.policies[policy_id].targets == [OU_1, OU_2]
    assert function.aws.counts()["ListPolicies"] == 26
    function.succeed(delete(policy_id))
    assert function.organization.policies == before


def test_a_target_with_ten_policies_fails_and_leaves_nothing(function: Function) -> None:
    for number in range(10):
        function.organization.add(f"other-{number}", targets=[OU_2])
    reason = function.fail(event("Create", properties()))
    assert "ConstraintViolationException" in reason
    assert reason.endswith("(2 of 3 changes made, all reverted)")
    assert len(function.organization.policies) == 10
    assert function.last_response["PhysicalResourceId"] == "policy-not-created"


def test_what_a_failed_create_could_not_remove_goes_with_the_delete_that_follows(function: Function) -> None:
    function.organization.targets.remove(OU_2)
    function.organization.denied.add("DeletePolicy")
    reason = function.fail(event("Create", properties()))
    left = function.last_response["PhysicalResourceId"]
    assert reason.endswith(f"(2 of 3 changes made; 1 left to the rollback: policy {left})")
    function.organization.denied.clear()
    function.succeed(delete(left))
    assert not function.organization.policies


def test_a_role_that_is_not_there_yet_is_named_with_its_stack(function: Function) -> None:
    del function.aws.organizations[MANAGEMENT]
    reason = function.fail(event("Create", properties()))
    assert "arn:aws:iam::111111111111:role/BackupOrgPolicyManagerOrgAdmin" in reason
    assert "create stack aws-backup-backuporgpolicymanager-mangement-role" in reason


def test_the_partition_of_the_stack_is_the_partition_of_the_role_and_the_regions(function: Function) -> None:
    stack = STACK.replace("arn:aws:", "arn:aws-us-gov:")
    given = event("Create", properties(PolicyRegions=["us-gov-west-1"]), StackId=stack)
    function.succeed(given)
    assert "us-east-1 is not a Region" in function.fail(event("Create", properties(), StackId=stack))


def test_an_interrupted_create_that_then_fails_leaves_nothing_either(function: Function) -> None:
    assert function.invoke(event("Create", properties()), Fault("killed", 1)) is None
    assert len(function.organization.policies) == 1
    function.organization.targets.remove(OU_2)
    assert "all reverted" in function.fail(event("Create", properties()))
    assert not function.organization.policies


def test_a_create_without_a_clear_answer_removes_nothing_that_is_not_its_own(function: Function) -> None:
    theirs = function.organization.add("daily")
    response = function.invoke(event("Create", properties()), Fault("server error, then denied", 1))
    assert response
    assert response["Status"] == "FAILED"
    assert function.organization.policies == {theirs.id: theirs}


def test_botocore_repeats_nothing_by_itself(function: Function, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        response = function.invoke(event("Create", properties()), Fault("throttled once", 1))
    assert response
    assert response["Status"] == "SUCCESS"
    assert (
        len(function.aws.clock.slept) == caplog.text.count("action=wait call=CreatePolicy daily tries=1") == 1
    )


# -- content from S3 -------------------------------------------------------------------------------------


def from_s3(**place: str) -> dict[str, Any]:
    return {"S3": {"PolicyBucket": "bucket", "PolicyKey": "policies/daily.json", **place}}


def test_content_is_read_from_s3_and_a_new_version_is_rolled_out(function: Function) -> None:
    key = "bucket", "policies/daily.json"
    function.aws.objects |= {
        (*key, None): b"\xef\xbb\xbf" + json.dumps(plan(), indent=4).encode(),
        (*key, "v2"): json.dumps(plan(days="7")).encode(),
    }
    policy_id = function.create(PolicyContent=from_s3())
    assert function.aws.calls[0] == "GetObject"
    function.succeed(update(policy_id, PolicyContent=from_s3(PolicyVersion="v2")))
    assert '"7"' in function.organization.policies[policy_id].content


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "PolicyContent.S3: s3://bucket/policies/daily.json: NoSuchKey"),
        (b"\xff\xfe", "s3://bucket/policies/daily.json: not UTF-8 text"),
        (b" " * 1_000_001, "s3://bucket/policies/daily.json: more than 1,000,000 bytes"),
        (b"{}", "PolicyContent.plans: no plan"),
    ],
    ids=["missing", "binary", "too large", "no policy"],
)
def test_an_object_that_is_no_policy_is_named(
    function: Function, content: bytes | None, expected: str
) -> None:
    if content is not None:
        function.aws.objects["bucket", "policies/daily.json", None] = content
    assert expected in function.fail(event("Create", properties(PolicyContent=from_s3())))
    assert function.aws.calls == ["GetObject"]


# -- update ----------------------------------------------------------------------------------------------


def test_nothing_changed_writes_nothing(function: Function) -> None:
    policy_id = function.create()
    response = function.succeed(update(policy_id))
    assert response["PhysicalResourceId"] == policy_id
    assert function.aws.writes == []


@pytest.mark.parametrize(
    "changed",
    [
        {"PolicyContent": plan(days="7")},
        {"PolicyRegions": ["us-east-2"]},
        {"PolicyDescription": "Other words"},
        {"PolicyName": "nightly"},
        {"PolicyName": "nightly", "PolicyDescription": "Other words", "PolicyContent": plan(days="7")},
    ],
    ids=["content", "regions", "description", "name", "all"],
)
def test_one_call_changes_what_the_policy_says(function: Function, changed: dict[str, Any]) -> None:
    policy_id = function.create()
    response = function.succeed(update(policy_id, **changed))
    assert response["PhysicalResourceId"] == policy_id
    assert function.aws.writes == ["UpdatePolicy"]


def test_targets_are_attached_before_others_are_detached(function: Function) -> None:
    policy_id = function.create()
    function.succeed(update(policy_id, PolicyTargets=[OU_2, OU_3, ACCOUNT]))
    assert function.aws.writes == ["AttachPolicy", "AttachPolicy", "DetachPolicy"]
    assert function.organization.policies[policy_id].targets == [OU_2, OU_3, ACCOUNT]


def test_a_target_that_somebody_added_or_removed_by_hand_is_put_right(function: Function) -> None:
    policy_id = function.create()
    function.organization.policies[policy_id].targets[:] = [OU_2, OU_3]
    function.succeed(update(policy_id))
    assert sorted(function.organization.policies[policy_id].targets) == [OU_1, OU_2]


def test_every_page_of_targets_is_read(function: Function) -> None:
    many = [f"ou-root-{number:08d}" for number in range(70)]
    function.organization.targets += many
    policy_id = function.create(PolicyTargets=many)
    function.succeed(update(policy_id, PolicyTargets=[OU_1]))
    assert function.organization.policies[policy_id].targets == [OU_1]


def test_a_deleted_ou_is_no_reason_to_fail(function: Function) -> None:
    policy_id = function.create()
    function.organization.targets.remove(OU_1)
    function.succeed(update(policy_id, PolicyTargets=[OU_2]))


def test_a_refused_content_leaves_the_old_policy_in_force_and_the_rollback_succeeds(
    function: Function,
) -> None:
    policy_id = function.create()
    before = function.aws.snapshot()[MANAGEMENT].policies
    refused = properties(PolicyContent=plan("refuse me"))
    reason = function.fail(update(policy_id, **refused))
    assert "MalformedPolicyDocumentException" in reason
    assert function.organization.policies == before
    back = event("Update", properties(), OldResourceProperties=refused, PhysicalResourceId=policy_id)
    assert function.succeed(back)["PhysicalResourceId"] == policy_id
    assert function.aws.writes == []


def test_a_failure_between_two_changes_puts_the_first_one_back(function: Function) -> None:
    policy_id = function.create()
    before = function.aws.snapshot()[MANAGEMENT].policies
    changed = {"PolicyContent": plan(days="7"), "PolicyTargets": [OU_2, "ou-root-nowhere0"]}
    reason = function.fail(update(policy_id, **changed))
    assert "Correct PolicyTargets." in reason
    assert reason.endswith("(1 of 3 changes made, all reverted)")
    assert function.organization.policies == before


def test_a_name_that_is_taken_is_refused_with_its_id(function: Function) -> None:
    policy_id = function.create()
    theirs = function.organization.add("nightly")
    reason = function.fail(update(policy_id, PolicyName="nightly"))
    assert f"nightly is the name of policy {theirs.id}" in reason
    assert function.organization.policies[policy_id].name == "daily"


def test_another_organization_gets_a_new_policy_and_the_old_one_stays_until_its_delete(
    function: Function,
) -> None:
    old = function.create()
    response = function.succeed(update(old, OrgManagementAccount=OTHER_MANAGEMENT))
    new = response["PhysicalResourceId"]
    assert new != old
    assert function.organization.policies[old].targets == [OU_1, OU_2]
    assert function.aws.organizations[OTHER_MANAGEMENT].policies[new].targets == [OU_1, OU_2]
    function.succeed(delete(old))
    assert not function.organization.policies
    assert new in function.aws.organizations[OTHER_MANAGEMENT].policies


# What an earlier version of the function accepted, and a rule refuses since then.
OLD_RULES = [
    {"PolicyContent": plan(days="0")},
    {"PolicyContent": plan(schedule_expression={"@@asign": "cron(0 5 ? * * *)"})},
    {"Variables": [{"LEFT_OVER": "x"}]},
    {"PolicyTarget": [OU_3]},
    {"PolicyContent": {"plans": {"Daily": {"rules": {}}}}},
]


@pytest.mark.parametrize("changed", OLD_RULES, ids=str)
@pytest.mark.parametrize(
    "refused",
    [{"PolicyType": "TAG_POLICY"}, {"PolicyContent": plan("refuse me")}],
    ids=["by us", "by Organizations"],
)
def test_a_refused_update_is_rolled_back_to_what_a_newer_rule_refuses(
    function: Function, changed: dict[str, Any], refused: dict[str, Any]
) -> None:
    policy_id = function.create()
    policy = function.organization.policies[policy_id]
    old = properties(**changed)
    content = copy.deepcopy(old["PolicyContent"])
    content["plans"]["Daily"]["regions"] = {"@@assign": old["PolicyRegions"]}
    policy.content = json.dumps(content)

    new = properties(**refused)
    function.fail(event("Update", new, OldResourceProperties=old, PhysicalResourceId=policy_id))
    before = copy.deepcopy(function.organization.policies)
    back = event("Update", old, OldResourceProperties=new, PhysicalResourceId=policy_id)
    assert function.succeed(back)["PhysicalResourceId"] == policy_id
    assert function.organization.policies == before
    assert function.aws.writes == []

    policy.targets.remove(OU_1)
    assert function.fail(back), "there would be something to write"


@pytest.mark.parametrize(
    "changed",
    [{"PolicyTarget": [OU_3]}, {"Variables": [{"UNUSED": "x"}]}, {"PolicyType": "TAG_POLICY"}],
    ids=str,
)
def test_an_update_to_what_is_in_force_is_refused_for_new_faults(
    function: Function, changed: dict[str, Any]
) -> None:
    policy_id = function.create()
    assert next(iter(changed)) in function.fail(update(policy_id, **changed))


def test_an_update_that_no_longer_says_that_it_is_a_child_policy_is_refused(function: Function) -> None:
    content = {"plans": {"Daily": {"rules": {}}}}
    old = properties(PolicyContent=content, ChildPolicy="true")
    policy_id = function.create(PolicyContent=content, ChildPolicy="true")
    request = event(
        "Update", properties(PolicyContent=content), OldResourceProperties=old, PhysicalResourceId=policy_id
    )
    assert "ChildPolicy" in function.fail(request)


def test_another_policy_type_is_refused(function: Function) -> None:
    policy_id = function.create()
    assert "only BACKUP_POLICY is supported" in function.fail(update(policy_id, PolicyType="TAG_POLICY"))


def test_a_policy_of_another_type_is_replaced_not_changed(function: Function) -> None:
    tag_policy = function.organization.add("tags", type="TAG_POLICY", targets=[OU_1])
    request = event(
        "Update",
        properties(),
        OldResourceProperties=properties(PolicyType="TAG_POLICY"),
        PhysicalResourceId=tag_policy.id,
    )
    new = function.succeed(request)["PhysicalResourceId"]
    assert new != tag_policy.id
    function.succeed(delete(tag_policy.id, PolicyType="TAG_POLICY"))
    assert tag_policy.id in function.organization.policies


def test_a_policy_deleted_by_hand_is_created_again(function: Function) -> None:
    old = function.create()
    del function.organization.policies[old]
    new = function.succeed(update(old))["PhysicalResourceId"]
    assert new != old
    assert function.organization.policies[new].targets == [OU_1, OU_2]


def test_a_policy_that_was_made_before_tags_were_written_is_kept(function: Function) -> None:
    policy = function.organization.add("daily", targets=[OU_1])
    assert function.succeed(update(policy.id))["PhysicalResourceId"] == policy.id
    assert policy.targets == [OU_1, OU_2]


TAGGED = Owner(STACK, "DailyPolicy", "request-Update").tags()


def test_an_update_in_place_gives_an_untagged_policy_its_owners_tags(function: Function) -> None:
    policy = function.organization.add("daily", targets=[OU_1], tags={"team": "a"})
    function.succeed(update(policy.id))
    assert policy.tags == {"team": "a", **TAGGED}


def test_an_update_in_place_leaves_the_tags_of_another_owner(function: Function) -> None:
    policy = function.organization.add("daily", targets=[OU_1], tags=dict(ANOTHER_STACK))
    function.succeed(update(policy.id))
    assert policy.tags == ANOTHER_STACK


@pytest.mark.parametrize("operation", ["ListTagsForResource", "TagResource"])
def test_an_update_does_not_fail_for_its_tags(function: Function, operation: str) -> None:
    policy = function.organization.add("daily", targets=[OU_1])
    function.organization.denied.add(operation)
    function.succeed(update(policy.id))
    assert policy.targets == [OU_1, OU_2]


def untagged(function: Function) -> str:
    """A policy as the first release made it."""
    policy_id = function.create()
    function.organization.policies[policy_id].tags.clear()
    return policy_id


def test_another_type_of_an_untagged_policy_is_rolled_back_to_where_it_began(function: Function) -> None:
    policy_id = untagged(function)
    before = function.aws.snapshot()[MANAGEMENT].policies
    refused = properties(PolicyType="TAG_POLICY")
    assert "only BACKUP_POLICY is supported" in function.fail(update(policy_id, **refused))
    back = event("Update", properties(), OldResourceProperties=refused, PhysicalResourceId=policy_id)
    assert function.succeed(back)["PhysicalResourceId"] == policy_id
    assert function.organization.policies == before


def test_a_move_of_an_untagged_policy_is_rolled_back_to_where_it_began(function: Function) -> None:
    policy_id = untagged(function)
    before = function.aws.snapshot()[MANAGEMENT].policies
    moved = properties(OrgManagementAccount=OTHER_MANAGEMENT)
    new = function.succeed(update(policy_id, **moved))["PhysicalResourceId"]
    back = event("Update", properties(), OldResourceProperties=moved, PhysicalResourceId=new)
    assert function.succeed(back)["PhysicalResourceId"] == policy_id
    function.succeed(delete(new, **moved))
    assert function.aws.organizations[OTHER_MANAGEMENT].policies == {}
    (policy,) = function.organization.policies.values()
    assert policy.tags == TAGGED
    policy.tags.clear()
    assert function.organization.policies == before


def test_a_move_back_does_not_take_an_untagged_policy_that_only_has_the_name(function: Function) -> None:
    first = function.create()
    moved = properties(OrgManagementAccount=OTHER_MANAGEMENT)
    new = function.succeed(update(first, **moved))["PhysicalResourceId"]
    function.succeed(delete(first))
    theirs = function.organization.add("daily", targets=[OU_3])
    reason = function.fail(event("Update", properties(), OldResourceProperties=moved, PhysicalResourceId=new))
    assert f"policy {theirs.id}, which has no owner tags, so its owner is unknown" in reason
    assert theirs.targets == [OU_3]


@pytest.mark.parametrize("tagged", [True, False])
def test_two_resources_that_swap_their_names_are_told_whose_is_whose(
    function: Function, tagged: bool
) -> None:
    weekly = properties(PolicyName="weekly")
    daily_id = function.create()
    response = function.succeed(event("Create", weekly, LogicalResourceId="WeeklyPolicy"))
    weekly_id = response["PhysicalResourceId"]
    if not tagged:
        for policy in function.organization.policies.values():
            policy.tags.clear()
    before = function.aws.snapshot()[MANAGEMENT].policies
    swaps = [
        (update(daily_id, PolicyName="weekly"), weekly_id, "WeeklyPolicy"),
        (
            event(
                "Update",
                properties(),
                OldResourceProperties=weekly,
                PhysicalResourceId=weekly_id,
                LogicalResourceId="WeeklyPolicy",
            ),
            daily_id,
            "DailyPolicy",
        ),
    ]
    for swap, holder, owner in swaps:
        reason = function.fail(swap)
        whose = f"belongs to resource {owner} of this stack" if tagged else "so its owner is unknown"
        assert f"is the name of policy {holder}, which " in reason
        assert whose in reason
        assert "delete" not in reason
        back = {
            **swap,
            "ResourceProperties": swap["OldResourceProperties"],
            "OldResourceProperties": swap["ResourceProperties"],
        }
        function.succeed(back)
        assert function.organization.policies == before


def test_a_policy_of_another_name_and_another_stack_is_not_touched(function: Function) -> None:
    theirs = function.organization.add("theirs", tags=ANOTHER_STACK, targets=[OU_3])
    new = function.succeed(update(theirs.id))["PhysicalResourceId"]
    assert new != theirs.id
    assert (theirs.name, theirs.targets) == ("theirs", [OU_3])


def test_a_policy_renamed_by_hand_gets_its_name_back(function: Function) -> None:
    policy_id = function.create()
    function.organization.policies[policy_id].name = "renamed"
    assert function.succeed(update(policy_id))["PhysicalResourceId"] == policy_id
    assert function.organization.policies[policy_id].name == "daily"


def test_a_physical_id_that_is_no_policy_id_leads_to_a_new_policy(function: Function) -> None:
    new = function.succeed(update("policy-not-created"))["PhysicalResourceId"]
    assert function.organization.policies[new].targets == [OU_1, OU_2]


def test_a_policy_of_another_type_is_never_changed_even_if_the_role_could(function: Function) -> None:
    function.organization.role_is_limited = False
    tag_policy = function.organization.add("daily-tags", type="TAG_POLICY", content="{}")
    new = function.succeed(update(tag_policy.id))["PhysicalResourceId"]
    assert new != tag_policy.id
    assert (tag_policy.name, tag_policy.content) == ("daily-tags", "{}")


def test_another_management_account_of_the_same_organization_keeps_the_policy(function: Function) -> None:
    function.aws.organizations[OTHER_MANAGEMENT] = function.organization
    policy_id = function.create()
    response = function.succeed(update(policy_id, OrgManagementAccount=OTHER_MANAGEMENT))
    assert response["PhysicalResourceId"] == policy_id
    assert function.organization.policies[policy_id].targets == [OU_1, OU_2]


def test_coming_back_from_another_organization_removes_only_what_is_ours_there(function: Function) -> None:
    policy_id = function.create()
    theirs = function.aws.organizations[OTHER_MANAGEMENT].add("daily", targets=[OU_1])
    request = event(
        "Update",
        properties(),
        OldResourceProperties=properties(OrgManagementAccount=OTHER_MANAGEMENT),
        PhysicalResourceId=policy_id,
    )
    function.succeed(request)
    assert theirs.targets == [OU_1]


def test_a_leftover_of_an_earlier_request_is_put_back_as_it_was_if_the_update_fails(
    function: Function,
) -> None:
    leftover = function.create()
    function.organization.targets.remove(OU_1)
    function.organization.policies[leftover].targets[:] = [OU_2]
    request = update("p-1a2b3c4d", PolicyContent=plan(days="7"))
    assert "all reverted" in function.fail(request)
    assert function.organization.policies[leftover].targets == [OU_2]
    assert '"35"' in function.organization.policies[leftover].content


# -- delete ----------------------------------------------------------------------------------------------


def test_every_target_is_detached_and_the_policy_deleted(function: Function) -> None:
    many = [f"ou-root-{number:08d}" for number in range(45)]
    function.organization.targets += many
    policy_id = function.create(PolicyTargets=many)
    response = function.succeed(delete(policy_id))
    assert response["PhysicalResourceId"] == policy_id
    assert function.aws.counts()["DetachPolicy"] == 45
    assert not function.organization.policies
    assert not function.aws.clock.slept


def test_what_is_gone_already_is_success(function: Function) -> None:
    function.succeed(delete("p-1a2b3c4d"))
    assert function.aws.calls == ["AssumeRole", "ListTagsForResource"]


def test_a_create_that_left_nothing_needs_no_call(function: Function) -> None:
    function.succeed(delete("policy-not-created"))
    assert function.aws.calls == []


# CloudFormation makes up an id where no response came at all.
UNCLEAR = ["policy-perhaps-created", "stack_DailyPolicy_ABCDEFGH", "", "p-123"]


@pytest.mark.parametrize("physical_id", UNCLEAR)
def test_a_create_with_an_unclear_end_is_looked_up(function: Function, physical_id: str) -> None:
    function.succeed(delete(physical_id))
    assert function.aws.calls == ["AssumeRole", "ListPolicies"]
    leave(function)
    function.succeed(delete(physical_id))
    assert not function.organization.policies


@pytest.mark.parametrize("physical_id", UNCLEAR)
def test_a_delete_without_an_id_never_goes_by_the_name_alone(function: Function, physical_id: str) -> None:
    for tags in ({}, ANOTHER_STACK, {Owner.TAG_STACK: STACK, Owner.TAG_RESOURCE: "WeeklyPolicy"}):
        theirs = function.organization.add("daily", tags=dict(tags))
        function.succeed(delete(physical_id))
        assert function.organization.policies == {theirs.id: theirs}
        del function.organization.policies[theirs.id]


def test_a_delete_without_an_id_leaves_a_policy_that_is_attached(function: Function) -> None:
    retained = leave(function)
    retained.targets.append(OU_1)
    function.succeed(delete("policy-perhaps-created"))
    assert retained.targets == [OU_1]
    assert retained.id in function.organization.policies


@pytest.mark.parametrize("operation", ["AssumeRole", "ListPolicies", "ListTagsForResource"])
@pytest.mark.parametrize("kind", ["denied", "throttled for ever"])
def test_a_look_up_that_fails_does_not_block_the_deletion_of_the_stack(
    function: Function, operation: str, kind: str
) -> None:
    leave(function)
    at = ["AssumeRole", "ListPolicies", "ListTagsForResource"].index(operation)
    response = function.invoke(delete("policy-perhaps-created"), Fault(kind, at))
    assert response
    assert response["Status"] == "SUCCESS"


def test_a_policy_with_another_stacks_tag_is_left_alone(function: Function) -> None:
    theirs = function.organization.add("daily", tags=ANOTHER_STACK, targets=[OU_1])
    function.succeed(delete(theirs.id))
    assert function.organization.policies == {theirs.id: theirs}
    assert theirs.targets == [OU_1]
    assert function.aws.writes == []


def test_a_policy_without_tags_is_deleted(function: Function) -> None:
    policy = function.organization.add("daily", targets=[OU_1])
    function.succeed(delete(policy.id))
    assert not function.organization.policies


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"OrgManagementAccount": "1"},
        {"OrgManagementAccount": 7},
        {"PolicyTargets": 3, "PolicyContent": 4},
    ],
)
def test_a_delete_never_fails_for_its_properties(function: Function, wrong: dict[str, Any]) -> None:
    function.succeed(event("Delete", wrong, PhysicalResourceId="p-1a2b3c4d"))


def test_a_policy_that_was_attached_meanwhile_is_detached_there_too(function: Function) -> None:
    policy_id = function.create()
    policy = function.organization.policies[policy_id]

    def attach_once() -> None:
        if (
            function.aws.calls[-1] == "DetachPolicy"
            and not policy.targets
            and OU_3 not in function.aws.errors
        ):
            policy.targets.append(OU_3)
            function.aws.errors.append(OU_3)

    function.aws.after_call = attach_once
    function.succeed(delete(policy_id))
    assert not function.organization.policies
    assert len(function.aws.clock.slept) == 1
