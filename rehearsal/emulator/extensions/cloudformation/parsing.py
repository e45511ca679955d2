"""Templates are parsed by libyaml if PyYAML has it: the event loop waits for a tenth of the time."""

from typing import Any

import yaml

from rehearsal.emulator import hooks


def install() -> None:
    if yaml.__with_libyaml__:
        engine = hooks.cloudformation_engine
        own: Any = engine.CfnLoader
        engine.CfnLoader = type(
            "CfnLoader", (yaml.CSafeLoader,), {"yaml_constructors": own.yaml_constructors}
        )
