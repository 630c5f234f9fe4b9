"""The questions of the Grafana dashboard: one per row, with panels that answer it."""

from __future__ import annotations

from typing import Final

from scripts.generate.dashboard_panels import HERE, Panel, gauge, quantile, quantiles, rate

_FAILED: Final = "internal-error|queue-full|queue-unavailable|storage-unavailable"
_OURS: Final = f'result=~"{_FAILED}"'
_VALID: Final = f'result=~"accepted|replayed|{_FAILED}"'

ROWS: Final[dict[str, tuple[Panel, ...]]] = {
    "Is anything wrong?": (
        Panel(
            "Alerts that fire",
            "Each has a section in docs/operations.md.",
            "short",
            (('max by (alertname, severity) (ALERTS{alertstate="firing"})', "{{alertname}}"),),
            kind="state-timeline",
            width=12,
        ),
        Panel(
            "Budget burnt by failed uploads",
            "Share of uploads that failed on our side in the last hour, as a multiple of the goal "
            "of 0.5 %. At 14.4 an alert pages.",
            "none",
            (("image_pipeline:uploads_failed:ratio_rate1h / 0.005", "times the goal"),),
            kind="stat",
            width=4,
            warn_at=14.4,
        ),
        Panel(
            "Budget burnt by late results",
            "Share of images announced over 300 s after their upload in the last hour, as a "
            "multiple of the goal of 1 %. At 14.4 an alert pages.",
            "none",
            (("image_pipeline:announcements_late:ratio_rate1h / 0.01", "times the goal"),),
            kind="stat",
            width=4,
            warn_at=14.4,
        ),
        Panel(
            "Dead letters",
            "Messages that workers gave up. `redrive --dry-run` lists them with reasons.",
            "short",
            (
                (
                    f'max(image_pipeline_queue_messages{{queue="dead-letter", state="waiting", '
                    f"{HERE}}})",
                    "messages",
                ),
            ),
            kind="stat",
            width=4,
            warn_at=1,
        ),
    ),
    "Are uploads OK?": (
        Panel(
            "Uploads by result",
            "accepted, replayed, or the code of the refusal (docs/errors.md).",
            "reqps",
            ((rate("uploads_total", by="result"), "{{result}}"),),
            is_stacked=True,
        ),
        Panel(
            "Uploads that failed on our side",
            "Share of the valid uploads. The goal is at most 0.5 % in 30 days.",
            "percentunit",
            ((f"{rate('uploads_total', _OURS)} / {rate('uploads_total', _VALID)}", "failed"),),
            warn_at=0.005,
        ),
        Panel(
            "Time of an upload",
            "From its last byte to the response.",
            "s",
            quantiles("http_request_duration_seconds", 'method="POST", route="/upload"'),
            warn_at=5,
        ),
        Panel(
            "Requests by route",
            "All responses, including those of the page.",
            "reqps",
            ((rate("http_requests_total", by="method, route"), "{{method}} {{route}}"),),
        ),
        Panel(
            "5xx responses by route",
            "Failures on our side.",
            "reqps",
            (
                (
                    rate("http_requests_total", 'status=~"5.."', "route, status"),
                    "{{status}} {{route}}",
                ),
            ),
        ),
        Panel(
            "Bytes accepted",
            "Size of the accepted PNGs.",
            "Bps",
            ((rate("upload_size_bytes_sum"), "originals"),),
        ),
    ),
    "Is work keeping up?": (
        Panel(
            "Messages in the queues",
            "As SQS counts them. Every web process reports the same queue, so this is the maximum.",
            "short",
            (
                (
                    f"max by (queue, state) (image_pipeline_queue_messages{{{HERE}}})",
                    "{{queue}} {{state}}",
                ),
            ),
        ),
        Panel(
            "Estimated wait of the last image in the queue",
            "Waiting images divided by the rate of the last ten minutes. Only CloudWatch has the "
            "age of the oldest message.",
            "s",
            (("image_pipeline:queue_wait:seconds_estimated", "estimated"),),
            warn_at=900,
        ),
        Panel(
            "Images finished, by status and method",
            "Of all workers.",
            "ops",
            ((rate("worker_images_total", by="status, method"), "{{status}} {{method}}"),),
            is_stacked=True,
        ),
        Panel(
            "From upload to announcement",
            "The goal is 300 s for 99 % of the images.",
            "s",
            quantiles("worker_time_to_announcement_seconds"),
            warn_at=300,
        ),
        Panel(
            "From upload to the start of work",
            "The time in the queue.",
            "s",
            quantiles("worker_queue_wait_seconds"),
        ),
        Panel(
            "Failed images by code",
            "corrupt-png is a fault of the file; check processing-crashed and too-expensive.",
            "ops",
            ((rate("worker_failures_total", by="code"), "{{code}}"),),
        ),
    ),
    "What do the workers do?": (
        Panel(
            "Time of each step",
            "Mean per image. A long admit step is a wait for a CPU or for memory.",
            "s",
            (
                (
                    f"{rate('worker_step_duration_seconds_sum', by='step')} / "
                    f"{rate('worker_step_duration_seconds_count', by='step')}",
                    "{{step}}",
                ),
            ),
            is_stacked=True,
        ),
        Panel(
            "Images in flight",
            "Images that a thread processes, by worker.",
            "short",
            ((gauge("image_pipeline_worker_images_in_flight"), "{{instance}}"),),
        ),
        Panel(
            "Pixels in flight, share of the limit",
            "The limit is MAX_PIXELS_IN_FLIGHT. Near 100 %, memory limits the rate, not the CPUs.",
            "percentunit",
            (
                (
                    f"{gauge('image_pipeline_worker_pixels_in_flight')} / "
                    f"{gauge('image_pipeline_worker_pixels_in_flight_limit')}",
                    "{{instance}}",
                ),
            ),
            warn_at=0.8,
        ),
        Panel(
            "Deliveries by outcome",
            "retried and lease-lost are redelivered; given-up goes to the dead-letter queue.",
            "ops",
            ((rate("worker_deliveries_total", by="outcome"), "{{outcome}}"),),
            is_stacked=True,
        ),
        Panel(
            "Polls and the breaker",
            "Polls that SQS answered, and did not answer; 1 while a worker waits for S3 or SQS.",
            "short",
            (
                (rate("worker_polls_total"), "polls a second"),
                (rate("worker_poll_failures_total"), "failed polls a second"),
                (gauge("image_pipeline_worker_breaker_open"), "breaker {{instance}}"),
            ),
        ),
        Panel(
            "Leases and the heartbeat",
            "Lease renewals a second by result, leases lost, and iterations of the heartbeat: "
            "about one a second for each worker.",
            "ops",
            (
                (rate("worker_lease_renewals_total", by="result"), "{{result}}"),
                (rate("worker_leases_lost_total"), "leases lost"),
                (rate("worker_redeliveries_total"), "redeliveries"),
                (rate("worker_heartbeats_total", by="instance"), "heartbeat {{instance}}"),
            ),
        ),
    ),
    "How is AWS?": (
        Panel(
            "Calls",
            "A call with its retries counts once. ReceiveMessage is the workers' long poll.",
            "ops",
            (
                (
                    rate("aws_request_duration_seconds_count", by="service, operation"),
                    "{{service}} {{operation}}",
                ),
            ),
        ),
        Panel(
            "Errors by code",
            "After all retries. no-answer is a timeout or a broken connection.",
            "ops",
            (
                (
                    rate("aws_request_errors_total", by="service, operation, code"),
                    "{{service}} {{operation}} {{code}}",
                ),
            ),
        ),
        Panel(
            "p99 of calls",
            "By operation, without the long poll.",
            "s",
            (
                (
                    quantile(
                        0.99,
                        "aws_request_duration_seconds",
                        'operation!="ReceiveMessage"',
                        "service, operation",
                    ),
                    "{{service}} {{operation}}",
                ),
            ),
        ),
    ),
    "How are the processes?": (
        Panel(
            "CPU",
            "Without the sandbox's child processes. 100 % is one CPU.",
            "percentunit",
            (
                (
                    f"sum by (instance) (rate(process_cpu_seconds_total{{{HERE}}}"
                    "[$__rate_interval]))",
                    "{{instance}}",
                ),
            ),
        ),
        Panel(
            "Memory",
            "Resident memory.",
            "bytes",
            ((gauge("process_resident_memory_bytes"), "{{instance}}"),),
        ),
        Panel(
            "Open files and connections",
            "Share of the process's limit.",
            "percentunit",
            ((f"{gauge('process_open_fds')} / {gauge('process_max_fds')}", "{{instance}}"),),
            warn_at=0.8,
        ),
        Panel(
            "Up for",
            "A drop to 0 is a restart.",
            "s",
            ((f"time() - {gauge('process_start_time_seconds')}", "{{instance}}"),),
            width=12,
        ),
        Panel(
            "Scrapes that worked",
            "1 while the process answers Prometheus.",
            "short",
            ((gauge("up"), "{{instance}}"),),
            width=12,
        ),
    ),
}
