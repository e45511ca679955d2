"""Conditions: pseudo parameters, and functions inside Fn::Equals.

ministack compares pseudo parameters by their names, and the results of Fn::Join, Fn::Split, Fn::Sub and
Fn::FindInMap not at all.
"""

from typing import Any

from rehearsal.emulator import hooks
from rehearsal.emulator.configuration import PARTITION
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.base import Properties


def install() -> None:
    evaluate_own = hooks.cloudformation_engine._evaluate_conditions

    def evaluate(template: Properties, parameters: Properties) -> dict[str, bool]:
        pseudo = {
            "AWS::AccountId": base.account(),
            "AWS::Partition": PARTITION,
            "AWS::Region": base.region(),
            "AWS::URLSuffix": "amazonaws.com",
        }
        known = {name: {"Value": value, "NoEcho": False} for name, value in pseudo.items()} | parameters
        mappings = template.get("Mappings", {})
        conditions = _resolve_comparisons(template.get("Conditions", {}), known, mappings)
        evaluated: dict[str, bool] = evaluate_own({**template, "Conditions": conditions}, known)
        return evaluated

    # Each of these modules has imported the function by name.
    hooks.cloudformation_engine._evaluate_conditions = evaluate
    hooks.cloudformation_changesets._evaluate_conditions = evaluate
    hooks.cloudformation_handlers._evaluate_conditions = evaluate
    hooks.stacks._evaluate_conditions = evaluate


def _resolve_comparisons(expression: Any, parameters: Properties, mappings: Properties) -> Any:
    """A Conditions section with the functions resolved that ministack resolves elsewhere."""
    if isinstance(expression, list):
        return [_resolve_comparisons(each, parameters, mappings) for each in expression]
    if not isinstance(expression, dict):
        return expression
    resolved = {key: _resolve_comparisons(each, parameters, mappings) for key, each in expression.items()}
    if set(resolved) & {"Fn::Join", "Fn::Split", "Fn::Sub", "Fn::FindInMap"}:
        return hooks.cloudformation_engine._resolve_refs(resolved, {}, parameters, {}, mappings, "", "")
    return resolved
