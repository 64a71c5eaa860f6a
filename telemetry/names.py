"""The names of all metrics and attributes. Tests check that the collector files and the dashboard use the same ones."""

NAMESPACE = "CloudSayings"
SCOPE = "cloud-sayings"

# Metrics
TOTAL_EXECUTION_TIME = "TotalExecutionTime"
API_LATENCY = "APILatency"
TOKENS_USED = "TokensUsed"
COST = "Cost"
FEEDBACK = "Feedback"
FALLBACKS = "Fallbacks"
ERRORS = "Errors"
POOL_SIZE = "PoolSize"
ROUNDS_OVERDUE = "RoundsOverdue"
ROUND_SAYINGS = "RoundSayings"
SAYINGS_REFUSED = "SayingsRefused"
SPEND_RESERVED = "SpendReserved"
MODEL_DAYS_LEFT = "ModelDaysLeft"
TELEMETRY_DROPPED = "TelemetryDropped"
GEN_AI_OPERATION_DURATION = "gen_ai.client.operation.duration"
GEN_AI_TOKEN_USAGE = "gen_ai.client.token.usage"  # noqa: S105 - of language models

# Attributes of metrics and spans. Metrics have no others, so that the number of series is bounded.
OPERATION = "operation"
ORIGIN = "saying.origin"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
GEN_AI_OPERATION = "gen_ai.operation.name"
TOKEN_TYPE = "gen_ai.token.type"  # noqa: S105
ERROR_TYPE = "error.type"

# Attributes of spans only
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
RESPONSE_ID = "gen_ai.response.id"
FINISH_REASONS = "gen_ai.response.finish_reasons"
PEER_SERVICE = "peer.service"
HTTP_METHOD = "http.request.method"
HTTP_ROUTE = "http.route"
HTTP_STATUS = "http.response.status_code"
URL_PATH = "url.path"
DB_SYSTEM = "db.system.name"
DB_OPERATION = "db.operation.name"
RPC_SYSTEM = "rpc.system"
RPC_SERVICE = "rpc.service"
RPC_METHOD = "rpc.method"
AWS_REGION = "aws.region"
AWS_TABLES = "aws.dynamodb.table_names"
EXCEPTION_TYPE = "exception.type"
EXCEPTION_MESSAGE = "exception.message"
EXCEPTION_STACK = "exception.stacktrace"
EVALUATION = "gen_ai.evaluation.result"
EVALUATION_NAME = "gen_ai.evaluation.name"
EVALUATION_LABEL = "gen_ai.evaluation.score.label"
EVALUATION_VALUE = "gen_ai.evaluation.score.value"

CHAT = "chat"
USER_FEEDBACK = "user_feedback"

# Attributes of our own, of spans only
REQUEST_NUMBER = "saying.request_number"
DEGRADED = "saying.degraded"
CALL_KIND = "saying.call_kind"
ATTEMPT = "saying.attempt"
FENCING_TOKEN = "saying.fencing_token"  # noqa: S105 - of a lease
AWS_SPAN_KIND = "aws.span.kind"
AWS_LOCAL_SERVICE = "aws.local.service"
XRAY_ANNOTATIONS = "aws.xray.annotations"
