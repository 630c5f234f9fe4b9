"""The checks of `./alvura doctor`: everything that a start needs, one line each.

`findings` and `endpoint` use the standard library only, for machines where nothing is installed.
"""
