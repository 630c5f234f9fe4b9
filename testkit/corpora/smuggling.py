"""Requests that two servers could parse differently, and similar valid requests."""

# Longer than 300 lines: one corpus of requests, an entry for each.

from __future__ import annotations

from typing import Final

#: Bytes after a refused request, which must never be parsed as a request.
HIDDEN: Final = b"GET /healthz HTTP/1.1\r\nHost: hidden\r\n\r\n"
_GET: Final = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
_POST: Final = b"POST /healthz HTTP/1.1\r\nHost: x\r\n"
_TE: Final = b"Transfer-Encoding: chunked\r\n"
_END: Final = b"0\r\n\r\n"


def _length(value: bytes, *, before: bytes = b"", after: bytes = b"") -> bytes:
    return _POST + before + b"Content-Length: " + value + b"\r\n" + after + b"\r\n"


def _coding(value: bytes, *, name: bytes = b"Transfer-Encoding: ") -> bytes:
    return _POST + name + value + b"\r\n\r\n" + _END


def _chunks(body: bytes) -> bytes:
    return _POST + _TE + b"\r\n" + body


def _line(line: bytes) -> bytes:
    return line + b"\r\nHost: x\r\n\r\n"


def _host(*lines: bytes, target: bytes = b"/healthz", version: bytes = b"HTTP/1.1") -> bytes:
    return (
        b"GET " + target + b" " + version + b"\r\n" + b"".join(x + b"\r\n" for x in lines) + b"\r\n"
    )


def _field(line: bytes) -> bytes:
    return _GET + line + b"\r\n\r\n"


