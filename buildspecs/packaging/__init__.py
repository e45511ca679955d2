"""The functions' Lambda packages.

archive makes a reproducible zip, publish puts it into every Region, and parameters knows the SSM parameters
that record it. `python -m buildspecs.packaging` is publish.py.
"""
