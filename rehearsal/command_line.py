"""The command line of `make rehearse`: its arguments, its output and its exit code."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from buildspecs.paths import ROOT
from rehearsal.emulator import Emulator, EmulatorError
from rehearsal.emulator.errors import StartError, UnsupportedEmulatorError
from rehearsal.errors import PrerequisiteError, RehearsalError, StepError
from rehearsal.organization.plan import Organization
from rehearsal.rehearse import Options, rehearse
from rehearsal.report.display import Display, console_for
from rehearsal.report.journal import Journal
from rehearsal.scenarios import ALL, SCENARIOS, Scenario, named

INTERRUPTED = 130


def _port(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port number from 1 to 65535")
    return int(text)


def _file(text: str) -> Path:
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"{text} does not exist")
    return Path(text).resolve()


def _scenarios(text: str) -> Sequence[Scenario]:
    try:
        return named(text)
    except RehearsalError as unknown:
        raise argparse.ArgumentTypeError(str(unknown)) from None


def _interrupt(*_: object) -> None:
    """The first signal ends the rehearsal; a second one must not interrupt the cleanup."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make rehearse ARGS=…",
        description="Runs the README's commands on an emulated AWS Organization, on 127.0.0.1 only.",
    )
    parser.add_argument("--keep", action="store_true", help="keep the organization running until Ctrl-C")
    parser.add_argument("--port", type=_port, help="listen on this port (default: a free one)")
    parser.add_argument(
        "--targets",
        type=_file,
        metavar="FILE",
        help="use this aws-backup-ssm-targets.json unchanged, to see whether it passes the checks",
    )
    parser.add_argument(
        "--scenario",
        type=_scenarios,
        default=(),
        metavar="NAME",
        help=f"after the first rollout, run this scenario, or {ALL}",
    )
    parser.add_argument("--list", action="store_true", help="list the scenarios, one sentence each")
    parser.add_argument("--plain", action="store_true", help="print plain lines, even on a terminal")
    return parser.parse_args(given)


def keep(display: Display, journal: Journal, emulator: Emulator, created: Organization) -> None:
    """Keep the organization running until Ctrl-C, and print what another terminal needs to reach it."""
    plan = created.plan
    display.tree(journal.holdings)
    display.remark(f"That took {journal.seconds:.0f} s. The organization runs until Ctrl-C.")
    display.remark("For your own aws commands, in another terminal:")
    display.remark("unset $(env | cut -d= -f1 | grep -iE '^(AWS_|SSL)|_proxy$')")
    for name, value in emulator.session(plan.accounts.home, plan.home_region).environment.items():
        display.remark(f"export {name}={shlex.quote(value)}")
    display.remark("AWS_ACCESS_KEY_ID is an account ID: set another one to look at that account.")
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
    display.remark("Cleaning up: stopping the organization and removing its folder.")


def main(given: Sequence[str]) -> int:
    """0: everything passed; 1: a step failed; 2: nothing could be rehearsed; 130: interrupted."""
    chosen = arguments(given)
    if chosen.list:
        width = max(len(scenario.name) for scenario in SCENARIOS)
        for scenario in SCENARIOS:
            print(f"{scenario.name:{width}}  {scenario.sentence}")  # noqa: T201 - the output
        return 0
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr] # a terminal may have no ✓
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    with Display(console_for(force_plain=chosen.plain)) as display:
        journal = Journal(display)
        options = Options(
            repository=ROOT,
            port=chosen.port,
            targets=chosen.targets,
            scenarios=chosen.scenario,
            keep=(lambda emulator, created: keep(display, journal, emulator, created))
            if chosen.keep
            else None,
        )
        try:
            rehearse(options, journal)
        except RehearsalError as error:
            display.failure(error)
            return error.exit_code
        except (StartError, UnsupportedEmulatorError) as error:
            display.failure(PrerequisiteError(str(error)))
            return PrerequisiteError.exit_code
        except (EmulatorError, ClientError, BotoCoreError) as error:
            display.failure(StepError(f"{type(error).__name__}: {error}"))
            return StepError.exit_code
        except KeyboardInterrupt:
            display.remark("Interrupted: everything that was started has been stopped.")
            return INTERRUPTED
        if not chosen.keep:
            display.tree(journal.holdings)
        display.end(journal.result())
        return 0
