"""A commit to main starts the pipeline through the rule of its stack; if not, the rules are named."""

import io
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from buildspecs.names import PIPELINE, PIPELINE_STACK
from buildspecs.paths import ROOT
from rehearsal.emulator import Emulator
from rehearsal.errors import OutcomeError
from rehearsal.organization import stacks
from rehearsal.organization.plan import DEFAULT, Organization
from rehearsal.report.journal import Journal
from rehearsal.scenarios.deployed_organization import DeployedOrganization
from rehearsal.scenarios.working_copy import WorkingCopy
from tests.rehearsal.scenarios.test_scenarios import Lines

TEMPLATES = ROOT / "templates/home-account"
# The stacks from which the pipeline's stack imports; the repository is created from the archive.
BEFORE = ("aws-backup-s3-bucket", "aws-backup-codepipeline-kms", "aws-backup-codecommit")


@dataclass(frozen=True)
class Home:
    """The home account with a repository and its pipeline, and the operator's working copy."""

    emulator: Emulator
    clone: Path

    @property
    def cloudformation(self) -> Any:
        return self.emulator.session(DEFAULT.accounts.home, DEFAULT.home_region).client("cloudformation")

    def deploy(self, name: str, old: str = "", new: str = "") -> None:
        """Create or update a stack from its template, changed in one place."""
        text = (TEMPLATES / f"{name}.yaml").read_text()
        assert not old or text.count(old) == 1, f"{name}.yaml does not hold this once: {old}"
        deployment = stacks.Deployment(
            name, text.replace(old, new) if old else text, capabilities=["CAPABILITY_NAMED_IAM"]
        )
        stacks.deploy(self.cloudformation, deployment, "the home account")

    def commit(self, sentence: str, tmp_path: Path) -> str:
        """The summary of a commit's step."""
        lines = Lines()
        organization = Organization(DEFAULT, "o-abcdefghij", "r-abcd", "ou-abcd-11111111")
        codecommit = self.emulator.session(DEFAULT.accounts.home, DEFAULT.home_region).client("codecommit")
        journal = Journal(lines)
        working_copy = WorkingCopy(self.clone, codecommit, PIPELINE)
        deployed = DeployedOrganization(self.emulator, organization, journal, working_copy, tmp_path)
        working_copy.write("README.md", sentence)
        deployed.commit(sentence)
        return journal.steps[-1].summary


@pytest.fixture(scope="module")
def home(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("commits")
    clone = folder / "clone"
    clone.mkdir()
    (clone / "README.md").write_text("It.\n")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(clone / "README.md", "README.md")
    made = Home(emulator, clone)
    for name in BEFORE:
        made.deploy(name)
        if name == "aws-backup-s3-bucket":
            exports = made.cloudformation.list_exports()["Exports"]
            (bucket,) = [each["Value"] for each in exports if each["Name"].endswith("bucket-name")]
            s3 = emulator.session(DEFAULT.accounts.home, DEFAULT.home_region).client("s3")
            s3.put_object(Bucket=bucket, Key="aws-backup-solution.zip", Body=packed.getvalue())
    made.deploy(PIPELINE_STACK)
    return made


def test_a_commit_starts_the_pipeline_through_the_rule_of_its_stack(home: Home, tmp_path: Path) -> None:
    home.deploy(PIPELINE_STACK)
    assert "started the pipeline through rule/aws-backup-codepipeline-StartRule" in home.commit(
        "One.", tmp_path
    )


BRANCH = "referenceName: [main]\n"


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        (BRANCH, "referenceName: [master]\n", r'StartRule\S* \(ENABLED\) has the pattern .*"master"'),
        (BRANCH, f"{BRANCH}      State: DISABLED\n", r"StartRule\S* \(DISABLED\) has the pattern .*"),
        (
            "[CodeCommit Repository State",
            "[CodeCommit State",
            r"\(ENABLED\) has the pattern .*CodeCommit State",
        ),
    ],
    ids=["another branch", "disabled", "another event"],
)
def test_a_rule_that_does_not_start_it_is_named(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, named: str
) -> None:
    monkeypatch.setattr("rehearsal.scenarios.deployed_organization._WAIT_SECONDS", 0.2)
    home.deploy(PIPELINE_STACK, old, new)
    with pytest.raises(OutcomeError, match=r"the commit \S+ to main did not start the pipeline") as caught:
        home.commit(new, tmp_path)
    sentence, line = caught.value.details
    assert "no rule matched an event for it (in account 222222222222, us-east-1):" in sentence
    assert re.search(named, line), line
    assert line.endswith("events sent: 0")
