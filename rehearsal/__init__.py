"""The rehearsal: the README's own runbook carried out on an emulated AWS Organization."""
