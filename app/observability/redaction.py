"""Take out of a line of the log what must not be in it: secrets, and what a terminal obeys."""

from __future__ import annotations

import re
from typing import Final

#: Looked for first: hardly any line has one, and the pattern is slow.
_HINTS: Final = ("ipt_", "authorization", "bearer", "amz-", "signature", "secret", "session")
#: No \b before a word: the n of an escaped line end precedes it, in JSON and in what Python quotes.
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
#: C0 but line ends and tabs, DEL, C1, and what ends a line in Unicode: a terminal obeys them.
_CONTROLS: Final = {
    code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if code not in (9, 10)
} | {code: f"\\u{code:04x}" for code in (0x2028, 0x2029, *range(0x202A, 0x202F))}
_LINE_ENDS: Final = {9: "\\t", 10: "\\n"}
_MARK: Final = "  | "


def without_secrets(text: str) -> str:
    """*text* with what looks like a token, a key or a signature hidden."""
    lower = text.lower()
    return _SECRET.sub(_HIDDEN, text) if any(hint in lower for hint in _HINTS) else text


def harmless(value: str, *, is_block: bool = False) -> str:
    """*value* without what a terminal would obey, or a reader take for a line of ours.

    The lines of a block, such as a traceback, stay, each behind a mark: an exception can quote what
    a client sent, and a line of its own would look like one of the log.
    """
    value = value.translate(_CONTROLS)
    if is_block:
        return _MARK + value.replace("\n", f"\n{_MARK}")
    return value.translate(_LINE_ENDS)
