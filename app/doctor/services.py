"""The checks of settings, endpoint, clock, credentials, buckets, queues and rights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from typing import Final

from ..aws.account import Account
from ..aws.rights import is_denied, rights_of
from ..errors import SettingsError
from ..observability.version import VERSION
from ..settings import Settings, misspelt
from .endpoint import check_endpoint
from .findings import Finding, State, failed, ok, skipped

_SHOWN_PACKAGES: Final = ("boto3", "obstore", "numpy", "opencv-python-headless", "numba")
_REMEDY: Final = (
    "start the server at this address (./alvura start starts LocalStack), or set AWS_ENDPOINT_URL"
)


def examine(role: str, names_in_file: Iterable[str]) -> Iterator[Finding]:
    """The findings about settings and AWS for *role*; *names_in_file* are the variables of .env."""
    yield ok("versions", ", ".join([f"Alvura {VERSION}", *_versions()]))
    for name, meant in misspelt(names_in_file).items():
        yield failed(f"setting {name}", f"does not exist; .env probably means {meant}")
    try:
        settings = Settings.from_env()
        account = Account(settings)
    except (SettingsError, ValueError) as exc:
        yield failed("settings", f"{exc}; docs/settings.md describes all settings")
        yield skipped("endpoint, buckets, queues, rights", "need valid settings")
        return
    yield ok("settings", "are valid")
    yield from _examine_account(account, settings, role)


def _examine_account(account: Account, settings: Settings, role: str) -> Iterator[Finding]:
    is_reached = True
    for number, url in enumerate(account.endpoints):
        endpoint, clock = check_endpoint(url, _REMEDY)
        is_reached = is_reached and endpoint.state is State.OK
        yield from (endpoint, clock) if number == 0 else (endpoint,)
    if not is_reached:
        yield skipped("credentials, buckets, queues, rights", "need the endpoint")
        return
    credentials = _credentials(account)
    yield credentials
    if credentials.state is not State.OK:
        yield skipped("buckets, queues, rights", "need credentials")
        return
    for resource, actions in rights_of(role).items():
        yield from _examine_resource(account, settings, resource, actions)


def _credentials(account: Account) -> Finding:
    found = account.credentials
    if found.fault:
        return failed("credentials", found.fault.advice)
    return ok("credentials", f"from {found.origin}, key id ...{found.key_id_end}")


def _examine_resource(
    account: Account, settings: Settings, resource: str, actions: Sequence[str]
) -> Iterator[Finding]:
    name = getattr(settings, resource)
    is_bucket = resource.endswith("_bucket")
    subject = f"{'bucket' if is_bucket else 'queue'} {name}"
    fault = account.bucket_fault(name) if is_bucket else account.queue_fault(name)
    if fault:
        yield failed(subject, fault.advice)
        return
    yield ok(subject, "exists")
    yield _rights(account, resource, name, actions)


def _rights(account: Account, resource: str, name: str, actions: Sequence[str]) -> Finding:
    subject = f"rights on {name}"
    lacking = dict(account.lacking(resource, list(actions)))
    denied = [action for action, fault in lacking.items() if is_denied(fault)]
    if denied:
        return failed(
            subject,
            f"denied: {', '.join(denied)}; deploy/README.md has the policies that allow them",
        )
    if lacking:
        action, fault = next(iter(lacking.items()))
        return failed(subject, f"{action}: {fault.advice}")
    return ok(subject, ", ".join(action.partition(":")[2] for action in actions))


def _versions() -> Iterator[str]:
    for package in _SHOWN_PACKAGES:
        try:
            yield f"{package} {metadata.version(package)}"
        except metadata.PackageNotFoundError:
            yield f"no {package}"
