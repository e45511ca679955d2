"""Every template is valid in the main Region of every partition, as are its resource types."""

from __future__ import annotations

import io
import json
import re
from contextlib import redirect_stdout
from functools import cache
from importlib.resources import files
from pathlib import Path

import pytest
from botocore.loaders import Loader
from botocore.regions import EndpointResolver

from buildspecs.lint.gates import lint
from buildspecs.lint.templates import repository_templates
from buildspecs.paths import ROOT
from tests.markdown import Page

# https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html, and the
# European Sovereign Cloud's only Region.
MAIN_REGIONS = {
    "aws": "us-east-1",
    "aws-us-gov": "us-gov-west-1",
    "aws-cn": "cn-north-1",
    "aws-eusc": "eusc-de-east-1",
}
OTHER_TARGET = "us-east-2"  # the second of the documented target Regions
REGIONS = pytest.mark.parametrize("region", MAIN_REGIONS.values())


@cache
def types_in(region: str) -> frozenset[str]:
    """The resource types in cfn-lint's copy of the Region's registry."""
    provider = files("cfnlint") / "data" / "schemas" / "providers" / f"{region}.json"
    return frozenset(json.loads(provider.read_text(encoding="utf-8")))


def findings(*templates: Path) -> str:
    """Findings of one run of cfn-lint for all Regions, which checks what they share only once."""
    with redirect_stdout(io.StringIO()) as output:
        lint([str(template) for template in templates], (*MAIN_REGIONS.values(), OTHER_TARGET))
    return output.getvalue()


def test_cfn_lint_finds_nothing_in_any_template_for_any_partition() -> None:
    assert findings(*(ROOT / template.path for template in repository_templates())) == ""


@REGIONS
def test_every_resource_type_exists_in_the_main_region_of_each_partition(region: str) -> None:
    """If one were missing, docs/partitions.md would have to say so."""
    used = {
        resource["Type"]
        for template in repository_templates()
        for resource in template.resources.values()
        if not resource["Type"].startswith("Custom::")
    }
    assert used - types_in(region) == set()


def test_a_type_that_one_of_the_regions_lacks_is_found(tmp_path: Path) -> None:
    missing = {
        region: min(types_in("us-east-1") - types_in(region)) for region in ("us-gov-west-1", "cn-north-1")
    }
    resources = {f"Missing{number}": {"Type": kind} for number, kind in enumerate(missing.values())}
    template = tmp_path / "template.json"
    template.write_text(json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}))
    found = findings(template)
    for region, kind in missing.items():
        assert re.search(rf"E3006 .*{kind}' does not exist in '{region}'", found), found


PAGE = Page.read("docs/partitions.md")


def test_the_page_names_every_partition() -> None:
    for partition, region in MAIN_REGIONS.items():
        assert partition in PAGE.code
        assert region in PAGE.text


# The Regions in which the AWS SDK has a service, regardless of the user's configuration.
SDK = EndpointResolver(Loader().load_data("endpoints"))


def regions_without(kind: str) -> set[str]:
    """The Regions of the partition `aws` whose registry, as cfn-lint has it, lacks a resource type."""
    providers = (files("cfnlint") / "data" / "schemas" / "providers").iterdir()
    held = {Path(provider.name).stem for provider in providers} & set(SDK.get_available_endpoints("ec2"))
    return {region for region in held if kind not in types_in(region)}


def test_the_page_counts_the_regions_without_codecommit_and_codebuild() -> None:
    without_repository = regions_without("AWS::CodeCommit::Repository")
    without_build = regions_without("AWS::CodeBuild::Project")
    assert (len(without_repository), len(without_build)) == (14, 3)
    both = "in three of them CodeBuild does not either (such as ca-west-1)"
    assert f"In 14 newer Regions CodeCommit does not exist, {both}" in PAGE.text
    assert {"ca-west-1"} < without_build < without_repository


@pytest.mark.parametrize("service", ["CodePipeline", "CodeBuild", "CodeCommit"])
def test_the_page_says_where_the_sdk_lacks_a_service_of_the_pipeline(service: str) -> None:
    without = {
        partition
        for partition, region in MAIN_REGIONS.items()
        if region not in SDK.get_available_endpoints(service.lower(), partition)
    }
    said = {
        partition
        for partition in MAIN_REGIONS
        for services in re.findall(r"The AWS SDK knows no ([\w, ]+) there", PAGE.section(partition).text)
        if service in services
    }
    assert without == said
