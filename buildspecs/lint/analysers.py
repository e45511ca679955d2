"""checkov and cfripper over templates, with the suppressions applied in the same way to both.

`python -m buildspecs.lint.analysers checkov|cfripper FILE …` prints each finding that no suppression
accepts and each suppression that accepts nothing, and exits with 1 if there is one. The analysers
themselves never see a suppression: checkov would apply one where nothing is found, and cfripper reads none
from templates.
"""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from buildspecs.errors import LintError, exit_code
from buildspecs.lint import environments, suppressions
from buildspecs.lint.suppressions import Finding

# Expands every action of every statement that it finds on Resource *; the template tests look at wildcards.
LEFT_OUT_OF_CFRIPPER = frozenset({"WildcardResourceRule"})
ACCOUNT = "123456789012"  # what cfripper's model has for AWS::AccountId: any other account is a foreign one

# checkov's own spelling of a suppression. In Metadata it is made unreadable for it; as a comment, which need
# not give a reason, it is refused.
CHECKOV_METADATA = re.compile(r"^(\s+)checkov:(?=\s*($|\{))", re.M)
CHECKOV_COMMENT = re.compile(r"(checkov|bridgecrew|cortex):skip=")


def cfripper(files: Sequence[str], root: Path) -> list[Finding]:
    """Findings of all rules but one, in the template as it is written and with its parameters' defaults."""
    # Imported here: they take most of a second, and checkov's gate does not need them.
    import pycfmodel
    from cfripper.config.config import Config
    from cfripper.config.pluggy.utils import get_all_rules
    from cfripper.model.utils import convert_json_or_yaml_to_dict
    from cfripper.rule_processor import RuleProcessor
    from pycfmodel.model.resources.properties import statement

    # Nearly all of its time otherwise: it matches each action against the thousands of AWS again and again.
    statement._expand_action = cache(statement._expand_action)
    logging.disable(logging.WARNING)  # types that it has no class of its own for
    rules = {name: rule for name, rule in get_all_rules().items() if name not in LEFT_OUT_OF_CFRIPPER}
    config = Config(rules=list(rules), aws_account_id=ACCOUNT)
    processor = RuleProcessor(*(rule(config) for rule in rules.values()))
    found: dict[Finding, None] = {}
    for file in files:
        body = convert_json_or_yaml_to_dict((root / file).read_text(encoding="utf-8"))
        try:
            written = pycfmodel.parse(body)
            resolved = written.resolve(stand_ins(body.get("Parameters") or {}))
        except (ValueError, AttributeError, KeyError) as error:
            raise LintError(f"{file}: cfripper cannot read it: {error}") from error
        for model in (written, resolved):
            result = processor.process_cf_template(model, config)
            if result.exceptions:
                raise LintError(f"{file}: cfripper crashed: {result.exceptions[0]!r}")
            for failure in result.failures:
                text = str(failure.reason)
                for resource in sorted(failure.resource_ids or {"template"}):
                    found[Finding(file, resource, "cfripper", failure.rule, text)] = None
    return list(found)


def stand_ins(parameters: Mapping[str, Any]) -> dict[str, str]:
    """A value for each list that has no default, on which cfripper's model would crash."""
    return {
        name: "value"
        for name, parameter in parameters.items()
        if "List" in parameter["Type"] and "Default" not in parameter
    }


def checkov(files: Sequence[str], root: Path) -> list[Finding]:
    """Findings of all its rules for CloudFormation, without network."""
    python = environments.python_of("checkov")
    if python is None:
        raise LintError(f"checkov has no environment below {environments.VARIABLE}")
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            text = (root / file).read_text(encoding="utf-8")
            if comment := CHECKOV_COMMENT.search(text):
                raise LintError(f"{file}: {comment[0]}… in a comment: suppress in the resource's Metadata")
            copy = Path(folder) / file
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(CHECKOV_METADATA.sub(r"\1unread:", text), encoding="utf-8")
        command = [str(python), "-m", "checkov.main", "--framework", "cloudformation"]
        command += ["--skip-download", "--quiet", "--compact", "--output", "json", "--file", *files]
        # A home without .checkov.yaml, and none of the variables that checkov reads.
        environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": folder, "LANG": "C.UTF-8"}
        run = subprocess.run(  # noqa: S603 - our own words
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
    try:
        report = json.loads(run.stdout)
        results, summary = report["results"], report["summary"]
    except (ValueError, KeyError):
        raise LintError(f"checkov did not work:\n{(run.stderr or run.stdout).strip()}") from None
    if summary["parsing_errors"] or summary["skipped"]:
        raise LintError(f"checkov did not look at everything: {summary}")
    return [
        Finding(
            file=check["file_path"].lstrip("/"),
            resource=check["resource"].rpartition(".")[2],
            analyser="checkov",
            rule=check["check_id"],
            text=check["check_name"],
        )
        for check in results.get("failed_checks", [])
    ]


ANALYSERS: Mapping[str, Callable[[Sequence[str], Path], list[Finding]]] = {
    "checkov": checkov,
    "cfripper": cfripper,
}


def run(analyser: str, files: Sequence[str], root: Path) -> int:
    """Print what fails the gate; 1 if anything does."""
    given = [one for file in files for one in suppressions.read(file, root)]
    found = suppressions.faults(analyser, ANALYSERS[analyser](files, root), given)
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(exit_code(lambda: run(sys.argv[1], sys.argv[2:], Path.cwd())))
