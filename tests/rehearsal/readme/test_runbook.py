"""The README as a runbook: commands, accounts, placeholders, and everything that is refused in advance."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildspecs.paths import ROOT
from rehearsal.errors import RunbookError
from rehearsal.organization.plan import PLACEHOLDERS
from rehearsal.readme import runbook
from rehearsal.readme.operator import PRINTED
from rehearsal.readme.runbook import Command

README = """\
# Title

```bash
echo above every section
```

## Deploy

### Stack 1, in the central account

Text with `code` and <angle-brackets>.

```bash
# a comment
aws cloudformation create-stack --stack-name one \\
  --template-body file://one.yaml --region <home-region>

make targets  # checks
```

```text
not a command
```

### Stack 2, in the **home account**

1. In a list:

   ```bash
   for region in <target-regions>; do
     aws s3 ls --region "$region"
   done
   ```

#### Details

~~~bash
echo tilde
```
echo still inside
~~~

## Verify

### In a member account

```bash
aws sts get-caller-identity
```
"""


def commands(text: str = README) -> list[Command]:
    return runbook.parse(text)


def one(text: str, heading: str = "## Deploy\n### In the home account") -> Command:
    (found,) = runbook.parse(f"{heading}\n```bash\n{text}\n```\n")
    return found


def test_commands_come_in_order_with_their_line_and_account() -> None:
    found = [(c.line, c.section, c.account, c.text.splitlines()[0]) for c in commands()[1:]]
    assert found == [
        (15, "Deploy", "central", "aws cloudformation create-stack --stack-name one \\"),
        (18, "Deploy", "central", "make targets  # checks"),
        (30, "Deploy", "home", "for region in <target-regions>; do"),
        (38, "Deploy", "home", "echo tilde"),
        (39, "Deploy", "home", "```"),
        (40, "Deploy", "home", "echo still inside"),
        (48, "Verify", "member", "aws sts get-caller-identity"),
    ]


def test_the_indentation_of_a_fence_is_removed_from_its_lines() -> None:
    loop = commands()[3]
    assert loop.text == 'for region in <target-regions>; do\n  aws s3 ls --region "$region"\ndone'


def test_a_command_in_a_comment_is_not_a_command() -> None:
    assert runbook.parse("<!--\n```bash\naws s3 ls\n```\n-->\n") == []


def test_sections_are_chosen_by_their_heading() -> None:
    chosen = runbook.select(commands(), ["Verify"])
    assert [command.text for command in chosen] == ["aws sts get-caller-identity"]


def test_a_section_without_commands_is_an_error() -> None:
    with pytest.raises(RunbookError, match='"## Remove"'):
        runbook.select(commands(), ["Deploy", "Remove"])


@pytest.mark.parametrize(
    ("heading", "message"),
    [
        ("## Deploy", 'no heading above this command names its account.*"Deploy"'),
        (
            "## Deploy\n### Delegated account",
            'line 2: the heading "Delegated account" does not name a known account',
        ),
        ("## Deploy\n### Home account and central account", "names more than one account"),
        ("## Deploy\n### Home account\n## Verify", "no heading above this command"),
    ],
)
def test_a_command_without_one_known_account_is_an_error(heading: str, message: str) -> None:
    with pytest.raises(RunbookError, match=message):
        _ = one("aws s3 ls", heading).account


@pytest.mark.parametrize(
    "title", ["Home account", "in the HOME ACCOUNT", "Stacks 3 to 10, in the home account"]
)
def test_headings_name_accounts_in_any_wording(title: str) -> None:
    assert one("aws s3 ls", f"## Deploy\n### {title}").account == "home"


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("```bash\naws s3 ls \\\n```\n", "the block ends inside this command"),
        ("```bash\necho 'x\n```\n", "the block ends inside this command"),
        ("```bash\naws s3 ls\n", "line 3: this fenced block is not closed"),
        ("```bash\ncat <<EOF\nEOF\n```\n", "here-document"),
    ],
)
def test_blocks_that_cannot_be_run_are_errors(block: str, message: str) -> None:
    with pytest.raises(RunbookError, match=message):
        runbook.parse(f"## Deploy\n### In the home account\n{block}")


@pytest.mark.parametrize("text", ["cd templates", "export AWS_REGION=x", "BUCKET=$(", "A=1", "# only"])
def test_a_command_that_changes_only_its_own_shell_is_an_error(text: str, tmp_path: Path) -> None:
    try:
        found = one(text if text != "BUCKET=$(" else "BUCKET=x")
    except ValueError:
        assert text == "# only"  # a comment is no command at all
        return
    with pytest.raises(RunbookError, match="changes only its own shell"):
        runbook.check([found], [], tmp_path)


