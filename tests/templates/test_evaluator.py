"""The policy evaluator follows the IAM documentation for operators, missing keys and multiple values."""

from __future__ import annotations

from typing import Any

import pytest

from tests.templates.policies import Request, decide

WHO = "arn:aws:iam::111111111111:role/path/Name"


def document(**statement: Any) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", **statement}],
    }


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"StringEquals": {"k": "a"}}, {"k": "a"}, True),
        ({"StringEquals": {"k": ["a", "b"]}}, {"k": "b"}, True),
        ({"StringEquals": {"k": "a"}}, {"k": "A"}, False),
        ({"StringEquals": {"k": "a*"}}, {"k": "ab"}, False),
        ({"StringEquals": {"k": "a"}}, {}, False),
        ({"StringEqualsIfExists": {"k": "a"}}, {}, True),
        ({"StringEqualsIfExists": {"k": "a"}}, {"k": "b"}, False),
        ({"StringNotEquals": {"k": ["a", "b"]}}, {"k": "b"}, False),
        ({"StringNotEquals": {"k": ["a", "b"]}}, {"k": "c"}, True),
        ({"StringNotEquals": {"k": "a"}}, {}, True),
        ({"StringLike": {"k": "a*c?"}}, {"k": "abbcd"}, True),
        ({"StringLike": {"k": "a.c"}}, {"k": "abc"}, False),
        ({"ArnLike": {"aws:PrincipalArn": "arn:*:iam::*:role/path/*"}}, {}, True),
        ({"ArnLike": {"aws:PrincipalArn": "arn:*:role/path/Name"}}, {}, False),
        ({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::222222222222:role/*"}}, {}, True),
        ({"Bool": {"k": "true"}}, {"k": "TRUE"}, True),
        ({"Bool": {"k": "true"}}, {}, False),
        ({"NumericLessThan": {"k": "30"}}, {"k": "7"}, True),
        ({"NumericLessThan": {"k": 30}}, {"k": "30"}, False),
        ({"NumericLessThan": {"k": "30"}}, {}, False),
        ({"NumericLessThanIfExists": {"k": "30"}}, {}, True),
        ({"NumericLessThanEquals": {"k": "30"}}, {"k": "30"}, True),
        ({"NumericLessThanEquals": {"k": "30"}}, {"k": "31"}, False),
        ({"NumericGreaterThan": {"k": "9"}}, {"k": "10"}, True),
        ({"NumericGreaterThan": {"k": "10"}}, {"k": "10"}, False),
        ({"NumericGreaterThanEquals": {"k": "30"}}, {"k": "30"}, True),
        ({"NumericGreaterThanEquals": {"k": "30"}}, {"k": "7"}, False),
        ({"NumericGreaterThanEquals": {"k": "30"}}, {}, False),
        ({"NumericEquals": {"k": "30"}}, {"k": "30"}, True),
        ({"NumericNotEquals": {"k": "30"}}, {"k": "30"}, False),
        ({"NumericNotEquals": {"k": "30"}}, {}, True),
        ({"Null": {"k": "true"}}, {}, True),
        ({"Null": {"k": "false"}}, {}, False),
        ({"ForAnyValue:StringEquals": {"k": "a"}}, {"k": ["a", "b"]}, True),
        ({"ForAnyValue:StringEquals": {"k": "a"}}, {}, False),
        ({"ForAnyValue:StringNotLike": {"k": "a*"}}, {"k": ["ab", "b"]}, True),
        ({"ForAllValues:StringEquals": {"k": "a"}}, {"k": ["a", "b"]}, False),
        ({"ForAllValues:StringEquals": {"k": "a"}}, {}, True),
        ({"StringEquals": {"k": "a", "l": "b"}}, {"k": "a"}, False),
        ({"STRINGEQUALS": {"k": "a"}}, {"k": "a"}, None),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {"aws:SourceIp": "10.1.1.1"}, None),
    ],
)
def test_a_condition_holds_as_documented(condition: Any, context: Any, holds: bool | None) -> None:
    request = Request(WHO, "s3:GetObject", "arn:aws:s3:::b/k", context)
    if holds is None:
        with pytest.raises(ValueError, match="does not know the condition operator"):
            decide(document(Condition=condition), request)
    else:
        assert decide(document(Condition=condition), request) == ("Allow" if holds else "")


@pytest.mark.parametrize(
    ("principal", "is_it"),
    [
        ("*", True),
        ({"AWS": "*"}, True),
        ({"AWS": "arn:aws:iam::111111111111:root"}, True),
        ({"AWS": ["arn:aws:iam::222222222222:root", WHO]}, True),
        ({"AWS": "arn:aws:iam::222222222222:root"}, False),
        ({"Service": "backup.amazonaws.com"}, False),
    ],
)
def test_a_principal_is_matched_by_itself_its_account_or_everybody(principal: Any, is_it: bool) -> None:
    assert decide(document(Principal=principal), Request(WHO, "s3:GetObject")) == ("Allow" if is_it else "")


def test_a_deny_wins() -> None:
    both = {
        "Statement": [{"Effect": effect, "Action": "s3:*", "Resource": "*"} for effect in ("Allow", "Deny")]
    }
    assert decide(both, Request(WHO, "s3:GetObject")) == "Deny"


def test_an_unknown_element_is_rejected() -> None:
    with pytest.raises(ValueError, match="NotAction"):
        decide(document(NotAction="s3:PutObject"), Request(WHO, "s3:GetObject"))
