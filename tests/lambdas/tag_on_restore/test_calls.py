"""Every call that the table of taggers makes is one of AWS's."""

import pytest
from tag_on_restore.taggers import TAGGERS, Describes, Tagger

from tests.lambdas.tag_on_restore import fake_aws


def name(operation: str) -> str:
    """AWS's name of a boto3 method: list_tags_for_resource is ListTagsForResource."""
    return "".join(part.capitalize() for part in operation.split("_"))


@pytest.mark.parametrize("tagger", TAGGERS, ids=lambda tagger: f"{tagger.service} {tagger.resources[0]}")
def test_every_call_of_the_table_exists_in_boto3(tagger: Tagger) -> None:
    model = fake_aws.new_client(tagger.client).meta.service_model
    operations = {name(tagger.reads.operation): tagger.reads}
    if tagger.adds:
        operations[name(tagger.adds.operation)] = tagger.adds
    for operation, call in operations.items():
        members = model.operation_model(operation).input_shape.members
        if not isinstance(call, Describes):
            assert call.parameter in members
            assert ("AccountId" in members) == tagger.with_account


AGED = [tagger for tagger in TAGGERS if tagger.age]


@pytest.mark.parametrize("tagger", AGED, ids=lambda tagger: tagger.service)
def test_every_call_for_an_age_exists_in_boto3(tagger: Tagger) -> None:
    assert tagger.age is not None
    model = fake_aws.new_client(tagger.age.client).meta.service_model
    members = model.operation_model(name(tagger.age.operation)).input_shape.members
    assert set(tagger.age.asks("name")) <= set(members)
