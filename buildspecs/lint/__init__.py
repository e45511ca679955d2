"""The gates that every template has to pass before anything is deployed.

gates runs them: cfn-lint, checkov and cfripper (analyzers, environments), our own rules (rules, templates)
and the search for empty_files. suppressions reads which findings the templates suppress.
`python -m buildspecs.lint` is gates.py.
"""
