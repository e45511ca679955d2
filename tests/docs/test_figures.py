"""Numbers in the documents are those of the templates.

FIGURES has the sentences, each with what the templates say. In the pages of COMPLETE, a number with a unit
that no sentence has fails a test: compare it with its template, or say in OTHERS where it comes from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from buildspecs.lint.templates import load, one, repository_templates
from buildspecs.names import BACKUP_POLICIES, HAND_MADE, HOME, MEMBER, STACKSETS
from buildspecs.paths import ROOT
from tests.markdown import Page
from tests.templates.resolving import Resolver
from tests.templates.test_contract import actions, policy_properties

README = "README.md"
REFERENCE = "docs/reference.md"
SECURITY = "docs/security.md"
COMPLETE = pytest.mark.parametrize("page", [README, REFERENCE, SECURITY])
_SPELLED = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen",
)  # fmt: skip
WORDS = dict(enumerate(_SPELLED))
NUMBER = rf"\d[\d,]*|{'|'.join(_SPELLED[2:])}"
UNIT = (
    "days?|hours?|minutes?|digits|stacks?|StackSets?|accounts?|stages?|(?:deployed )?packages|"
    "(?:backup )?policies"
)


def text(page: str) -> str:
    """A page without its commands."""
    return Page.read(page).without_blocks


def rule(policy: str) -> dict[str, Any]:
    """The one rule of a backup policy, as the template has it."""
    ((_, plan),) = policy_properties(policy)["PolicyContent"]["plans"].items()
    ((_, found),) = plan["rules"].items()
    return dict(found)


def windows(kind: str) -> str:
    """How long a backup may take to start, or to complete: the same for every policy."""
    (minutes,) = {str(rule(policy.name)[f"{kind}_backup_window_minutes"]) for policy in BACKUP_POLICIES}
    return f"{int(minutes):,}"


def pending_deletion() -> str:
    """The days after which a key that is scheduled for deletion is gone."""
    limits = {
        str(days)
        for template in repository_templates()
        for name, days in re.findall(r"(\w*PendingWindowInDays): (\d+)", template.text)
    }
    assert len(limits) <= 1, f"the templates let a key be deleted after {sorted(limits)} days"
    # "The default value is 30": docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html
    return limits.pop() if limits else "30"


def member(resource: str) -> Any:
    """Properties of a resource of TagOnRestore's template."""
    return Resolver(load(ROOT / f"{MEMBER}/aws-backup-tagonrestore.yaml")).properties(resource)


def sweep_period() -> str:
    days = re.fullmatch(r"rate\((\d+) days?\)", member("SweepRule")["ScheduleExpression"])
    assert days, "the docs say how many days lie between two sweeps"
    return "every day" if days[1] == "1" else f"every {days[1]} days"


def sweep_looks_back() -> str:
    since = json.loads(member("SweepRule")["Targets"][0]["Input"])["since"]
    return WORDS[int(since.removeprefix("P").removesuffix("D"))]


