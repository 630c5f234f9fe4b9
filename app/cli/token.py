"""The command `token`: print a new token for a user of the API, and its entry for the settings."""

from __future__ import annotations

import argparse

from ..access.tokens import hash_token, make_token
from .output import label, say


def run(options: argparse.Namespace) -> int:
    """Print the token for its holder, then its entry for API_TOKENS; returns the exit code."""
    token = make_token()
    label(f"The token of {options.name}; keep it, because it is not stored anywhere:")
    say(token)
    label("Its entry for API_TOKENS or API_TOKENS_FILE, for the server:")
    say(f"{options.name}:{hash_token(token)}")
    return 0
