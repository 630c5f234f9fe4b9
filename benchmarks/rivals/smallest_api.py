"""A minimal Flask upload handler on the same server: two AWS calls, no checks."""

from __future__ import annotations

import json
import os
import sys
import uuid
from typing import Any

import boto3
import waitress
from botocore.config import Config
from flask import Flask, request

app = Flask(__name__)
place: Any = {
    "endpoint_url": os.environ["AWS_ENDPOINT_URL"],
    "region_name": "us-east-1",
    "config": Config(max_pool_connections=32),
}
s3, sqs = boto3.client("s3", **place), boto3.client("sqs", **place)
bucket = os.environ["INPUT_BUCKET"]
jobs = sqs.get_queue_url(QueueName=os.environ["INPUT_QUEUE"])["QueueUrl"]


@app.post("/upload")
def upload() -> Any:
    image_id = str(uuid.uuid4())
    key = f"{image_id}.png"
    store(key, request.files["image"].read())
    sqs.send_message(
        QueueUrl=jobs,
        MessageBody=json.dumps({"image_id": image_id, "bucket": bucket, "key": key}),
        MessageGroupId=image_id,
        MessageDeduplicationId=image_id,
    )
    return {"image_id": image_id}, 202


@app.get("/healthz")
def healthz() -> Any:
    return {"status": "alive"}


def store(key: str, data: bytes) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=data, ContentType="image/png")


if "obstore" in sys.argv:
    # Use our S3 library, so that only the rest differs.
    import obstore
    from obstore.store import S3Store

    objects = S3Store(
        bucket,
        endpoint=os.environ["AWS_ENDPOINT_URL"],
        region="us-east-1",
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )

    def store(key: str, data: bytes) -> None:
        obstore.put(objects, key, data, use_multipart=False)


if __name__ == "__main__":
    waitress.serve(app, host="127.0.0.1", port=int(os.environ["PORT"]), threads=8)
