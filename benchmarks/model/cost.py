"""AWS usage per image and the cost of a million images, for docs/scaling.md.

Prices and quotas are those of us-east-1 in November 2026; docs/scaling.md has the sources of the
quotas. Costs omit what does not grow with images (alarms, a registry) and clients' downloads over
the internet.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.web import long_poll

MILLION = 1_000_000
#: Requests to S3 that tell that an image is not finished.
LOOKUPS_IN_VAIN = 3
HOUR_S = 3600.0
MONTH_DAYS = 30.4
GB = 1e9

# --- quotas --------------------------------------------------------------------------------------

#: Calls per second per action of one high-throughput FIFO queue in us-east-1.
SQS_CALLS_PER_ACTION_S = 70_000
#: The same for one partition; SQS adds partitions by itself.
SQS_CALLS_PER_PARTITION_S = 300
#: In-flight messages of one FIFO queue: received and not deleted.
SQS_IN_FLIGHT = 120_000
#: Per partitioned prefix of a bucket; S3 splits prefixes by itself.
S3_PUTS_PER_PREFIX_S, S3_GETS_PER_PREFIX_S = 3_500, 5_500

# --- prices, in dollars --------------------------------------------------------------------------

#: https://aws.amazon.com/sqs/pricing/
SQS_FIFO_PER_REQUEST = 0.50 / MILLION
#: https://aws.amazon.com/s3/pricing/
S3_PER_PUT, S3_PER_GET = 0.005 / 1000, 0.0004 / 1000
S3_PER_GB_MONTH = 0.023
#: Linux on x86: https://aws.amazon.com/fargate/pricing/
FARGATE_PER_VCPU_HOUR, FARGATE_PER_GB_HOUR = 0.04048, 0.004445
#: https://aws.amazon.com/elasticloadbalancing/pricing/
ALB_PER_HOUR, ALB_PER_LCU_HOUR, ALB_GB_PER_LCU_HOUR = 0.0225, 0.008, 1.0
#: An interface endpoint for SQS; S3's gateway endpoint is free:
#: https://aws.amazon.com/privatelink/pricing/
ENDPOINT_PER_ZONE_HOUR, ENDPOINT_PER_GB = 0.01, 0.01
#: https://aws.amazon.com/vpc/pricing/, also of public addresses, as a load balancer's.
NAT_PER_GB = 0.045
ADDRESS_PER_HOUR = 0.005
#: https://aws.amazon.com/cloudwatch/pricing/
LOGS_PER_GB, LOGS_PER_GB_MONTH = 0.50, 0.03


@dataclass(frozen=True)
class Usage:
    """Resources per image. A vCPU is assumed equal to a CPU of the measuring machine."""

    web_cpu_s: float
    worker_cpu_s: float
    page_bytes: int
    result_bytes: int
    #: Calls by action as our metrics count them, including the announcements' consumer.
    sqs_calls: dict[str, float]
    s3_puts: float = 2.0
    s3_gets: float = 1.0
    #: Time from receive to delete.
    held_s: float = 0.3
    message_bytes: int = 2_000
    #: Three lines of the log, with 26 bytes that CloudWatch adds to each.
    log_bytes: int = 950


@dataclass(frozen=True)
class Fleet:
    """The deployment of web and workers."""

    #: Average CPU utilization.
    web_busy: float = 0.5
    worker_busy: float = 0.7
    gb_per_vcpu: float = 2.0
    zones: int = 2
    retention_days: float = 7.0
    log_days: float = 30.0

    def vcpus(self, usage: Usage) -> float:
        """vCPUs needed for one image per second."""
        return usage.web_cpu_s / self.web_busy + usage.worker_cpu_s / self.worker_busy


def cost_per_million(rate: float, usage: Usage, fleet: Fleet) -> dict[str, float]:
    """Dollars by service for a million images at a constant *rate* per second."""
    hours = MILLION / rate / HOUR_S
    vcpu_hours = whole(rate * fleet.vcpus(usage)) * hours
    kept_gb = (usage.page_bytes + usage.result_bytes) * MILLION / GB
    message_gb = usage.message_bytes * sum(usage.sqs_calls.values()) * MILLION / GB
    uploaded_gb = usage.page_bytes * MILLION / GB
    log_gb = usage.log_bytes * MILLION / GB
    # At least one capacity unit is charged per hour; bytes are the dimension that we use most.
    lcu_hours = max(hours, uploaded_gb / ALB_GB_PER_LCU_HOUR)
    parts = {
        "fargate": vcpu_hours * (FARGATE_PER_VCPU_HOUR + fleet.gb_per_vcpu * FARGATE_PER_GB_HOUR),
        "s3 requests": MILLION * (usage.s3_puts * S3_PER_PUT + usage.s3_gets * S3_PER_GET),
        "s3 storage": kept_gb * S3_PER_GB_MONTH * fleet.retention_days / MONTH_DAYS,
        "sqs": MILLION * sum(usage.sqs_calls.values()) * SQS_FIFO_PER_REQUEST,
        "load balancer": hours * ALB_PER_HOUR + lcu_hours * ALB_PER_LCU_HOUR,
        "sqs endpoint": hours * fleet.zones * ENDPOINT_PER_ZONE_HOUR + message_gb * ENDPOINT_PER_GB,
        "addresses": hours * fleet.zones * ADDRESS_PER_HOUR,
        "logs": log_gb * (LOGS_PER_GB + LOGS_PER_GB_MONTH * fleet.log_days / MONTH_DAYS),
    }
    return {name: round(dollars, 2) for name, dollars in parts.items()}


def through_nat_per_million(usage: Usage) -> float:
    """Dollars for a million images if S3 is reached through a NAT gateway, not its endpoint."""
    gb = (2 * usage.page_bytes + usage.result_bytes) * MILLION / GB
    return round(gb * NAT_PER_GB, 2)


def waiting_per_million(latency_s: float) -> float:
    """Dollars for a million uploads that wait (`Prefer: wait`) for a result after *latency_s*.

    A look in vain asks S3 for result, failure record and original, the last one for the result.
    """
    pause_s, at_s, in_vain = long_poll.FIRST_LOOK_S, 0.0, 0
    while at_s < latency_s:
        in_vain, at_s = in_vain + 1, at_s + pause_s
        pause_s = min(long_poll.LAST_LOOK_S, pause_s * 1.5)
    return round(MILLION * (LOOKUPS_IN_VAIN * in_vain + 1) * S3_PER_GET, 2)


def demand(rate: float, usage: Usage, fleet: Fleet) -> dict[str, float]:
    """The load of *rate* images per second on each service, and its share of the quota."""
    busiest = max(usage.sqs_calls.values(), default=0.0) * rate
    gbits = (3 * usage.page_bytes + usage.result_bytes) * 8 / 1e9
    return {
        "s3 puts": usage.s3_puts * rate,
        "s3 gets": usage.s3_gets * rate,
        "s3 prefixes": whole(rate / S3_PUTS_PER_PREFIX_S),
        "sqs calls": sum(usage.sqs_calls.values()) * rate,
        "sqs quota": busiest / SQS_CALLS_PER_ACTION_S,
        "sqs partitions": whole(busiest / SQS_CALLS_PER_PARTITION_S),
        "queues": max(1, whole(busiest / SQS_CALLS_PER_ACTION_S)),
        "in flight": usage.held_s * rate,
        "in flight quota": usage.held_s * rate / SQS_IN_FLIGHT,
        "vcpus": whole(rate * fleet.vcpus(usage)),
        "gbit/s": gbits * rate,
    }


def whole(count: float) -> int:
    """The number rounded up, ignoring floating-point error."""
    return math.ceil(round(count, 6))
