"""A worker as in tutorials: one message, one image, one call at a time."""

from __future__ import annotations

import json
import os
from typing import Any

import boto3
import cv2
import numpy as np


def main() -> None:
    cv2.setNumThreads(1)
    place: Any = {"endpoint_url": os.environ["AWS_ENDPOINT_URL"], "region_name": "us-east-1"}
    s3, sqs = boto3.client("s3", **place), boto3.client("sqs", **place)
    jobs = sqs.get_queue_url(QueueName=os.environ["INPUT_QUEUE"])["QueueUrl"]
    done = sqs.get_queue_url(QueueName=os.environ["PROCESSED_QUEUE"])["QueueUrl"]
    while True:
        answer = sqs.receive_message(QueueUrl=jobs, MaxNumberOfMessages=1, WaitTimeSeconds=10)
        for message in answer.get("Messages", []):
            job = json.loads(message["Body"])
            data = s3.get_object(Bucket=job["bucket"], Key=job["key"])["Body"].read()
            gray = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
            _, page = cv2.threshold(gray, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
            _, png = cv2.imencode(".png", page)
            s3.put_object(Bucket=os.environ["PROCESSED_BUCKET"], Key=job["key"], Body=png.tobytes())
            sqs.send_message(
                QueueUrl=done,
                MessageBody=json.dumps({"image_id": job["image_id"], "status": "processed"}),
                MessageGroupId=job["image_id"],
                MessageDeduplicationId=job["image_id"],
            )
            sqs.delete_message(QueueUrl=jobs, ReceiptHandle=message["ReceiptHandle"])


if __name__ == "__main__":
    main()
