/** The families of AWS services, by what is in a service's name. */

const FAMILIES = {
  money: /Budgets|Cost|Savings|Optimizer|Marketplace/,
  database: /Dynamo|\bRDS|Aurora|ElastiCache|Neptune|DocumentDB|SimpleDB|Timestream|Database/,
  network: /VPC|CloudFront|Route 53|Gateway|Direct Connect|Accelerator|PrivateLink|Balancing|Ground Station/,
  security: /IAM|KMS|STS|Shield|WAF|GuardDuty|Inspector|Macie|Secrets|Certificate|HSM|Security|Cognito/,
  messages: /SQS|SNS|SES|MQ|MSK|EventBridge|Step Functions|AppSync|Amazon Connect|Kinesis|Firehose|IoT/,
  storage: /S3|EBS|EFS|FSx|Glacier|Backup|Snowball|Transfer/,
  data: /Athena|EMR|Glue|Quick|OpenSearch|Lake|MWAA|Redshift/,
  thinking: /Bedrock|SageMaker|Polly|Rekognition|Personalize|Transcribe|Braket/,
  tools: /Code|Cloud9|CDK|CLI|CloudShell|Amplify|X-Ray|Fault|CloudFormation/,
  compute: /EC2|Lambda|Fargate|Batch|Beanstalk|Lightsail|ECS|EKS|ECR|App Runner|Outposts|WorkSpaces/,
};

export type Family = keyof typeof FAMILIES | 'control';

/** The family of the first service; `control` for all that watch over others, and without a service. */
export function familyOf(services: readonly string[]): Family {
  const names = Object.keys(FAMILIES) as (keyof typeof FAMILIES)[];
  return names.find((name) => FAMILIES[name].test(services[0] ?? '')) ?? 'control';
}
