// sqs-consumer and sharp, as their documentation has them: batches of ten, the images of a batch at
// the same time, and as many consumers as keep the CPUs busy. Eight bits a pixel, as sharp writes by
// default; with SHARP_BITS=1 one bit, which it writes only through its quantizer.
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { GetQueueUrlCommand, SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs';
import { Consumer } from 'sqs-consumer';
import sharp from 'sharp';

const CONSUMERS = 2;
const env = process.env;
const PNG = env.SHARP_BITS === '1' ? { palette: true, colours: 2, dither: 0 } : {};
const place = { endpoint: env.AWS_ENDPOINT_URL, region: 'us-east-1' };
const s3 = new S3Client({ ...place, forcePathStyle: true });
const sqs = new SQSClient(place);
const urlOf = async (name) => (await sqs.send(new GetQueueUrlCommand({ QueueName: name }))).QueueUrl;
const [queueUrl, doneUrl] = [await urlOf(env.INPUT_QUEUE), await urlOf(env.PROCESSED_QUEUE)];

async function binarize(message) {
  const job = JSON.parse(message.Body);
  const found = await s3.send(new GetObjectCommand({ Bucket: job.bucket, Key: job.key }));
  const page = await sharp(await found.Body.transformToByteArray())
    .grayscale().threshold(128).png(PNG).toBuffer();
  await s3.send(new PutObjectCommand({ Bucket: env.PROCESSED_BUCKET, Key: job.key, Body: page }));
  return job.image_id;
}

async function handleMessageBatch(messages) {
  const ids = await Promise.all(messages.map(binarize));
  await sqs.send(new SendMessageBatchCommand({
    QueueUrl: doneUrl,
    Entries: ids.map((id, n) => ({
      Id: String(n), MessageBody: JSON.stringify({ image_id: id, status: 'processed' }),
      MessageGroupId: id, MessageDeduplicationId: id,
    })),
  }));
  return messages;
}

for (let n = 0; n < CONSUMERS; n += 1) {
  Consumer.create({ queueUrl, sqs, batchSize: 10, handleMessageBatch, suppressFifoWarning: true }).start();
}
