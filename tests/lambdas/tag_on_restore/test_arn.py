"""ARNs: their parts, their forms, and what is not an ARN."""

import pytest
from tag_on_restore.arn import Arn
from tag_on_restore.errors import MalformedEventError


@pytest.mark.parametrize(
    "text",
    [
        "arn:aws:s3:::bucket",
        "arn:aws-cn:ec2:cn-north-1:444455556666:volume/vol-1",
        "arn:aws-us-gov:ec2:us-gov-west-1::image/ami-1",
        "arn:aws:rds:us-east-1:444455556666:snapshot:awsbackup:job-1",
        "arn:aws:backup:us-east-1:444455556666:recovery-point:continuous:db-1",
    ],
)
def test_an_arn_equals_its_parts(text: str) -> None:
    assert str(Arn.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        None,
        5,
        "",
        "bucket",
        "arn:aws:s3",
        "arn:aws:s3:::",
        "arn::s3:::b",
        "arn:aws::::b",
        "arn:azure:s3:::b",
        "ARN:aws:s3:::b",
        " arn:aws:s3:::b",
        "arn:aws:ec2:us-east-1:me:volume/v",
    ],
)
def test_text_that_is_not_an_arn_is_refused_by_the_name_of_its_field(text: object) -> None:
    with pytest.raises(MalformedEventError, match="sourceResourceArn is not an ARN"):
        Arn.parse(text, "sourceResourceArn")


@pytest.mark.parametrize(
    ("resource", "pattern", "fits"),
    [
        ("table/orders", "table/*", True),
        ("table/orders/backup/1", "table/*", False),
        ("table/", "table/*", False),
        ("db:orders", "db:*", True),
        ("snapshot:rds:orders-2026", "snapshot:*", True),
        ("cluster-snapshot:x", "snapshot:*", False),
        ("snapshot:warehouse/nightly", "snapshot:*/*", True),
        ("bucket", "*", True),
        ("bucket/key", "*", False),
        ("database/a/table/b", "database/*/table/*", True),
        ("tablexorders", "table/*", False),
    ],
)
def test_a_star_matches_one_segment(resource: str, pattern: str, fits: bool) -> None:
    assert Arn("aws", "x", "", "", resource).fits(pattern) is fits
