"""Every restore case in the emulator, and what is reported if tags are missing or wrong."""

import json
from dataclasses import replace

import pytest

from rehearsal.errors import OutcomeError
from rehearsal.stories.member import Member
from rehearsal.stories.resources import ITSELF, NOT_COPIED, TAGS
from rehearsal.stories.restore_cases import RESTORE_CASES, TABLE, RestoreCase
from rehearsal.stories.restore_jobs import back_up, restore, wait_for_tags

WHERE = "account 444444444444, us-east-2"


@pytest.mark.parametrize("case", RESTORE_CASES, ids=lambda case: case.title)
def test_a_restored_resource_has_every_part_and_no_tags_until_they_are_copied(
    member: Member, case: RestoreCase
) -> None:
    backup = back_up(member, replace(case, delete=None))
    source = case.tags(member, backup.source)
    assert source == {part: {**tags, **case.withheld, **NOT_COPIED} for part, tags in case.expected.items()}
    if case.delete:
        case.delete(member, backup.source)
    _, restored = restore(member, backup, "restored-thing")
    assert case.tags(member, restored) == {part: {} for part in case.expected}
    assert restored != backup.source


def table(member: Member, name: str) -> str:
    """The ARN of a new table without tags."""
    made = member.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return str(made["TableDescription"]["TableArn"])


def test_missing_tags_are_reported_with_the_resource_and_why_the_function_was_not_started(
    member: Member, hasty: None
) -> None:
    with pytest.raises(OutcomeError, match="table/bare was restored, but has no tags instead of") as caught:
        wait_for_tags(member, TABLE, table(member, "bare"))
    assert caught.value.details[-1] == (
        f"the function TagOnRestore was not started: no rule has it as a target (in {WHERE})"
    )


def test_a_rule_that_matches_no_restore_is_named_with_its_pattern(member: Member, hasty: None) -> None:
    """Nothing else explains why nothing happens: AWS drops an event that no rule matches."""
    events = member.client("events")
    pattern = {"source": ["aws.backup"], "detail": {"status": ["COMPLETE"]}}
    events.put_rule(Name="misspelled", EventPattern=json.dumps(pattern))
    function = member.arn("lambda", "function:TagOnRestore")
    events.put_targets(Rule="misspelled", Targets=[{"Id": "it", "Arn": function}])
    with pytest.raises(OutcomeError) as caught:
        wait_for_tags(member, TABLE, table(member, "unnoticed"))
    assert caught.value.details[-2:] == (
        f"the function TagOnRestore was not started: no rule matched an event for it (in {WHERE}):",
        f"rule misspelled (ENABLED) has the pattern {json.dumps(pattern)}; events sent: 0",
    )
    events.remove_targets(Rule="misspelled", Ids=["it"])
    events.delete_rule(Name="misspelled")


@pytest.mark.parametrize(
    ("tags", "wrong"),
    [
        (TAGS, False),
        ({**TAGS, **NOT_COPIED}, True),
        ({**TAGS, "Name": "invented"}, True),
        ({}, True),
    ],
)
def test_only_the_tags_of_the_source_are_right(
    member: Member, hasty: None, tags: dict[str, str], wrong: bool
) -> None:
    row = replace(TABLE, tags=lambda _member, _arn: {ITSELF: tags})
    if wrong:
        with pytest.raises(OutcomeError, match=r"instead of \{'backup': 'daily'"):
            wait_for_tags(member, row, "arn:aws:dynamodb:us-east-2:4:table/t")
    else:
        wait_for_tags(member, row, "arn:aws:dynamodb:us-east-2:4:table/t")
