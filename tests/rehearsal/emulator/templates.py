"""What the emulator's tests create: small templates as Python values, and zip files."""

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

Resources = dict[str, dict[str, Any]]


def template(resources: Resources, **more: Any) -> str:
    return json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources, **more})


def statement(actions: str | list[str], resources: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def trust(principal: dict[str, Any], **more: Any) -> dict[str, Any]:
    return policy({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more})


def role(
    name: str, principal: dict[str, Any], *statements: dict[str, Any], **condition: Any
) -> dict[str, Any]:
    """A role that a principal may assume, with what the statements allow; condition: of the trust policy."""
    more = {"Condition": condition} if condition else {}
    policies = [{"PolicyName": "P", "PolicyDocument": policy(*statements)}] if statements else []
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": name,
            "AssumeRolePolicyDocument": trust(principal, **more),
            "Policies": policies,
        },
    }


def function(name: str, code: dict[str, Any], execution_role: str = "Role", **more: Any) -> dict[str, Any]:
    """A Lambda function whose role is another resource of the template."""
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "FunctionName": name,
            "Runtime": "python3.13",
            "Handler": "index.handler",
            "Role": {"Fn::GetAtt": [execution_role, "Arn"]},
            "Code": code,
            **more,
        },
    }


def log_group(name: str) -> dict[str, Any]:
    return {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": name}}


def action(
    name: str, category: str, provider: str, configuration: dict[str, Any], **more: Any
) -> dict[str, Any]:
    """An action of a pipeline."""
    return {
        "Name": name,
        "ActionTypeId": {"Category": category, "Owner": "AWS", "Provider": provider, "Version": "1"},
        "Configuration": configuration,
        **more,
    }


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()
