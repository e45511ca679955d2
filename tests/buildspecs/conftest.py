"""A small repository to build in, and an account in moto that records calls and can fail any of them.

CloudFormation is a fake: moto's needs packages that nothing else here needs.
"""

import hashlib
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from moto import mock_aws

from buildspecs.names import PACKAGE_BUCKET_PREFIX
from rehearsal.machine import environment

HOME_REGION = "us-east-1"
OTHER_REGION = "us-east-2"
ACCOUNT = "123456789012"  # moto's

_session = cache(environment.session)


@cache
def client(service: str, region: str) -> Any:
    """Another client in the account: its calls are neither recorded nor made to fail."""
    return _session().client(service, region_name=region)


@dataclass
class Stack:
    """A stack as CloudFormation describes it."""

    body: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str]


def _listed(values: Mapping[str, str], of: str) -> list[dict[str, str]]:
    key, value = {"Tags": ("Key", "Value"), "Parameters": ("ParameterKey", "ParameterValue")}[of]
    return [{key: name, value: content} for name, content in values.items()]


class Aws:
    """A session in the home account. `calls` names every call; `fail` makes some of them raise instead."""

    def __init__(self) -> None:
        self.session = environment.session(HOME_REGION)
        self.session.events.register("before-call", self._before_call)
        self.calls: list[str] = []
        self.stacks: dict[str, Stack] = {}
        self.owners: set[str] = set()
        self._should_fail: Callable[[int, str], Exception | None] = lambda number, call: None

    def fail(self, should_fail: Callable[[int, str], Exception | None]) -> None:
        """Call the function at each call, with its number from 0 and its name, for an error to raise."""
        self._should_fail = should_fail

    def recover(self) -> None:
        self._should_fail = lambda number, call: None
        self.calls.clear()

    def _before_call(self, **event: Any) -> tuple[AWSResponse, dict[str, Any]] | None:
        model, params, context = event["model"], event["params"], event["context"]
        call = f"{context['client_region']} {model.name}"
        self.calls.append(call)
        if model.service_model.service_name == "s3":
            self.owners.add(params["headers"].get("x-amz-expected-bucket-owner", "anybody"))
        error = self._should_fail(len(self.calls) - 1, call)
        if error is not None:
            raise error
        if model.service_model.service_name == "cloudformation":
            return self._cloudformation(model.name, params["body"]["StackName"])
        return None

    def _cloudformation(self, operation: str, name: str) -> tuple[AWSResponse, dict[str, Any]]:
        stack = self.stacks.get(name)
        if stack is None:
            error = {"Code": "ValidationError", "Message": f"Stack with id {name} does not exist"}
            return AWSResponse("", 400, {}, None), {"Error": error}
        responses = {
            "DescribeStacks": {
                "Stacks": [
                    {
                        "StackName": name,
                        "Parameters": _listed(stack.parameters, "Parameters"),
                        "Tags": _listed(stack.tags, "Tags"),
                    }
                ]
            },
            "GetTemplate": {"TemplateBody": stack.body},
        }
        return AWSResponse("", 200, {}, None), responses[operation]

    def make_bucket(self, region: str) -> str:
        name = f"lambda-deployment-bucket-{ACCOUNT}-{region}"
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        client("s3", region).create_bucket(Bucket=name, **place)
        return name

    def objects(self, region: str) -> dict[str, bytes]:
        s3 = client("s3", region)
        bucket = f"lambda-deployment-bucket-{ACCOUNT}-{region}"
        keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
        return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    def make_parameters(self, value: str = "none") -> None:
        for name in ("aws-backup-tagonrestore", "aws-backup-backuporgpolicymanager"):
            for what in ("deployed-package", "deployed-hash"):
                self._ssm().put_parameter(Name=f"/backup/lambda/{name}/{what}", Value=value, Type="String")

    def parameters(self) -> dict[str, tuple[str, int]]:
        """The value and version of every parameter, by name."""
        found = self._ssm().get_parameters_by_path(Path="/backup", Recursive=True)["Parameters"]
        return {item["Name"]: (item["Value"], item["Version"]) for item in found}

    @staticmethod
    def _ssm() -> Any:
        return client("ssm", HOME_REGION)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """The home account before the first packaging build."""
    monkeypatch.setenv("TARGET_REGIONS", f"{HOME_REGION},{OTHER_REGION}")
    monkeypatch.setenv("PACKAGE_BUCKET_PREFIX", PACKAGE_BUCKET_PREFIX)
    with mock_aws():
        account = Aws()
        account.make_parameters()
        account.make_bucket(HOME_REGION)
        account.make_bucket(OTHER_REGION)
        yield account


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose tag_on_restore has no dependencies."""
    package = tmp_path / "repository" / "lambdas" / "tag_on_restore"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "handler.py").write_text("def handler(event, context):\n    return event\n")
    (package / "requirements.txt").write_text("# nothing\n")
    return tmp_path / "repository"


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Makes a wheel that pip finds without a network, and returns its line for requirements.txt."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))

    def make(name: str = "helper", tag: str = "py3-none-any", code: str = "ANSWER = 42\n") -> str:
        path = folder / f"{name}-1.0-{tag}.whl"
        info = f"{name}-1.0.dist-info"
        files = {
            f"{name}/__init__.py": code,
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
            f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
            f"{info}/LICENSE": "free\n",
            f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
        }
        with zipfile.ZipFile(path, "w") as wheel:
            for file, text in files.items():
                wheel.writestr(file, text)
            wheel.writestr(f"{info}/RECORD", "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"]))
        return f"{name}==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"

    return make
