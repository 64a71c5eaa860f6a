"""The names of all metrics and attributes. Tests check that the collector files and the dashboard use the same ones."""

NAMESPACE = "CloudSayings"
SCOPE = "cloud-sayings"
# The version of the conventions whose names we use. X-Ray's exporter reads `rpc.system` and `peer.service`, which later
# versions call otherwise; the names below that are newer are those of the GenAI conventions, which have no schema yet.
SCHEMA_URL = "https://opentelemetry.io/schemas/1.37.0"

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
SIMULATED = "simulated"  # "true" or "false"

# Attributes of spans only
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS = "gen_ai.usage.cache_write.input_tokens"
REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"
MAX_TOKENS = "gen_ai.request.max_tokens"
OUTPUT_TYPE = "gen_ai.output.type"
PROMPT_NAME = "gen_ai.prompt.name"
PROMPT_VERSION = "gen_ai.prompt.version"
RESPONSE_ID = "gen_ai.response.id"
RESPONSE_MODEL = "gen_ai.response.model"
FINISH_REASONS = "gen_ai.response.finish_reasons"
# OpenInference's name of a model, which Phoenix and MLflow prefer to `gen_ai.request.model`.
MODEL_NAME = "llm.model_name"
SERVER_ADDRESS = "server.address"
SERVER_PORT = "server.port"
CLIENT_ADDRESS = "client.address"
USER_AGENT = "user_agent.original"
PEER_SERVICE = "peer.service"
HTTP_METHOD = "http.request.method"
HTTP_ROUTE = "http.route"
HTTP_STATUS = "http.response.status_code"
URL_PATH = "url.path"
URL_SCHEME = "url.scheme"
DB_SYSTEM = "db.system.name"
DB_OPERATION = "db.operation.name"
RPC_SYSTEM = "rpc.system"
RPC_SERVICE = "rpc.service"
RPC_METHOD = "rpc.method"
AWS_REGION = "aws.region"
AWS_REQUEST_ID = "aws.request_id"
AWS_TABLES = "aws.dynamodb.table_names"
EXCEPTION_TYPE = "exception.type"
EXCEPTION_MESSAGE = "exception.message"
EXCEPTION_STACK = "exception.stacktrace"
EVALUATION = "gen_ai.evaluation.result"
EVALUATION_NAME = "gen_ai.evaluation.name"
EVALUATION_LABEL = "gen_ai.evaluation.score.label"
EVALUATION_VALUE = "gen_ai.evaluation.score.value"

CHAT = "chat"
PROMPT = "sayings"  # the name of our only prompt
USER_FEEDBACK = "user_feedback"

# Attributes of our own, of spans only
REQUEST_NUMBER = "saying.request_number"
DEGRADED = "saying.degraded"
ERROR_CODE = "saying.error_code"
CALL_KIND = "saying.call_kind"
COST_USD = "saying.cost_usd"  # gen_ai.usage.cost.amount and .currency are a proposal only
SAYING_IDS = "saying.ids"
ATTEMPT = "saying.attempt"
FENCING_TOKEN = "saying.fencing_token"  # noqa: S105 - of a lease
AWS_SPAN_KIND = "aws.span.kind"
AWS_LOCAL_SERVICE = "aws.local.service"
XRAY_ANNOTATIONS = "aws.xray.annotations"
