"""Resolves intrinsic functions as CloudFormation would, with a template's defaults and given values.

What only a deployment knows stays readable: `${AWS::AccountId}`, `${ImportValue:name}`, `${Key.Arn}`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from buildspecs.lint.templates import Part, Template
from buildspecs.names import OPTIONS_PATH, SSM_VALUES
from buildspecs.targets import OPTIONS

NO_VALUE = {"Ref": "AWS::NoValue"}
# Every SSM parameter of the home account, with type and value, where the operator has set no option.
SSM = SSM_VALUES | {f"{OPTIONS_PATH}/{key}": ("String", option.default) for key, option in OPTIONS.items()}


class Resolver:
    """One template with values for its parameters; what is not given has its default."""

    def __init__(
        self,
        template: Template,
        given: Mapping[str, Any] | None = None,
        pseudo: Mapping[str, str] | None = None,
    ) -> None:
        self.template = template
        self.pseudo = dict(pseudo or {})
        self.values = {
            name: self._typed(parameter, (given or {}).get(name, parameter.get("Default")))
            for name, parameter in template.parameters.items()
        }

    @staticmethod
    def _typed(parameter: Mapping[str, Any], value: Any) -> Any:
        kind = str(parameter.get("Type"))
        if kind.startswith("AWS::SSM::Parameter::Value") and str(value).startswith("/"):
            value = SSM[str(value)][1]
        if value is not None and ("List" in kind or kind == "CommaDelimitedList"):
            return [item.strip() for item in str(value).split(",")]
        return value if value is None else str(value)

    def condition(self, value: Any) -> bool:
        """A condition by name, or its definition."""
        if isinstance(value, str):
            return self.condition(self.template.body["Conditions"][value])
        ((function, argument),) = value.items()
        if function == "Condition":
            return self.condition(argument)
        if function == "Fn::Equals":
            left, right = (self.resolve(side) for side in argument)
            return bool(left == right)
        if function == "Fn::Not":
            return not self.condition(argument[0])
        if function in ("Fn::And", "Fn::Or"):
            return (all if function == "Fn::And" else any)(self.condition(item) for item in argument)
        raise AssertionError(f"{self.template.path}: unknown condition function {function}")

    def resolve(self, value: Any) -> Any:
        """The value without intrinsic functions; an item that becomes AWS::NoValue is gone."""
        if isinstance(value, list):
            return [self.resolve(item) for item in value if self._settled(item) != NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((key, argument),) = value.items()
            function = getattr(self, "_" + key.removeprefix("Fn::").lower(), None)
            if function and (key == "Ref" or key.startswith("Fn::")):
                return function(argument)
            if key.startswith("Fn::"):
                raise AssertionError(f"{self.template.path}: unknown function {key}")
        kept = {key: self.resolve(item) for key, item in value.items() if self._settled(item) != NO_VALUE}
        return Part(value.where, kept) if isinstance(value, Part) else kept

    def properties(self, resource: str) -> Any:
        """The resolved properties of a resource."""
        return self.resolve(self.template.resources[resource].get("Properties", {}))

    def _settled(self, value: Any) -> Any:
        while isinstance(value, dict) and set(value) == {"Fn::If"}:
            name, yes, no = value["Fn::If"]
            value = yes if self.condition(name) else no
        return value

    def _if(self, argument: Any) -> Any:
        return self.resolve(self._settled({"Fn::If": argument}))

    def _ref(self, name: str) -> Any:
        if name in self.values:
            if self.values[name] is None:
                raise AssertionError(f"{self.template.path}: {name} has no Default, and no value is given")
            return self.values[name]
        if not name.startswith("AWS::") and name.partition(".")[0] not in self.template.resources:
            raise AssertionError(f"{self.template.path}: {name} is neither a parameter nor a resource")
        return self.pseudo.get(name, f"${{{name}}}")

    def _getatt(self, argument: Any) -> str:
        return "${" + ".".join([argument] if isinstance(argument, str) else map(str, argument)) + "}"

    def _importvalue(self, argument: Any) -> str:
        return f"${{ImportValue:{self.resolve(argument)}}}"

    def _join(self, argument: Any) -> str:
        return str(argument[0]).join(map(str, self.resolve(argument[1])))

    def _split(self, argument: Any) -> list[str]:
        return str(self.resolve(argument[1])).split(str(argument[0]))

    def _select(self, argument: Any) -> Any:
        return self.resolve(argument[1])[int(argument[0])]

    def _sub(self, argument: Any) -> str:
        text, extra = (argument, {}) if isinstance(argument, str) else argument
        own = {name: self.resolve(item) for name, item in extra.items()}

        def replace(match: re.Match[str]) -> str:
            name = match[1]
            return str(own[name]) if name in own else str(self._ref(name))

        return re.sub(r"\$\{([A-Za-z0-9:.]+)\}", replace, text)
