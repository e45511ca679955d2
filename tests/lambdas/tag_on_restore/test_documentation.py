"""docs/tag-on-restore.md agrees with the code and the templates."""

import re

import pytest
from tag_on_restore import errors
from tag_on_restore.result import Origin, Outcome
from tag_on_restore.taggers import TAGGERS, Tagger

from buildspecs.paths import ROOT

TEXT = (ROOT / "docs" / "tag-on-restore.md").read_text()
WRAPPER = (ROOT / "templates/home-account/stackset-aws-backup-tagonrestore.yaml").read_text()
RESTORED = [tagger for tagger in TAGGERS if tagger.adds]


@pytest.mark.parametrize("tagger", RESTORED, ids=lambda tagger: f"{tagger.service} {tagger.resources[0]}")
def test_every_type_is_in_the_table(tagger: Tagger) -> None:
    resource = re.split("[/:*]", tagger.resources[0])[0]
    assert re.search(rf"`{tagger.service}:(…|::){'' if tagger.service == 's3' else ':' + resource}", TEXT)


def test_every_error_is_explained() -> None:
    names = {name for name in vars(errors) if name.endswith("Error")} - {"TagOnRestoreError"}
    assert names == set(re.findall(r"^\| `(\w+Error)", TEXT, re.MULTILINE))


def test_every_setting_has_its_default() -> None:
    for name, default in re.findall(r"^\| `(\w+)` \| (\S+) \|", TEXT, re.MULTILINE):
        (described,) = re.findall(rf"^  {name}:\n(?:    .*\n)*?    Default: (.*)\n", WRAPPER, re.MULTILINE)
        assert described.strip("'") == default.strip("`").replace("empty", "")


def test_the_function_reads_the_variables_that_its_template_sets() -> None:
    function = (ROOT / "templates/member-account/aws-backup-tagonrestore.yaml").read_text()
    settings = (ROOT / "lambdas/tag_on_restore/settings.py").read_text()
    read = set(re.findall(r'environment\.get\("(\w+)"', settings))
    assert read == set(re.findall(r"^ {10}([A-Z_]+): ", function, re.MULTILINE))


def test_every_metric_is_named() -> None:
    origins = (origin.metric for origin in Origin)
    for name in (
        *(outcome.metric for outcome in Outcome),
        *origins,
        "TagsLeftOut",
        "TagsWithheld",
        "SweepProblems",
    ):
        assert f"`{name}`" in TEXT


def test_every_origin_is_explained() -> None:
    for origin in Origin:
        assert f"`{origin}`" in TEXT
