// An upload endpoint as the documentation of Express and Multer has it: the file in memory, then S3,
// then SQS.
import { randomUUID } from 'node:crypto';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { GetQueueUrlCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import express from 'express';
import multer from 'multer';

const env = process.env;
const place = { endpoint: env.AWS_ENDPOINT_URL, region: 'us-east-1' };
const s3 = new S3Client({ ...place, forcePathStyle: true });
const sqs = new SQSClient(place);
const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: env.INPUT_QUEUE }));
const upload = multer({ storage: multer.memoryStorage() });
const app = express();

app.post('/upload', upload.single('image'), async (request, answer) => {
  const id = randomUUID();
  const job = { image_id: id, bucket: env.INPUT_BUCKET, key: `${id}.png` };
  await s3.send(new PutObjectCommand({ Bucket: job.bucket, Key: job.key, Body: request.file.buffer }));
  await sqs.send(new SendMessageCommand({
    QueueUrl, MessageBody: JSON.stringify(job), MessageGroupId: id, MessageDeduplicationId: id,
  }));
  answer.status(202).json({ image_id: id });
});
app.get('/healthz', (request, answer) => answer.json({ status: 'alive' }));
app.listen(Number(env.PORT), '127.0.0.1');
