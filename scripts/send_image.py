"""Send one PNG, wait for its black-and-white page and save it: `send_image.py URL FILE [F=V ...]`.

Uses urllib3, which comes with boto3.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import urllib3

DEADLINE_S = 60.0
PAUSE_S = 0.5
EXIT_REFUSED, EXIT_UNREACHABLE = 1, 2

http = urllib3.PoolManager(timeout=urllib3.Timeout(connect=3, read=30), retries=False)


def main() -> int:
    url, file = sys.argv[1].rstrip("/"), Path(sys.argv[2])
    fields = dict(argument.partition("=")[::2] for argument in sys.argv[3:])
    try:
        return send(url, file, fields)
    except OSError as exc:  # of the file
        return complain(f"cannot read {file}: {exc.strerror}", EXIT_REFUSED)
    except urllib3.exceptions.HTTPError:
        return complain(f"nobody answers at {url}; is ./start_app.sh running?", EXIT_UNREACHABLE)


def send(url: str, file: Path, fields: dict[str, str]) -> int:
    body: dict[str, Any] = {"image": (file.name, file.read_bytes(), "image/png"), **fields}
    answer = http.request("POST", f"{url}/upload", fields=body)
    if answer.status != 202:
        return complain(f"{file} was refused: {explain(answer)}", EXIT_REFUSED)
    place = url + answer.headers["Location"]
    print(f"{file} is accepted: {place}")
    image = wait(place)
    if image["status"] != "processed":
        reason = image.get("error") or image.get("detail") or f"not ready after {DEADLINE_S:.0f} s"
        return complain(f"{file} is {image['status']}: {reason}", EXIT_REFUSED)
    return save(url, file, image)


def wait(place: str) -> dict[str, Any]:
    """The representation once it is final, or as it stands at the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        answer = http.request("GET", place)
        image: dict[str, Any] = answer.json()
        # While S3 is away the image is neither lost nor final.
        is_final = answer.status < 500 and image["status"] != "queued"
        if is_final or time.monotonic() > deadline:
            return image
        time.sleep(PAUSE_S)


def save(url: str, file: Path, image: dict[str, Any]) -> int:
    answer = http.request("GET", url + image["processed"]["href"])
    if answer.status != 200:
        return complain(f"the result was refused: {explain(answer)}", EXIT_REFUSED)
    target = file.with_name(f"{file.stem}-processed.png")
    target.write_bytes(answer.data)
    page = image["processed"]
    print(
        f"{target} is saved: {page['width']} x {page['height']} pixels, {page['bytes']} bytes "
        f"(was {image['original']['bytes']}), method {image['method']}, {page['processing_ms']} ms"
    )
    return 0


def explain(answer: urllib3.BaseHTTPResponse) -> str:
    try:
        problem = answer.json()
        return f"{problem['code']}: {problem['detail']}"
    except (ValueError, KeyError):
        return f"HTTP status {answer.status}"


def complain(sentence: str, code: int) -> int:
    print(f"test_upload.sh: {sentence}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
