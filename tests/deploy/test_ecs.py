"""The ECS template against the image, the settings, the collector and every call that the code makes."""

import pytest
import yaml
from cfnlint.api import lint_file  # type: ignore[import-untyped]

from service.config import Settings
from service.limits import DEFAULT_TIMEOUTS
from service.llm.vendors import VENDORS
from tests.deploy.dockerfile import ROOT, USER, health_check
from tests.deploy.ecs import KEY_ARN, PREFIX, TEMPLATE, EcsStack
from tests.deploy.iam import Access, allowed, in_vain, statements
from tests.deploy.recording import OPERATOR_KEY_PARAMETER, Call, Needs, accesses
from tests.deploy.stack import ACCOUNT, REGION, observability

STACK = EcsStack()
OURS = [("ApiTask", "api"), ("WorkerTask", "worker")]
VENDOR_KEYS = [vendor.key_variable for vendor in VENDORS.values()]
TASKS = [task for task, _ in OURS]
COLLECTOR = yaml.safe_load((ROOT / "deploy/collector/ecs.yaml").read_text())

each_of_ours = pytest.mark.parametrize(("task", "name"), OURS)
each_task = pytest.mark.parametrize("task", TASKS)


@pytest.mark.slow
def test_the_linter_has_nothing_to_say() -> None:
    assert lint_file(TEMPLATE) == []


