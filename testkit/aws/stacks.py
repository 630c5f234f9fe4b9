"""Deploy the CloudFormation template, with its prerequisites, to an emulated account."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import boto3

from testkit.aws.iam import Permission, TlsEnd, granted, listed
from testkit.aws.ministack import ministack
from testkit.deploy.templates import template

REGION: Final = "us-east-1"
#: The resource types that MiniStack 1.5.33 refuses. The rest of the template is deployed unchanged.
_UNKNOWN_TYPES: Final = frozenset(
    (
        "AWS::ApplicationAutoScaling::ScalableTarget",
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        "AWS::CloudWatch::CompositeAlarm",
        "AWS::EC2::SecurityGroupEgress",
    )
)


@dataclass(frozen=True)
class Credentials:
    """The access key of a user whose only rights are those of one policy."""

    access_key: str
    secret: str
    policy: dict[str, Any]

    @property
    def variables(self) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret}

    @property
    def granted(self) -> set[Permission]:
        return granted(self.policy)


class Account:
    """An AWS account in an emulator at *url*; *tls_url* is its TLS terminator."""

    def __init__(self, url: str, tls_url: str) -> None:
        self.url = url
        self.tls_url = tls_url

    def client(self, service: str, url: str | None = None, user: Credentials | None = None) -> Any:
        """A client for *user*, by default the root of the account."""
        keys = (user.access_key, user.secret) if user else ("test", "test")
        return _client(service, url or self.tls_url, *keys)

    def deploy(self, name: str, **parameters: str) -> Stack:
        """The deployed stack of the template. Raises WaiterError when it fails."""
        formation = self.client("cloudformation")
        formation.create_stack(
            StackName=name,
            TemplateBody=json.dumps(_known_part(template())),
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
        )
        waiter = formation.get_waiter("stack_create_complete")
        waiter.wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        (stack,) = formation.describe_stacks(StackName=name)["Stacks"]
        outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
        return Stack(self, name, outputs)

    def compute(self) -> dict[str, str]:
        """Parameters for a stack with processes: a VPC and names of external resources."""
        ec2 = self.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = ",".join(_subnet(ec2, vpc, n) for n in (0, 1))
        arn = "arn:aws:{}:us-east-1:000000000000:{}".format
        return {
            "ImageUri": "000000000000.dkr.ecr.us-east-1.amazonaws.com/image-pipeline:1",
            "VpcId": vpc,
            "LoadBalancerSubnetIds": subnets,
            "TaskSubnetIds": subnets,
            "CertificateArn": arn("acm", "certificate/1"),
            "ApiTokensSecretArn": arn("secretsmanager", "secret:tokens"),
        }

    def admit(self, name: str, policy: Mapping[str, Any]) -> Credentials:
        """Make a user whose rights are *policy*."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        document = json.dumps(_with_batches(policy))
        iam.put_user_policy(UserName=name, PolicyName="it", PolicyDocument=document)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return Credentials(key["AccessKeyId"], key["SecretAccessKey"], dict(policy))


def _with_batches(policy: Mapping[str, Any]) -> dict[str, Any]:
    """Add sqs:SendMessageBatch, which MiniStack 1.5.33 requires; AWS has no such permission.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
    """
    batched = ("sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:SendMessage")
    statements = [
        each | {"Action": [*listed(each["Action"]), *(f"{action}Batch" for action in batched)]}
        if set(batched) & set(listed(each["Action"]))
        else each
        for each in policy["Statement"]
    ]
    return {**policy, "Statement": statements}


def _subnet(ec2: Any, vpc: str, number: int) -> str:
    made = ec2.create_subnet(
        VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"{REGION}{'ab'[number]}"
    )
    subnet: str = made["Subnet"]["SubnetId"]
    return subnet


def _known_part(whole: dict[str, Any]) -> dict[str, Any]:
    known = {name: each for name, each in whole["Resources"].items() if _is_known(each)}
    # MiniStack 1.5.33 cannot order numbers that come from parameters.
    known["WorkerService"]["Properties"]["CapacityProviderStrategy"].pop(0)
    for each in known.values():
        after = [name for name in listed(each.get("DependsOn", [])) if name in known]
        each.pop("DependsOn", None)
        if after:
            each["DependsOn"] = after
    return whole | {"Resources": known}


def _is_known(resource: Mapping[str, Any]) -> bool:
    is_metric_math = "Metrics" in resource.get("Properties", {})
    return resource["Type"] not in _UNKNOWN_TYPES and not is_metric_math


@cache  # half a second each
def _client(service: str, url: str, access_key: str, secret: str) -> Any:
    make: Any = boto3.session.Session(access_key, secret).client
    return make(service, endpoint_url=url, region_name=REGION)


@dataclass(frozen=True)
class Stack:
    account: Account
    name: str
    outputs: dict[str, str]

    def policy(self, output: str) -> dict[str, Any]:
        """The document of a managed policy, as CloudFormation has resolved it."""
        iam, arn = self.account.client("iam"), self.outputs[output]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        found = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]
        document: dict[str, Any] = found["Document"]
        return document

    def container(self, role: str) -> dict[str, Any]:
        """The container of the role's task, as it is registered with ECS."""
        ecs = self.account.client("ecs")
        task = ecs.describe_task_definition(taskDefinition=f"{self.name}-{role}")
        (container,) = task["taskDefinition"]["containerDefinitions"]
        found: dict[str, Any] = container
        return found

    def variables(self, role: str) -> dict[str, str]:
        return {each["name"]: each["value"] for each in self.container(role)["environment"]}


@contextmanager
def account() -> Iterator[Account]:
    with ministack() as url, TlsEnd(url) as tls:
        yield Account(url, tls.url)
