"""Packages that SSM does not name, or that a bucket does not hold, are named."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from buildspecs.names import PACKAGES
from rehearsal.checks.packages import Packages
from rehearsal.errors import OutcomeError
from rehearsal.organization.plan import DEFAULT, Organization

PREFIX = {"/backup/lambda/bucket-prefix": "packages"}
RECORDED = {f"/backup/lambda/{name}/deployed-package": f"{name}-1.zip" for name in PACKAGES.values()}
NONE = dict.fromkeys(RECORDED, "none")


class Home:
    """An emulator, its session and its clients in one, with the home account's parameters and objects."""

    def __init__(self, parameters: dict[str, str], missing_in: str = "") -> None:
        self._parameters = parameters
        self._missing_in = missing_in

    def session(self, *_: str) -> "Home":
        return self

    def client(self, _service: str) -> "Home":
        return self

    def get_parameters(self, Names: list[str]) -> dict[str, Any]:  # noqa: N803 - boto3's spelling
        held = [{"Name": name, "Value": self._parameters[name]} for name in Names if name in self._parameters]
        return {"Parameters": held}

    def head_object(self, Bucket: str, Key: str) -> None:  # noqa: N803 - boto3's spelling
        if self._missing_in and Bucket.endswith(self._missing_in):
            raise ClientError({"Error": {"Code": "404", "Message": Key}}, "HeadObject")


def packages(parameters: dict[str, str], missing_in: str = "") -> Packages:
    emulator: Any = Home(parameters, missing_in)
    return Packages(emulator, Organization(DEFAULT, "o-abcdefghij", "r-abcd", "ou-abcd-11111111"))


def test_recorded_packages_are_found_in_every_region() -> None:
    found = packages(PREFIX | RECORDED)
    assert found.are_recorded()
    assert [(each.region, each.name) for each in found.check()] == [
        (region, name) for name in RECORDED.values() for region in DEFAULT.regions
    ]


@pytest.mark.parametrize(
    ("parameters", "missing_in", "fault"),
    [
        (PREFIX | NONE, "", "no package of TagOnRestore is recorded in SSM"),
        (RECORDED, "", "SSM parameter /backup/lambda/bucket-prefix does not exist"),
        (PREFIX | RECORDED, "us-east-2", r"bucket packages-2{12}-us-east-2 in us-east-2 does not hold the"),
    ],
)
def test_what_is_missing_is_named(parameters: dict[str, str], missing_in: str, fault: str) -> None:
    with pytest.raises(OutcomeError, match=fault):
        packages(parameters, missing_in).check()


@pytest.mark.parametrize("parameters", [PREFIX, PREFIX | NONE])
def test_packages_are_not_recorded_before_the_builds(parameters: dict[str, str]) -> None:
    assert not packages(parameters).are_recorded()
