import { expect, it } from 'vitest';
import services from '../../../service/data/services.json';
import { familyOf } from './families';

it.each([
  ['Amazon S3', 'storage'],
  ['Amazon EC2', 'compute'],
  ['AWS Lambda', 'compute'],
  ['Amazon DynamoDB', 'database'],
  ['AWS Database Migration Service', 'database'],
  ['AWS Direct Connect', 'network'],
  ['Amazon Connect', 'messages'],
  ['AWS Compute Optimizer', 'money'],
  ['AWS IAM Identity Center', 'security'],
  ['AWS Lake Formation', 'data'],
  ['AWS CloudFormation', 'tools'],
  ['Amazon Bedrock', 'thinking'],
  ['Amazon CloudWatch', 'control'],
])('%s belongs to %s', (service, family) => {
  expect(familyOf([service])).toBe(family);
});

it('most services have a family of their own kind', () => {
  const control = services.map(({ name }) => name).filter((name) => familyOf([name]) === 'control');

  expect(control).toEqual([
    'AWS CloudTrail',
    'AWS Config',
    'AWS Control Tower',
    'AWS Health Dashboard',
    'AWS Management Console',
    'AWS Organizations',
    'AWS Support',
    'AWS Systems Manager',
    'AWS Trusted Advisor',
    'AWS Well-Architected Tool',
    'Amazon CloudWatch',
  ]);
});

it('a saying without a service has a family as well', () => {
  expect(familyOf([])).toBe('control');
});