def kept_undelivered() -> str:
    template = load(ROOT / f"{HOME}/aws-backup-codepipeline.yaml")
    queue = template.resources[template.only("AWS::SQS::Queue")]["Properties"]
    return str(queue["MessageRetentionPeriod"] // 86400)


def account_digits() -> str:
    """What an account number has to be, where one is typed: the same in every template."""
    patterns = {
        parameter["AllowedPattern"]
        for template in repository_templates()
        for parameter in template.parameters.values()
        if "12 digits" in parameter.get("ConstraintDescription", "")
    }
    (digits,) = {found for pattern in patterns for found in re.findall(r"\{(\d+)\}", pattern)}
    return digits


def stack_sets() -> str:
    return WORDS[sum(one.name.startswith("organizations-") for one in STACKSETS)]


def packages() -> str:
    template = load(ROOT / f"{HOME}/aws-backup-ssm-targets.yaml")
    names = [str(properties["Name"]) for _, properties in template.of_type("AWS::SSM::Parameter")]
    return WORDS[sum(name.endswith("/deployed-package") for name in names)]


def policies() -> str:
    return WORDS[len(list(load(ROOT / f"{HOME}/aws-backup-org-policy.yaml").of_type("Custom::OrgPolicy")))]


def stack(resource: str) -> Callable[[], str]:
    """The number of the one stack that a person creates with the resource: its type, or type and name."""
    kind, _, name = resource.partition(" ")

    def number() -> str:
        return one(
            (
                str(position)
                for position, each in enumerate(HAND_MADE, start=1)
                for _, properties in load(ROOT / each.template).of_type(kind)
                if name in json.dumps(properties)
            ),
            f"{resource} in the stacks that a person creates",
        )

    return number


def of_projects() -> Iterator[str]:
    """The numbers of the stacks of codebuild/."""
    return (str(n) for n, each in enumerate(HAND_MADE, start=1) if each.template.startswith("codebuild/"))


# Page, sentence (its groups are the numbers), and what each number is by the templates.
FIGURES: list[tuple[str, str, tuple[Callable[[], str], ...]]] = [
    (
        README,
        r"create (\w+) stacks in (\w+) accounts",
        (lambda: WORDS[len(HAND_MADE)], lambda: WORDS[len({stack.account for stack in HAND_MADE})]),
    ),
    (README, r"account IDs of (\d+) digits", (account_digits,)),
    (README, r"account \| (\d+) digits", (account_digits,)),
    (README, r"shows (\w+) StackSets whose names begin with `organizations-", (stack_sets,)),
    (README, r"and the (\w+) deployed packages", (packages,)),
    (REFERENCE, r"stack aws-backup-org-policy: the (\w+) backup policies", (policies,)),
    (REFERENCE, r"starts within (\d+) minutes", (lambda: windows("start"),)),
    (REFERENCE, r"must complete within ([\d,]+)\.", (lambda: windows("complete"),)),
    (README, r"schedule the key's deletion in (\d+) days", (pending_deletion,)),
    (README, r"the vault of stack (\d+)", (stack("AWS::Backup::BackupVault"),)),
    (README, r"the bucket of stack (\d+)", (stack("AWS::S3::Bucket"),)),
    (README, r"(?:role of stack|\nStack) (\d+)", (stack("AWS::IAM::Role BackupOrgPolicyManagerOrgAdmin"),)),
        (README, r"that stack \(([\d, or]+)\)", (lambda: "{}, {} or {}".format(*of_projects()),)),
    (
        "docs/tag-on-restore.md",
        r"so (every [\w ]+?) the jobs of the last (\w+) days",
        (sweep_period, sweep_looks_back),
    ),
    ("docs/operations.md", r"could not deliver is kept for (\d+) days", (kept_undelivered,)),
    (
        f"{MEMBER}/aws-backup-tagonrestore.yaml",
        r"restore jobs of the last (\w+) days again (every [\w ]+)\.",
        (sweep_looks_back, sweep_period),
    ),
    (
        f"{HOME}/aws-backup-ssm-targets.yaml",
        r"restore jobs of the last (\w+) days again (every [\w ]+)\.",
        (sweep_looks_back, sweep_period),
    ),
]  # fmt: skip
# Numbers that are in no template, each with where it comes from.
OTHERS = {
    "12 digits": "the form of an account number, compared above where a template asks for one",
    "7 days": "the shortest waiting period that AWS KMS accepts",
}


def written(when: str) -> str:
    """A schedule in the README's words."""
    fields = re.fullmatch(r"cron\((\d+) (\d+) (\S+) \* (\S+) \*\)", when)
    assert fields, f"no words for {when}"
    minute, hour, day, weekday = fields.groups()
    days = {("?", "*"): "every day", ("*", "?"): "every day", ("1", "?"): "first day of the month"}
    assert (day, weekday) in days, f"no words for {when}"
    return f"{days[day, weekday]}, {int(hour):02}:{int(minute):02} UTC"


def test_the_table_of_the_policies_says_what_the_template_does() -> None:
    expected = []
    for policy in BACKUP_POLICIES:
        plan = policy_properties(policy.name)["PolicyContent"]["plans"][policy.plan]
        (selection,) = plan["selections"]["tags"].values()
        ((_, copy),) = rule(policy.name)["copy_actions"].items()
        expected.append(
            {
                "policy": policy.name,
                "when": written(rule(policy.name)["schedule_expression"]),
                "selects": f"tag {selection['tag_key']}={selection['tag_value'][0]}",
                "kept": f"{rule(policy.name)['lifecycle']['delete_after_days']} days",
                "copied to the central vault": f"kept {copy['lifecycle']['delete_after_days']} days",
            }
        )
    assert Page.read(REFERENCE).table("policy") == expected


@pytest.mark.parametrize(("page", "sentence", "values"), FIGURES, ids=[f"{p}: {s}" for p, s, _ in FIGURES])
def test_a_number_is_that_of_the_templates(
    page: str, sentence: str, values: tuple[Callable[[], str], ...]
) -> None:
    found = [match.groups() for match in re.finditer(sentence, text(page))]
    assert found, f"{page} has no such sentence any more: put the new one into FIGURES"
    expected = tuple(value() for value in values)
    assert found == [expected] * len(found), f"{page} says {found}, the templates say {expected}: {sentence}"


def spans(page: str) -> Iterator[tuple[int, int]]:
    """Where the sentences of FIGURES, and the table of the policies, stand."""
    patterns = [sentence for each, sentence, _ in FIGURES if each == page]
    for pattern in [*patterns, r"\| org-[\w-]+ \|.*"]:
        yield from (match.span() for match in re.finditer(pattern, text(page)))


@COMPLETE
def test_every_number_with_a_unit_is_compared_or_has_another_source(page: str) -> None:
    prose = text(page)
    compared = list(spans(page))
    left = [
        f"line {prose[: match.start()].count(chr(10)) + 1}: {match[0]}"
        for match in re.finditer(rf"(?<![\w.-])(?:{NUMBER}) (?:{UNIT})\b", prose)
        if match[0] not in OTHERS
        and not any(start <= match.start() and match.end() <= end for start, end in compared)
    ]
    assert left == [], "put each into FIGURES with its template, or into OTHERS with a reason"


def test_the_headings_number_the_stacks_as_the_table_does() -> None:
    form = re.compile(r"Stacks? (\d+)(?: (?:and|to) (\d+))?, in the (\w+) account")
    numbered = [
        found.groups() for heading in Page.read(README).headings if (found := form.fullmatch(heading))
    ]
    accounts = [
        account for first, last, account in numbered for _ in range(int(first), int(last or first) + 1)
    ]
    assert accounts == [stack.account for stack in HAND_MADE]


def stage_names(stage: str) -> set[str]:
    """The stacks, StackSets and projects of a stage."""
    own = [action["Configuration"] for name, action in actions() if name == stage]
    stacks = {one["StackName"] for one in own if "StackName" in one}
    sets = {one.name for one in STACKSETS if Path(one.wrapper).stem in stacks}
    return stacks | sets | {one["ProjectName"] for one in own if "ProjectName" in one}


STAGES = Page.read(REFERENCE).table("stage")
ALL = {name for stage in dict.fromkeys(stage for stage, _ in actions()) for name in stage_names(stage)}


@pytest.mark.parametrize("stage", dict.fromkeys(stage for stage, _ in actions()))
def test_a_row_of_the_stages_names_what_its_stage_deploys_and_runs(stage: str) -> None:
    row = one(
        (row["what it deploys or runs"] for row in STAGES if row["stage"] == stage),
        f"row of the stage {stage} in {REFERENCE}",
    )
    named = {name for name in ALL if re.search(rf"(?<![\w-]){name}(?![\w-]|\.json)", row)}
    assert named <= stage_names(stage), f"{sorted(named - stage_names(stage))} belong to another stage"
    # A wrapper's stack is named by its StackSet, a function's stacks by "the functions".
    projects = {name for name in stage_names(stage) if name.startswith("AWSBackup-")}
    sets = {one.name for one in STACKSETS} & stage_names(stage)
    assert projects | sets <= named, f"{sorted((projects | sets) - named)} are missing in the row"
