"""Checks of everything that a start needs, one line each: `./alvura doctor`.

`findings` and `endpoint` use the standard library only, for machines where nothing is installed.
"""