_TWO_LENGTHS: Final = {
    "CL then TE": _length(b"6", after=_TE) + _END,
    "TE then CL": _length(b"6", before=_TE) + _END,
    "CL 0 then TE": _length(b"0", after=_TE) + _END,
    "CL then te in lower case": _length(b"6", after=b"transfer-encoding: chunked\r\n") + _END,
    "CL then TE in capitals": _length(b"6", after=b"TRANSFER-ENCODING: CHUNKED\r\n") + _END,
    "CL then TE without a blank": _length(b"6", after=b"Transfer-Encoding:chunked\r\n") + _END,
    "CL then TE with a tab": _length(b"6", after=b"Transfer-Encoding:\tchunked\r\n") + _END,
    "CL then an unknown TE": _length(b"37", after=b"Transfer-Encoding: x\r\n"),
    "CL then TE identity": _length(b"37", after=b"Transfer-Encoding: identity\r\n"),
    "CL then an empty TE": _length(b"37", after=b"Transfer-Encoding:\r\n"),
    "CL then a TE of a comma": _length(b"37", after=b"Transfer-Encoding: ,\r\n"),
    "CL then TE with underscore": _length(b"6", after=b"Transfer_Encoding: chunked\r\n") + _END,
    "two equal CL": _length(b"0", after=b"Content-Length: 0\r\n"),
    "two different CL": _length(b"0", after=b"Content-Length: 37\r\n"),
    "two CL in other case": _length(b"0", after=b"content-length: 37\r\n"),
    "CL then CL with underscore": _length(b"0", after=b"Content_Length: 37\r\n"),
    "list of equal CL": _length(b"0, 0"),
    "list of different CL": _length(b"0, 37"),
    "list of CL without blank": _length(b"0,37"),
}
_LENGTHS: Final = {
    "CL signed plus": _length(b"+0"),
    "CL signed minus": _length(b"-1"),
    "CL hexadecimal": _length(b"0x25"),
    "CL hexadecimal digits": _length(b"2f"),
    "CL with underscore inside": _length(b"3_7"),
    "CL with a blank inside": _length(b"3 7"),
    "CL with a point": _length(b"37.0"),
    "CL with an exponent": _length(b"3e1"),
    "CL empty": _length(b""),
    "CL blank": _length(b"  "),
    "CL quoted": _length(b'"37"'),
    "CL of 5,000 digits": _length(b"9" * 5000),
    "CL of 64 bits": _length(b"18446744073709551653"),
    "CL in other digits": _length("٣٧".encode()),
    "CL with vertical tab": _length(b"\x0b37"),
    "CL with no-break space": _length(b"\xa037"),
    "CL with semicolon": _length(b"0;37"),
    "blank before the colon of CL": _POST + b"Content-Length : 37\r\n\r\n",
    "tab before the colon of CL": _POST + b"Content-Length\t: 37\r\n\r\n",
    "blank before CL": _POST + b" Content-Length: 37\r\n\r\n",
}
_CODINGS: Final = {
    "TE unknown": _coding(b"xchunked"),
    "TE chunkedx": _coding(b"chunkedx"),
    "TE gzip": _coding(b"gzip"),
    "TE identity": _coding(b"identity"),
    "TE list, chunked last": _coding(b"gzip, chunked"),
    "TE list, chunked first": _coding(b"chunked, gzip"),
    "TE chunked in a list twice": _coding(b"chunked, chunked"),
    "TE of a comma": _coding(b","),
    "TE ends with a comma": _coding(b"chunked,"),
    "TE begins with a comma": _coding(b", chunked"),
    "TE empty": _coding(b""),
    "TE twice": _POST + _TE + _TE + b"\r\n" + _END,
    "TE twice, other case": _POST + _TE + b"transfer-encoding: chunked\r\n\r\n" + _END,
    "TE twice, one unknown": _POST + _TE + b"Transfer-Encoding: x\r\n\r\n" + _END,
    "TE quoted": _coding(b'"chunked"'),
    "TE with a parameter": _coding(b"chunked;q=1"),
    "TE with vertical tab": _coding(b"\x0bchunked"),
    "TE with form feed behind": _coding(b"chunked\x0c"),
    "TE with NUL": _coding(b"chunked\x00"),
    "TE with no-break space": _coding(b"\xa0chunked"),
    "blank before the colon of TE": _coding(b"chunked", name=b"Transfer-Encoding : "),
    "blank before TE": _coding(b"chunked", name=b" Transfer-Encoding: "),
    "TE after a bare LF": _coding(b"chunked", name=b"X: y\nTransfer-Encoding: "),
    "TE after a bare CR": _coding(b"chunked", name=b"X: y\rTransfer-Encoding: "),
    "TE folded": _coding(b"\r\n chunked"),
    "TE with underscore": _coding(b"chunked", name=b"Transfer_Encoding: "),
    "TE in HTTP/1.0": _coding(b"chunked").replace(b"HTTP/1.1", b"HTTP/1.0"),
}
_CHUNKS: Final = {
    "chunk size of letters": _chunks(b"xyz\r\n\r\n"),
    "chunk size negative": _chunks(b"-1\r\n\r\n"),
    "chunk size with plus": _chunks(b"+1\r\nA\r\n" + _END),
    "chunk size with 0x": _chunks(b"0x1\r\nA\r\n" + _END),
    "chunk size with underscore": _chunks(b"1_0\r\n" + b"A" * 16 + b"\r\n" + _END),
    "chunk size with blank before": _chunks(b" 1\r\nA\r\n" + _END),
    "chunk size with blank behind": _chunks(b"1 \r\nA\r\n" + _END),
    "chunk size empty": _chunks(b"\r\n" + _END),
    "chunk size of 64 bits": _chunks(b"10000000000000001\r\nA\r\n" + _END),
    "chunk size of 2,000 digits": _chunks(b"0" * 2000),
    "chunk size with NUL": _chunks(b"1\x00\r\nA\r\n" + _END),
    "chunk extension of 2,000 bytes": _chunks(b"1;" + b"a" * 2000 + b"\r\nA\r\n" + _END),
    "chunk extension with bare LF": _chunks(b"1;a\nb\r\nA\r\n" + _END),
    "chunk extension with bare CR": _chunks(b"1;a\rb\r\nA\r\n" + _END),
    "chunk extension with NUL": _chunks(b"1;\x00\r\nA\r\n" + _END),
    "chunk longer than its size": _chunks(b"1\r\nAB\r\n" + _END),
    "chunk ends with LF": _chunks(b"1\r\nA\n" + _END),
    "chunk ends with nothing": _chunks(b"1\r\nA" + _END),
    "chunk ends with CR twice": _chunks(b"1\r\nA\r\r\n" + _END),
    "chunk size ends with LF": _chunks(b"1\nA\r\n" + _END),
    "last chunk ends with LF": _chunks(b"0\n\r\n"),
    "body ends with LF": _chunks(b"0\r\n\n"),
    "trailer ends with LF": _chunks(b"0\r\nX: y\n\r\n"),
    "trailer without colon": _chunks(b"0\r\n" + HIDDEN),
    "trailer folded": _chunks(b"0\r\nX: y\r\n z\r\n\r\n"),
    "trailer with blank before the colon": _chunks(b"0\r\nX : y\r\n\r\n"),
    "trailer with NUL": _chunks(b"0\r\nX: \x00\r\n\r\n"),
    "trailers of 18 kB": _chunks(b"0\r\n" + b"a: b\r\n" * 3000),
}
_LINES: Final = {
    "bare LF everywhere": b"GET /healthz HTTP/1.1\nHost: x\n\n",
    "bare LF behind the request line": b"GET /healthz HTTP/1.1\nHost: x\r\n\r\n",
    "bare LF behind a field": _field(b"A: b\nContent-Length: 37"),
    "bare LF at the end": _GET + b"\n",
    "bare LF before the request": b"\n" + _field(b"A: b"),
    "bare CR behind the request line": b"GET /healthz HTTP/1.1\rHost: x\r\n\r\n",
    "bare CR in a value": _field(b"A: b\rContent-Length: 37"),
    "bare CR at the end of a value": _field(b"A: b\r"),
    "bare CR before the request": b"\r" + _field(b"A: b"),
    "folded with a blank": _field(b"A: b\r\n Content-Length: 37"),
    "folded with a tab": _field(b"A: b\r\n\tContent-Length: 37"),
    "folded at once": b"GET /healthz HTTP/1.1\r\n Host: x\r\n\r\n",
    "line of a blank": _field(b" "),
    "field without colon": _field(b"broken"),
    "field without name": _field(b": b"),
    "blank before the colon": _field(b"A : b"),
    "blank in a name": _field(b"A B: c"),
    "name that is no token": _field(b"A(B): c"),
    "name that is not ASCII": _field("É: c".encode()),
    "NUL in a name": _field(b"A\x00: b"),
    "NUL in a value": _field(b"A: b\x00c"),
    "backspace in a value": _field(b"A: b\x08c"),
    "escape in a value": _field(b"A: \x1b[2J"),
    "delete in a value": _field(b"A: \x7f"),
    "NUL before the request": b"\x00" + _field(b"A: b"),
    "vertical tab before the request": b"\x0b" + _field(b"A: b"),
    "blank before the request": b" " + _field(b"A: b"),
    "byte-order mark before the request": b"\xef\xbb\xbf" + _field(b"A: b"),
}
_REQUEST_LINES: Final = {
    "HTTP/0.9": b"GET /healthz\r\n\r\n",
    "HTTP/0.9 with fields": _line(b"GET /healthz"),
    "version 0.9": _line(b"GET /healthz HTTP/0.9"),
    "version 9.9": _line(b"GET /healthz HTTP/9.9"),
    "version 2.0": _line(b"GET /healthz HTTP/2.0"),
    "version 1.2": _line(b"GET /healthz HTTP/1.2"),
    "version 1": _line(b"GET /healthz HTTP/1"),
    "version 1.10": _line(b"GET /healthz HTTP/1.10"),
    "version 01.1": _line(b"GET /healthz HTTP/01.1"),
    "version 1,1": _line(b"GET /healthz HTTP/1,1"),
    "protocol in lower case": _line(b"GET /healthz http/1.1"),
    "protocol unknown": _line(b"GET /healthz HTCPCP/1.0"),
    "protocol with a blank": _line(b"GET /healthz HTTP /1.1"),
    "preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "two blanks before the target": _line(b"GET  /healthz HTTP/1.1"),
    "two blanks behind the target": _line(b"GET /healthz  HTTP/1.1"),
    "blank at the end": _line(b"GET /healthz HTTP/1.1 "),
    "tab for a blank": _line(b"GET\t/healthz HTTP/1.1"),
    "blank in the target": _line(b"GET /healthz x HTTP/1.1"),
    "four parts": _line(b"GET /healthz HTTP/1.1 HTTP/1.1"),
    "method in lower case": _line(b"get /healthz HTTP/1.1"),
    "method that is no token": _line(b"G(T /healthz HTTP/1.1"),
    "method with a colon": _line(b"GET: /healthz HTTP/1.1"),
    "no method": _line(b"/healthz HTTP/1.1"),
    "no target": _line(b"GET HTTP/1.1"),
    "target without slash": _line(b"GET healthz HTTP/1.1"),
    "target with a fragment": _line(b"GET /healthz#x HTTP/1.1"),
    "target with NUL": _line(b"GET /health\x00z HTTP/1.1"),
    "target that is not ASCII": _line("GET /healthé HTTP/1.1".encode()),
    "target asterisk for GET": _line(b"GET * HTTP/1.1"),
    "target of CONNECT": _line(b"CONNECT x:443 HTTP/1.1"),
    "target of another scheme": _line(b"GET ftp://x/healthz HTTP/1.1"),
    "target of a file": _line(b"GET file:///healthz HTTP/1.1"),
    "target without host": _line(b"GET http:///healthz HTTP/1.1"),
    "target with half an address": _line(b"GET http://[ HTTP/1.1"),
    "target with a user": _line(b"GET http://a@x/healthz HTTP/1.1"),
    "target with a port of letters": _line(b"GET http://x:y/healthz HTTP/1.1"),
    "target of digits and no path": _line(b"GET a://1111 HTTP/1.1"),
    "target of 9,000 bytes": _line(b"GET /" + b"a" * 9000 + b" HTTP/1.1"),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}
