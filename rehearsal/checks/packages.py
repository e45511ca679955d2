"""The functions' packages: SSM names one for each function, and every Region's bucket holds it."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from botocore.exceptions import ClientError

from buildspecs.names import PACKAGES
from rehearsal.checks.findings import Found, existing, found_unless, parameter
from rehearsal.emulator import Emulator
from rehearsal.organization.plan import Organization
from rehearsal.report.journal import Holding


class Packages:
    """The packages in the home account."""

    def __init__(self, emulator: Emulator, organization: Organization) -> None:
        self._emulator = emulator
        self._home = organization.plan.accounts.home
        self._home_region = organization.plan.home_region
        self._regions = dict.fromkeys([self._home_region, *organization.plan.regions])

    def check(self) -> Found:
        """Every package that SSM names is in every Region's bucket."""
        faults: list[str] = []
        found: Found = []
        for function in PACKAGES:
            package = self._name(function)
            if package == "none":
                faults.append(f"no package of {function} is recorded in SSM.")
                continue
            for region in self._regions:
                bucket = self._bucket(region)
                if self._exists(region, bucket, package):
                    kind = f"package of {function}"
                    found.append(Holding("home", self._home, region, kind, package))
                else:
                    faults.append(f"bucket {bucket} in {region} does not hold the package {package}.")
        return found_unless(faults, found)

    def are_recorded(self) -> bool:
        """Whether SSM names every package; it does not before the last packaging build."""
        names = [_path(function) for function in PACKAGES]
        held = [entry["Value"] for entry in self._ssm().get_parameters(Names=names)["Parameters"]]
        return len(held) == len(names) and "none" not in held

    def code_hash(self, function: str, region: str) -> str:
        """The CodeSha256 of a function that runs the package in a Region's bucket."""
        package, bucket = self._name(function), self._bucket(region)
        with existing(f"package {package} in bucket {bucket}", "home", region):
            content = self._s3(region).get_object(Bucket=bucket, Key=package)["Body"].read()
        return base64.b64encode(hashlib.sha256(content).digest()).decode()

    def _name(self, function: str) -> str:
        return parameter(self._ssm(), _path(function))

    def _bucket(self, region: str) -> str:
        return f"{parameter(self._ssm(), '/backup/lambda/bucket-prefix')}-{self._home}-{region}"

    def _exists(self, region: str, bucket: str, key: str) -> bool:
        try:
            self._s3(region).head_object(Bucket=bucket, Key=key)
        except ClientError:
            return False
        return True

    def _ssm(self) -> Any:
        return self._emulator.session(self._home, self._home_region).client("ssm")

    def _s3(self, region: str) -> Any:
        return self._emulator.session(self._home, region).client("s3")


def _path(function: str) -> str:
    return f"/backup/lambda/{PACKAGES[function]}/deployed-package"