def test_an_unknown_placeholder_is_named_with_line_and_command(tmp_path: Path) -> None:
    with pytest.raises(RunbookError, match=r"line 4: the placeholder <vault-name> is unknown") as caught:
        runbook.check([one("aws backup x <vault-name>")], ["home-region"], tmp_path)
    assert caught.value.details == ("aws backup x <vault-name>",)


def test_a_placeholder_that_is_not_in_kebab_case_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunbookError, match="<Bucket_Name> looks like a placeholder"):
        runbook.check([one("aws s3 ls <Bucket_Name>")], [], tmp_path)


def test_a_misspelled_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "right.yaml").touch()
    command = one("aws x y --a file://right.yaml --b 'file://wrong.yaml' --c file://<name>.yaml")
    with pytest.raises(RunbookError, match=r"file://wrong\.yaml does not exist"):
        runbook.check([command], ["name"], tmp_path)


def test_placeholders_are_filled_and_looked_up_when_the_command_runs() -> None:
    looked_up: list[str] = []

    def bucket() -> str:
        looked_up.append("bucket")
        return "b-1"

    command = one("aws s3 cp x s3://<deployment-bucket>/ --region <home-region>")
    values = {"deployment-bucket": bucket, "home-region": lambda: "us-east-1", "unused": bucket}
    assert runbook.fill(command, values) == "aws s3 cp x s3://b-1/ --region us-east-1"
    assert looked_up == ["bucket"]


def test_aws_calls_are_read_from_a_command() -> None:
    (call,) = runbook.aws_calls(
        'aws cloudformation create-stack --stack-name "a b" \\\n  --tags "Key"="x","Value"="y z" --dry-run'
    )
    assert (call.service, call.operation) == ("cloudformation", "create-stack")
    assert call.options == {"--stack-name": "a b", "--tags": "Key=x,Value=y z", "--dry-run": ""}


def test_other_commands_have_no_aws_calls() -> None:
    assert runbook.aws_calls("zip -r aws.zip *") == []


TITLES = st.text(alphabet="abc xyz-", min_size=1, max_size=12).map(str.strip).filter(bool)
# Neither a fence, nor a heading or its underline, nor HTML, which may hide what follows; no end of a line.
LINES = st.text(
    alphabet=st.characters(
        codec="utf-8", exclude_characters="`~#=-<\0\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
    )
)


@given(
    account=st.sampled_from(runbook.ACCOUNTS),
    title=TITLES,
    prose=st.lists(LINES, max_size=5),
    names=st.lists(st.from_regex(r"[a-z][a-z0-9]{0,6}(-[a-z0-9]{1,4}){0,2}", fullmatch=True), max_size=3),
)
def test_whatever_surrounds_a_block_its_commands_are_found_as_written(
    account: str, title: str, prose: list[str], names: list[str]
) -> None:
    written = ["aws s3 ls " + " ".join(f"<{name}>" for name in names), "make targets"]
    text = "\n".join(
        [f"## {title}", *prose, f"### In the {account} account", *prose, "```bash", *written, "```", *prose]
    )
    found = runbook.parse(text)
    assert [command.text for command in found] == [line.strip() for line in written]
    assert {command.account for command in found} == {account}
    assert {command.section for command in found} == {title}
    assert found[0].placeholders == tuple(dict.fromkeys(names))
    lines = text.splitlines()
    assert all(lines[command.line - 1].strip() == command.text for command in found)


@given(st.text(max_size=300))
def test_any_text_is_a_runbook_or_a_clear_error(text: str) -> None:
    try:
        found = runbook.parse(text)
    except RunbookError as refused:
        error: RunbookError | None = refused
        found = []
    else:
        error = None
    assert error is None or str(error).startswith("README line ")
    assert all(command.text and 1 <= command.line <= len(text.splitlines()) for command in found)


def test_the_repositorys_own_readme_can_be_run() -> None:
    found = runbook.select(
        runbook.parse((ROOT / "README.md").read_text()), ["Prerequisites", "Deploy", "Verify"]
    )
    runbook.check(found, [*PLACEHOLDERS, *PRINTED], ROOT)
    stacks = [
        call.options["--stack-name"]
        for command in found
        for call in runbook.aws_calls(command.text)
        if call.operation == "create-stack"
    ]
    assert len(stacks) == 13
