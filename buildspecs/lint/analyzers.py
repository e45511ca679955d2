"""checkov and cfripper over templates, with suppressions applied to both in the same way.

The analyzers themselves never see a suppression: checkov would apply one where nothing is found, and
cfripper reads none from templates. Files are given by their path from the repository's root, which is the
current folder.
"""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from buildspecs.errors import LintError
from buildspecs.lint import environments, suppressions
from buildspecs.lint.suppressions import Finding
from buildspecs.lint.templates import parsed

Bodies = Mapping[str, Mapping[str, Any]]  # parsed templates by path from the root

# Expands every action of every statement that it finds on Resource *; rules/policies.py checks wildcards.
LEFT_OUT_OF_CFRIPPER = frozenset({"WildcardResourceRule"})
ACCOUNT = "123456789012"  # AWS::AccountId in cfripper's model: any other account is a foreign one

# checkov's own spellings of a suppression. The one in Metadata is made unreadable; the comment, which needs
# no reason, is refused.
CHECKOV_METADATA = re.compile(r"^(\s+)checkov:(?=\s*($|\{))", re.M)
CHECKOV_COMMENT = re.compile(r"(checkov|bridgecrew|cortex):skip=")


def cfripper(bodies: Bodies) -> list[Finding]:
    """Findings of all rules but one, in the template as written and with its parameters' defaults."""
    # Imported here: they take half a second, and no other gate needs them.
    import pycfmodel
    from cfripper.config.config import Config
    from cfripper.config.pluggy.utils import get_all_rules
    from cfripper.rule_processor import RuleProcessor
    from pycfmodel.model.resources.properties import statement

    # A private function, cached because it takes more time than all else of cfripper: for each action of each
    # statement and rule it searches the thousands of actions that AWS has.
    statement._expand_action = cache(statement._expand_action)
    logging.disable(logging.WARNING)  # about types that it has no class for
    rules = {name: rule for name, rule in get_all_rules().items() if name not in LEFT_OUT_OF_CFRIPPER}
    config = Config(rules=list(rules), aws_account_id=ACCOUNT)
    processor = RuleProcessor(*(rule(config) for rule in rules.values()))
    found: dict[Finding, None] = {}
    for file, body in bodies.items():
        try:
            # Plain data with dates as text: the same as cfripper's own loader returns, which takes longer.
            written = pycfmodel.parse(json.loads(json.dumps(body, default=str)))
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


def checkov(files: Iterable[str]) -> list[Finding]:
    """Findings of all its rules for CloudFormation, without network."""
    texts = {file: Path(file).read_text(encoding="utf-8") for file in files}
    for file, text in texts.items():
        if comment := CHECKOV_COMMENT.search(text):
            raise LintError(f"{file}: {comment[0]}… in a comment: suppress in the resource's Metadata")
    python = environments.python_of("checkov")
    if python is None:
        raise LintError(f"checkov has no environment below {environments.VARIABLE}")
    with tempfile.TemporaryDirectory() as folder:
        for file, text in texts.items():
            copy = Path(folder) / file
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(CHECKOV_METADATA.sub(r"\1unread:", text), encoding="utf-8")
        command = [str(python), "-m", "checkov.main", "--framework", "cloudformation"]
        command += ["--skip-download", "--quiet", "--compact", "--output", "json", "--file", *texts]
        # A home without .checkov.yaml, and none of the variables that checkov reads.
        environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": folder, "LANG": "C.UTF-8"}
        run = subprocess.run(  # noqa: S603 - our own words
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
    try:
        report = json.loads(run.stdout)
        results, summary = report["results"], report["summary"]
    except (ValueError, KeyError):
        raise LintError(f"checkov failed:\n{(run.stderr or run.stdout).strip()}") from None
    if summary["parsing_errors"] or summary["skipped"]:
        raise LintError(f"checkov did not check everything: {summary}")
    return [
        Finding(
            file=check["file_path"].lstrip("/"),
            resource=check["resource"].rpartition(".")[2],
            analyzer="checkov",
            rule=check["check_id"],
            text=check["check_name"],
        )
        for check in results.get("failed_checks", [])
    ]


ANALYZERS: Mapping[str, Callable[[Bodies], list[Finding]]] = {
    "checkov": checkov,
    "cfripper": cfripper,
}


def run(analyzer: str, files: Sequence[str]) -> int:
    """Print each finding that nothing suppresses, and each suppression of nothing; 1 if there is any."""
    bodies = {file: parsed(file) for file in files}
    given = [one for file, body in bodies.items() for one in suppressions.of(file, body)]
    found = suppressions.faults(analyzer, ANALYZERS[analyzer](bodies), given)
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0