_HOSTS: Final = {
    "no Host": _host(),
    "no Host, absolute target": _host(target=b"http://x/healthz"),
    "two equal Hosts": _host(b"Host: x", b"Host: x"),
    "two different Hosts": _host(b"Host: x", b"Host: y"),
    "two Hosts in HTTP/1.0": _host(b"Host: x", b"Host: y", version=b"HTTP/1.0"),
    "two Hosts, absolute target": _host(b"Host: x", b"Host: y", target=b"http://x/healthz"),
    "Host and Host with underscore": _host(b"Host: x", b"host: y"),
    "Host empty": _host(b"Host:"),
    "Host of a blank": _host(b"Host:  "),
    "Host with a blank": _host(b"Host: a b"),
    "Host with a tab": _host(b"Host: a\tb"),
    "Host with a user and a path": _host(b"Host: a@evil/x"),
    "Host with a user": _host(b"Host: a@evil"),
    "Host with a path": _host(b"Host: a/x"),
    "Host with a query": _host(b"Host: a?x"),
    "Host with a fragment": _host(b"Host: a#x"),
    "Host with a backslash": _host(b"Host: a\\x"),
    "Host list": _host(b"Host: x, y"),
    "Host list without blank": _host(b"Host: x,y"),
    "Host with a scheme": _host(b"Host: http://x"),
    "Host with a port of letters": _host(b"Host: x:y"),
    "Host with a negative port": _host(b"Host: x:-1"),
    "Host with too large a port": _host(b"Host: x:65536"),
    "Host with two ports": _host(b"Host: x:80:81"),
    "Host of a port alone": _host(b"Host: :80"),
    "Host of half an address": _host(b"Host: [::1"),
    "Host of an address and more": _host(b"Host: [::1]x"),
    "Host of an empty address": _host(b"Host: []"),
    "Host that is not ASCII": _host("Host: é".encode()),
    "Host with markup": _host(b"Host: <x>"),
    "Host with quotes": _host(b'Host: "x"'),
}
_TRUNCATED: Final = {
    "breaks off in the method": b"GE",
    "breaks off in the request line": b"GET /healthz HT",
    "breaks off behind the request line": b"GET /healthz HTTP/1.1\r\n",
    "breaks off in a field": b"GET /healthz HTTP/1.1\r\nHost: x",
    "breaks off before the end of the head": _GET,
    "breaks off in the body": _length(b"37") + b"x",
    "breaks off in a chunk": _chunks(b"25\r\nx"),
    "breaks off in the size of a chunk": _chunks(b"2"),
    "breaks off before the end of the body": _chunks(b"0\r\n"),
}
_TOO_MUCH: Final = {
    "head of 33 KiB": _field(b"A: " + b"x" * 33 * 1024),
    "head of 300 kB": _field(b"A: " + b"x" * 300_000),
    "head of 300 kB of lines": _GET + b"a:\r\n" * 75_000 + b"\r\n",
    "head of 101 fields": _GET + b"a: b\r\n" * 100 + b"\r\n",
    "34 KiB of empty lines": b"\r\n" * 17 * 1024 + _field(b"A: b"),
}
#: By name; a second request follows each, except the truncated ones.
MUST_REFUSE: Final = {
    **_TWO_LENGTHS,
    **_LENGTHS,
    **_CODINGS,
    **_CHUNKS,
    **_LINES,
    **_REQUEST_LINES,
    **_HOSTS,
    **_TOO_MUCH,
}
MUST_REFUSE_WHEN_CUT: Final = _TRUNCATED