class TestContainers:
    @each_of_ours
    def test_it_starts_with_the_settings_it_is_given(self, task: str, name: str) -> None:
        environ = STACK.environ(task, name)

        settings = Settings.from_env(environ)  # refuses what it does not know

        assert settings.store == f"dynamodb://{PREFIX}"
        assert (settings.keys, settings.simulator) == ("ssm", "off")
        assert (settings.daily_cap_usd, settings.hourly_cap_usd) == (5.0, 1.0)
        assert settings.rounds == "off" or name == "worker"
        assert settings.trusted_proxies == (1 if name == "api" else 0)

    @each_of_ours
    def test_it_can_neither_write_nor_rise(self, task: str, name: str) -> None:
        container = STACK.container(task, name)

        assert container["User"] == f"{USER}:{USER}"
        assert container["ReadonlyRootFilesystem"] is True
        assert container["LinuxParameters"] == {"InitProcessEnabled": True, "Capabilities": {"Drop": ["ALL"]}}
        assert container["StopTimeout"] > 10

    def test_both_run_the_same_image_by_a_tag_that_must_be_named(self) -> None:
        images = {STACK.container(task, name)["Image"] for task, name in OURS}

        assert images == {f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/cloud-sayings:1.0"}
        assert "Default" not in STACK.template["Parameters"]["ImageTag"]
        assert [STACK.container(task, name)["Command"] for task, name in OURS] == [["service"], ["workers"]]

    def test_the_health_check_repeats_the_images_which_ecs_ignores(self) -> None:
        assert STACK.container("ApiTask", "api")["HealthCheck"]["Command"] == ["CMD", *health_check()]

    @each_task
    def test_no_key_is_in_a_task_definition(self, task: str) -> None:
        containers = STACK.properties(task)["ContainerDefinitions"]
        named = {entry["Name"] for container in containers for entry in container["Environment"]}

        assert not named & {*VENDOR_KEYS, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
        assert not [container for container in containers if "Secrets" in container]


class TestCollector:
    @each_task
    def test_it_gets_the_file_of_the_collector(self, task: str) -> None:
        assert yaml.safe_load(STACK.environ(task, "collector")["AOT_CONFIG_CONTENT"]) == COLLECTOR

    @each_of_ours
    def test_it_listens_where_the_others_send(self, task: str, name: str) -> None:
        endpoints = {protocol["endpoint"] for protocol in COLLECTOR["receivers"]["otlp"]["protocols"].values()}

        assert STACK.environ(task, name)["OTEL_EXPORTER_OTLP_ENDPOINT"].removeprefix("http://") in endpoints

    @each_task
    def test_its_end_ends_nothing_else_and_its_memory_is_enough(self, task: str) -> None:
        collector = STACK.container(task, "collector")

        assert collector["Essential"] is False
        assert collector["Memory"] > COLLECTOR["processors"]["memory_limiter"]["limit_mib"]
        assert not [c for c in STACK.properties(task)["ContainerDefinitions"] if "DependsOn" in c]

    def test_its_metrics_go_where_the_template_has_made_a_group(self) -> None:
        group = COLLECTOR["exporters"]["awsemf"]["log_group_name"]

        assert STACK.properties("MetricLogs")["LogGroupName"] == group
        # Which is why it has no right, and in its file no wish, to set how long the group is kept.
        assert "log_retention" not in COLLECTOR["exporters"]["awsemf"]


# The roles, against every call that the functions make in the same way. No container invokes another.
BY_ROLE = {"ApiRole": "ApiFunction", "WorkerRole": "WorkerFunction"}
SENT_BY_THE_COLLECTOR = [
    Access("xray:PutTraceSegments", "*"),
    Access("xray:PutTelemetryRecords", "*"),
    Access("logs:CreateLogStream", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/cloud-sayings/metrics:*"),
    Access("logs:PutLogEvents", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/cloud-sayings/metrics:*"),
]


ROLES = {role: statements(EcsStack(OperatorKeyParameterName=OPERATOR_KEY_PARAMETER), role) for role in BY_ROLE}
STATEMENTS = [(role, statement) for role, own in ROLES.items() for statement in own]


@pytest.fixture
def needed(recorded: dict[str, list[Call]]) -> Needs:
    return {
        role: accesses(filter(_is_made_by_containers, recorded[function]), KEY_ARN) + SENT_BY_THE_COLLECTOR
        for role, function in BY_ROLE.items()
    }


def _is_made_by_containers(call: Call) -> bool:
    """No container asks a function for a round, nor holds the lease for asking."""
    key = call.parameters.get("Key", {}).get("name", {})
    return call.service != "lambda" and key != {"S": "lease#round-trigger"}


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
class TestRoles:
    def test_every_call_is_allowed(self, role: str, needed: Needs) -> None:
        assert [access for access in needed[role] if not allowed(access, ROLES[role])] == []

    def test_no_statement_action_or_resource_is_granted_in_vain(self, role: str, needed: Needs) -> None:
        assert in_vain(ROLES[role], needed[role]) == []


def test_only_what_knows_no_resource_is_granted_on_all() -> None:
    everywhere = {statement.sid for _, statement in STATEMENTS if "*" in statement.resources}
    execution = {each.sid for each in statements(STACK, "ExecutionRole") if "*" in each.resources}

    assert everywhere == {"SendTraces"}
    assert execution == {"LogInToTheRegistry"}


class TestNetwork:
    def test_only_the_load_balancer_reaches_a_task(self) -> None:
        api, worker = STACK.properties("ApiGroup"), STACK.properties("WorkerGroup")

        assert [rule["SourceSecurityGroupId"] for rule in api["SecurityGroupIngress"]] == ["LoadBalancerGroup.GroupId"]
        assert "SecurityGroupIngress" not in worker

    def test_http_only_leads_to_https(self) -> None:
        (redirect,) = STACK.properties("HttpListener")["DefaultActions"]

        assert redirect["RedirectConfig"]["Protocol"] == "HTTPS"
        assert STACK.properties("HttpsListener")["Protocol"] == "HTTPS"

    def test_requests_outlast_deregistration_and_the_api_closes_last(self) -> None:
        targets = {each["Key"]: each["Value"] for each in STACK.properties("Targets")["TargetGroupAttributes"]}
        balancer = {each["Key"]: each["Value"] for each in STACK.properties("LoadBalancer")["LoadBalancerAttributes"]}

        longest, kept_alive = DEFAULT_TIMEOUTS.comparison, DEFAULT_TIMEOUTS.keep_alive
        assert float(targets["deregistration_delay.timeout_seconds"]) > longest
        assert longest < float(balancer["idle_timeout.timeout_seconds"]) < kept_alive


class TestServices:
    @pytest.mark.parametrize("service", ["ApiService", "WorkerService"])
    def test_a_failed_deployment_rolls_back_and_keeps_full_capacity(self, service: str) -> None:
        deployment = STACK.properties(service)["DeploymentConfiguration"]

        assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
        assert deployment["MinimumHealthyPercent"] == 100

    def test_a_new_version_under_which_requests_fail_is_rolled_back(self) -> None:
        deployment = STACK.properties("ApiService")["DeploymentConfiguration"]

        assert deployment["Alarms"] == {
            "Enable": True,
            "Rollback": True,
            "AlarmNames": ["Observability.Outputs.ServerErrors"],
        }
        assert "ServerErrors" in observability(STACK).template["Outputs"]

    def test_the_api_scales_by_requests_and_no_update_undoes_it(self) -> None:
        policy = STACK.properties("ApiScalingByRequests")["TargetTrackingScalingPolicyConfiguration"]

        assert policy["PredefinedMetricSpecification"]["PredefinedMetricType"] == "ALBRequestCountPerTarget"
        assert "DesiredCount" not in STACK.properties("ApiService")

    def test_every_log_group_is_kept_for_a_while_only(self) -> None:
        assert {group["RetentionInDays"] for group in STACK.of_type("AWS::Logs::LogGroup").values()} == {30}
