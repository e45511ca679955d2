"""An account and a Region: where a stack, a pipeline or a StackSet's instance is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    account: str
    region: str

    def __str__(self) -> str:
        return f"account {self.account}, {self.region}"