#: By name, with the response statuses; the last request of each closes the connection.
MUST_ACCEPT: Final = {
    "plain": (_GET, [200]),
    "absolute target": (_host(b"Host: y", target=b"http://x/healthz")[:-2], [200]),
    "absolute target in capitals": (_host(b"Host: y", target=b"HTTP://X/healthz")[:-2], [200]),
    "absolute target of https": (_host(b"Host: y", target=b"https://x:443/healthz")[:-2], [200]),
    "absolute target of an address": (_host(b"Host: y", target=b"http://[::1]:80/")[:-2], [200]),
    "absolute target without path": (_host(b"Host: y", target=b"http://x")[:-2], [200]),
    "absolute target with a query": (_host(b"Host: y", target=b"http://x?a=b")[:-2], [200]),
    "path with a query": (_host(b"Host: x", target=b"/healthz?a=b&c")[:-2], [200]),
    "path percent-encoded": (_host(b"Host: x", target=b"/%68ealthz")[:-2], [200]),
    "empty lines before the request": (b"\r\n\r\n\r\n" + _GET, [200]),
    "Host of an address": (_host(b"Host: 127.0.0.1:5000")[:-2], [200]),
    "Host of an IPv6 address": (_host(b"Host: [::1]")[:-2], [200]),
    "Host of an IPv6 address and port": (_host(b"Host: [2001:db8::1]:8080")[:-2], [200]),
    "Host with underscore": (_host(b"Host: web_1")[:-2], [200]),
    "Host with an empty port": (_host(b"Host: x:")[:-2], [200]),
    "Host in other case": (_host(b"hOST:x")[:-2], [200]),
    "field without a value": (_GET + b"A:\r\n", [200]),
    "field with blanks around": (_GET + b"A: \t b \t\r\n", [200]),
    "field with 16,000 blanks": (_GET + b"A:" + b" " * 16_000 + b"x\r\n", [200]),
    "field with other bytes": (_GET + b"A: \xe9\xff\r\n", [200]),
    "field with a name of signs": (_GET + b"!#$%&'*+-.^`|~: b\r\n", [200]),
    "field with underscore": (_GET + b"X_Y: b\r\n", [200]),
    "fields twice": (_GET + b"A: b\r\nA: c\r\n", [200]),
    "99 fields": (_GET + b"a: b\r\n" * 97, [200]),
    "31 KiB": (_GET + b"A: " + b"x" * 31 * 1024 + b"\r\n", [200]),
    "CL 0": (_POST + b"Content-Length: 0\r\n", [405]),
    "options for the server": (_line(b"OPTIONS * HTTP/1.1")[:-2], [200]),
    "options for a path": (_line(b"OPTIONS /upload HTTP/1.1")[:-2], [200]),
    "head": (_line(b"HEAD /healthz HTTP/1.1")[:-2], [200]),
    "unknown method": (_line(b"BREW /healthz HTTP/1.1")[:-2], [405]),
    "two requests at once": (_GET + b"\r\n" + _GET, [200, 200]),
    "an empty line between two": (_GET + b"\r\n\r\n" + _GET, [200, 200]),
    "connection kept in a list": (_GET + b"Connection: TE, keep-alive\r\n\r\n" + _GET, [200, 200]),
    "a body, then a request": (_length(b"4") + b"abcd" + _GET, [405, 200]),
    "chunks, then a request": (_chunks(b"4\r\nabcd\r\n" + _END) + _GET, [405, 200]),
    "chunks in capitals": (_chunks(b"A;x=y\r\n" + b"a" * 10 + b"\r\n" + _END) + _GET, [405, 200]),
    "chunks with leading zeros": (_chunks(b"0004\r\nabcd\r\n" + _END) + _GET, [405, 200]),
    "chunks with trailers": (_chunks(b"1\r\na\r\n0\r\nX: y\r\nZ: z\r\n\r\n") + _GET, [405, 200]),
    "TE in other case": (_coding(b"Chunked", name=b"tRANSFER-eNCODING:  ") + _GET, [405, 200]),
    "expects 100-continue": (
        _length(b"4", after=b"Expect: 100-continue\r\n") + b"abcd" + _GET,
        [100, 405, 200],
    ),
    "expects 100-continue without a body": (_GET + b"Expect: 100-continue\r\n", [200]),
    "HTTP/1.0 without Host": (b"GET /healthz HTTP/1.0\r\n", [200]),
    "HTTP/1.0 kept": (
        b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + _GET,
        [200, 200],
    ),
}
