"""A pipeline as in tutorials: Flask's own server, boto3, and one worker thread.

Like the tutorials it has no checks, retries or batches, and processes one image at a time. Unlike
most of them it gives each image its own message group; otherwise one slow image would block all
others.
"""

from __future__ import annotations

import json
import os
import threading
import uuid
from typing import Any

import boto3
from flask import Flask, request

from benchmarks.rivals import one_by_one

app = Flask(__name__)
place: Any = {"endpoint_url": os.environ["AWS_ENDPOINT_URL"], "region_name": "us-east-1"}
s3, sqs = boto3.client("s3", **place), boto3.client("sqs", **place)
bucket = os.environ["INPUT_BUCKET"]
jobs = sqs.get_queue_url(QueueName=os.environ["INPUT_QUEUE"])["QueueUrl"]


@app.post("/upload")
def upload() -> Any:
    image_id = str(uuid.uuid4())
    key = f"{image_id}.png"
    s3.put_object(Bucket=bucket, Key=key, Body=request.files["image"].read())
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


if __name__ == "__main__":
    threading.Thread(target=one_by_one.main, daemon=True).start()
    app.run(port=int(os.environ["PORT"]))
