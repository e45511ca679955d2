"""The functions' packages: SSM names one for each function, and every Region's bucket holds it."""

from __future__ import annotations

import base64
import functools
import hashlib
from typing import Any, Final

from botocore.exceptions import ClientError

from buildspecs.names import PACKAGE_BUCKET_PARAMETER, PACKAGES
from rehearsal.checks.findings import Found, existing, found_unless
from rehearsal.emulator import Emulator
from rehearsal.errors import OutcomeError
from rehearsal.organization.plan import Organization
from rehearsal.report.journal import Holding

_NONE: Final = "none"  # SSM has no empty value


class Packages:
    """The packages in the home account, as they are when SSM is read first."""

    def __init__(self, emulator: Emulator, organization: Organization) -> None:
        self._emulator = emulator
        self._home = organization.plan.accounts.home
        self._home_region = organization.plan.home_region
        self._regions = dict.fromkeys([self._home_region, *organization.plan.regions])
        self._hashes: dict[tuple[str, str], str] = {}

    def check(self) -> Found:
        """Every package that SSM names is in every Region's bucket."""
        faults: list[str] = []
        found: Found = []
        for function in PACKAGES:
            package = self._value(_path(function))
            if package == _NONE:
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
        return all(self._parameters.get(_path(function), _NONE) != _NONE for function in PACKAGES)

    def code_hash(self, function: str, region: str) -> str:
        """The CodeSha256 of a function that runs the package in a Region's bucket."""
        if (function, region) not in self._hashes:
            package, bucket = self._value(_path(function)), self._bucket(region)
            with existing(f"package {package} in bucket {bucket}", "home", region):
                content = self._s3(region).get_object(Bucket=bucket, Key=package)["Body"].read()
            digest = hashlib.sha256(content).digest()
            self._hashes[function, region] = base64.b64encode(digest).decode()
        return self._hashes[function, region]

    @functools.cached_property
    def _parameters(self) -> dict[str, str]:
        ssm = self._emulator.session(self._home, self._home_region).client("ssm")
        response = ssm.get_parameters(Names=[PACKAGE_BUCKET_PARAMETER, *map(_path, PACKAGES)])
        return {parameter["Name"]: parameter["Value"] for parameter in response["Parameters"]}

    def _value(self, name: str) -> str:
        if name not in self._parameters:
            raise OutcomeError(f"home: SSM parameter {name} does not exist.")
        return self._parameters[name]

    def _bucket(self, region: str) -> str:
        return f"{self._value(PACKAGE_BUCKET_PARAMETER)}-{self._home}-{region}"

    def _exists(self, region: str, bucket: str, key: str) -> bool:
        try:
            self._s3(region).head_object(Bucket=bucket, Key=key)
        except ClientError:
            return False
        return True

    def _s3(self, region: str) -> Any:
        return self._emulator.session(self._home, region).client("s3")


def _path(function: str) -> str:
    return f"/backup/lambda/{PACKAGES[function]}/deployed-package"
