"""An AWS Organization on 127.0.0.1: a ministack server process with what it lacks added to it.

README.md in this folder says what is emulated, what is lenient and what another emulator would need.
"""

from rehearsal.emulator.errors import EmulatorError
from rehearsal.emulator.process import Accounts, Denied, Emulator, port_fault

__all__ = ["Accounts", "Denied", "Emulator", "EmulatorError", "port_fault"]
