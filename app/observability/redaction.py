"""Remove secrets and terminal control characters from log lines."""

from __future__ import annotations

import re
from typing import Final

#: Searched before the slow pattern; hardly any line contains one of them.
_HINTS: Final = ("ipt_", "authorization", "bearer", "amz-", "signature", "secret", "session")
#: No \b before a word, since the n of an escaped line end can precede it, in JSON and in repr().
_SECRET: Final = re.compile(
    r"""(?ix)
    ( (?: (?<! [a-z0-9] ) | (?<= \\[nrt] ) | (?<= %[0-9a-f]{2} ) ) ipt_   # our own tokens
    | bearer (?: [ ] | %20 )++
    | (?: authorization | x-amz-security-token | aws_session_token | aws_secret_access_key
        | idempotency_secret | secretaccesskey | secret_key | sessiontoken )
      [\\"'\]]* \s* (?: [:=>] | %3[ad] | (?<= ["'] ) , (?= \s ) ) \s* (?: b (?= [\\"'] ) )? [\\"']*
      (?: (?: bearer | basic | token ) [ ]+ | aws4-hmac-sha256 [ ]+ credential= )?
    | x-amz-(?: signature | credential ) (?: = | %3d )
    | signature (?: = | %3d )
    | <(?: signatureprovided | stringtosign | canonicalrequest )>
    )
    (?! [}\])] )                              # the end of a line of JSON, after its quote
    [^\s"'\\,;&<>]+
    """
)
_HIDDEN: Final = r"\1[hidden]"
#: C0 except line ends and tabs, DEL, C1, and Unicode line ends: a terminal interprets them.
_CONTROLS: Final = {
    code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if code not in (9, 10)
} | {code: f"\\u{code:04x}" for code in (0x2028, 0x2029, *range(0x202A, 0x202F))}
_LINE_ENDS: Final = {9: "\\t", 10: "\\n"}
_MARK: Final = "  | "


def without_secrets(text: str) -> str:
    """*text* with everything hidden that looks like a token, a key or a signature."""
    lower = text.lower()
    return _SECRET.sub(_HIDDEN, text) if any(hint in lower for hint in _HINTS) else text


def harmless(value: str, *, is_block: bool = False) -> str:
    """*value* without control characters and without line ends that would forge a log line.

    A block, such as a traceback, keeps its lines, each behind a mark: an exception can quote text
    from a client, which could otherwise look like a log line.
    """
    value = value.translate(_CONTROLS)
    if is_block:
        return _MARK + value.replace("\n", f"\n{_MARK}")
    return value.translate(_LINE_ENDS)
