"""The ECS template against the image, the settings, the collector and every call that the code makes."""

import re

import pytest
import yaml
from cfnlint.api import lint_file  # type: ignore[import-untyped]

from service.cli.checking import check
from service.cli.commands import parse
from service.config import Settings
from service.limits import DEFAULT_TIMEOUTS
from service.llm.vendors import VENDORS
from tests.deploy.dockerfile import ROOT, USER, health_check
from tests.deploy.ecs import KEY_ARN, PREFIX, TEMPLATE, EcsStack
from tests.deploy.iam import Access, allowed, in_vain, statements
from tests.deploy.recording import OPERATOR_KEY_PARAMETER, Call, Needs, accesses
from tests.deploy.stack import ACCOUNT, REGION, Stack, observability

STACK = EcsStack()
SENDING_OTLP = EcsStack(TelemetryPath="otlp")
OURS = [("ApiTask", "api"), ("WorkerTask", "worker")]
VENDOR_KEYS = [vendor.key_variable for vendor in VENDORS.values()]
TASKS = [task for task, _ in OURS]
COLLECTOR = yaml.safe_load((ROOT / "deploy/collector/ecs.yaml").read_text())
OTLP = yaml.safe_load((ROOT / "deploy/collector/ecs-otlp.yaml").read_text())

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

    def test_all_run_the_same_image_by_a_tag_that_must_be_named(self) -> None:
        images = {STACK.container(task, name)["Image"] for task, name in [*OURS, ("ApiTask", "gate")]}

        assert images == {f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/cloud-sayings:1.0"}
        assert "Default" not in STACK.template["Parameters"]["ImageTag"]
        assert [STACK.container(task, name)["Command"] for task, name in OURS] == [["service"], ["workers"]]

    def test_the_health_check_repeats_the_images_which_ecs_ignores(self) -> None:
        assert STACK.container("ApiTask", "api")["HealthCheck"]["Command"] == ["CMD", *health_check()]

    @pytest.mark.parametrize("proxies", [1, 2])
    def test_the_trusted_proxies_are_chosen(self, proxies: int) -> None:
        environ = EcsStack(TrustedProxies=str(proxies)).environ("ApiTask", "api")

        assert Settings.from_env(environ).trusted_proxies == proxies

    def test_what_is_forwarded_can_be_bound_to_a_secret(self) -> None:
        digests = "a" * 64, "b" * 64
        environ = EcsStack(OriginSecretDigests=",".join(digests)).environ("ApiTask", "api")

        assert Settings.from_env(environ).origin_secret_digests == tuple(map(bytes.fromhex, digests))

    @each_task
    def test_no_key_is_in_a_task_definition(self, task: str) -> None:
        containers = STACK.properties(task)["ContainerDefinitions"]
        named = {entry["Name"] for container in containers for entry in container["Environment"]}

        assert not named & {*VENDOR_KEYS, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
        assert not [container for container in containers if "Secrets" in container]


class TestGate:
    """Readiness is asked before the API starts, and never again: tasks stay while the tables are down."""

    def test_the_api_starts_only_if_votes_can_be_stored(self) -> None:
        gate, api = STACK.container("ApiTask", "gate"), STACK.container("ApiTask", "api")

        assert api["DependsOn"] == [{"ContainerName": "gate", "Condition": "SUCCESS"}]
        assert parse(gate["Command"][1:]).run is check
        assert gate["Essential"] is False

    def test_the_gate_looks_at_the_tables_of_the_api(self) -> None:
        gate, api = (Settings.from_env(STACK.environ("ApiTask", name)) for name in ("gate", "api"))

        assert (gate.store, gate.aws_region) == (api.store, api.aws_region)

    def test_no_health_check_asks_for_readiness(self) -> None:
        container = STACK.container("ApiTask", "api")["HealthCheck"]["Command"]

        assert STACK.properties("Targets")["HealthCheckPath"] == "/health/live"
        assert not [word for word in container if "/health/ready" in word]


class TestCollector:
    @each_task
    def test_it_gets_the_file_of_the_collector(self, task: str) -> None:
        assert yaml.safe_load(STACK.environ(task, "collector")["COLLECTOR"]) == COLLECTOR
        assert STACK.container(task, "collector")["Command"] == ["--config=env:COLLECTOR"]

    @each_task
    def test_to_send_otlp_a_second_file_is_laid_over_it(self, task: str) -> None:
        environ = SENDING_OTLP.environ(task, "collector")

        assert yaml.safe_load(environ["COLLECTOR"]) == COLLECTOR
        assert yaml.safe_load(environ["COLLECTOR_OTLP"]) == OTLP
        assert SENDING_OTLP.container(task, "collector")["Command"] == [
            "--config=env:COLLECTOR", "--config=env:COLLECTOR_OTLP",
        ]  # fmt: skip

    @each_task
    def test_it_knows_every_variable_of_its_files(self, task: str) -> None:
        named = set(re.findall(r"\$\{env:(\w+)\}", f"{COLLECTOR} {OTLP}"))

        assert named <= STACK.environ(task, "collector").keys()

    @each_of_ours
    def test_it_listens_where_the_others_send(self, task: str, name: str) -> None:
        endpoints = {protocol["endpoint"] for protocol in COLLECTOR["receivers"]["otlp"]["protocols"].values()}

        assert STACK.environ(task, name)["OTEL_EXPORTER_OTLP_ENDPOINT"].removeprefix("http://") in endpoints

    @each_task
    def test_its_end_ends_nothing_else_and_its_memory_is_enough(self, task: str) -> None:
        collector = STACK.container(task, "collector")

        assert collector["Essential"] is False
        assert collector["Memory"] > COLLECTOR["processors"]["memory_limiter"]["limit_mib"]
        containers = STACK.properties(task)["ContainerDefinitions"]
        assert "collector" not in {each["ContainerName"] for c in containers for each in c.get("DependsOn", [])}

    @each_task
    def test_its_metrics_go_where_the_template_has_made_a_group(self, task: str) -> None:
        assert COLLECTOR["exporters"]["awsemf"]["log_group_name"] == "${env:METRICS_LOG_GROUP}"
        group = STACK.environ(task, "collector")["METRICS_LOG_GROUP"]

        assert STACK.properties("MetricLogs")["LogGroupName"] == group
        # Which is why it has no right, and in its file no wish, to set how long the group is kept.
        assert "log_retention" not in COLLECTOR["exporters"]["awsemf"]


# The roles, against every call that the functions make in the same way. No container invokes another.
BY_ROLE = {"ApiRole": "ApiFunction", "WorkerRole": "WorkerFunction"}
METRIC_LINES = [
    Access("logs:CreateLogStream", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/ecs/sayings/metrics:*"),
    Access("logs:PutLogEvents", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/ecs/sayings/metrics:*"),
]
SENT_BY_THE_COLLECTOR = {
    "emf": [*METRIC_LINES, Access("xray:PutTraceSegments", "*"), Access("xray:PutTelemetryRecords", "*")],
    # What the OTLP endpoints are taken to need, from AWS's documentation. No account has shown it.
    "otlp": [
        *METRIC_LINES, Access("cloudwatch:PutMetricData", "*"), Access("xray:PutSpans", "*"),
        Access("xray:PutSpansForIndexing", "*"), Access("xray:PutTraceSegments", "*"),
    ],
}  # fmt: skip

STACKS = {
    path: EcsStack(TelemetryPath=path, OperatorKeyParameterName=OPERATOR_KEY_PARAMETER)
    for path in SENT_BY_THE_COLLECTOR
}
ROLES = {(path, role): statements(stack, role) for path, stack in STACKS.items() for role in BY_ROLE}


@pytest.fixture
def needed(recorded: dict[str, list[Call]]) -> Needs:
    return {
        role: accesses(filter(_is_made_by_containers, recorded[function]), KEY_ARN)
        for role, function in BY_ROLE.items()
    }


def _is_made_by_containers(call: Call) -> bool:
    """No container asks a function for a round, nor holds the lease for asking."""
    key = call.parameters.get("Key", {}).get("name", {})
    return call.service != "lambda" and key != {"S": "lease#round-trigger"}


@pytest.mark.slow
@pytest.mark.parametrize(("path", "role"), ROLES)
class TestRoles:
    def test_every_call_is_allowed(self, path: str, role: str, needed: Needs) -> None:
        made = needed[role] + SENT_BY_THE_COLLECTOR[path]

        assert [access for access in made if not allowed(access, ROLES[path, role])] == []

    def test_no_statement_action_or_resource_is_granted_in_vain(self, path: str, role: str, needed: Needs) -> None:
        assert in_vain(ROLES[path, role], needed[role] + SENT_BY_THE_COLLECTOR[path]) == []


def test_only_ecs_of_this_account_and_region_may_take_a_role() -> None:
    trusted = [
        statement
        for role in STACK.of_type("AWS::IAM::Role").values()
        for statement in role["AssumeRolePolicyDocument"]["Statement"]
    ]

    assert len(trusted) == 3
    for statement in trusted:
        assert statement["Condition"] == {
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
            "ArnLike": {"aws:SourceArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:*"},
        }


def test_only_what_knows_no_resource_is_granted_on_all() -> None:
    everywhere = {statement.sid for own in ROLES.values() for statement in own if "*" in statement.resources}
    execution = {each.sid for each in statements(STACK, "ExecutionRole") if "*" in each.resources}

    assert everywhere == {"SendTraces", "SendOtlp"}
    assert execution == {"LogInToTheRegistry"}


class TestNetwork:
    def test_only_the_load_balancer_reaches_a_task(self) -> None:
        api, worker = STACK.properties("ApiGroup"), STACK.properties("WorkerGroup")

        assert [rule["SourceSecurityGroupId"] for rule in api["SecurityGroupIngress"]] == ["LoadBalancerGroup.GroupId"]
        assert "SecurityGroupIngress" not in worker

    def test_the_clients_are_those_of_the_prefix_list_if_there_is_one(self) -> None:
        everybody = STACK.properties("LoadBalancerGroup")["SecurityGroupIngress"]
        listed = EcsStack(ClientPrefixListId="pl-1").properties("LoadBalancerGroup")["SecurityGroupIngress"]

        assert [(rule["FromPort"], rule["CidrIp"]) for rule in everybody] == [(443, "0.0.0.0/0"), (80, "0.0.0.0/0")]
        assert [(rule["FromPort"], rule["SourcePrefixListId"]) for rule in listed] == [(443, "pl-1")]

    @pytest.mark.parametrize(
        ("web_acl", "own", "associated"),
        [("off", [], []), ("on", ["Firewall"], [STACK.arn("Firewall")]), ("arn:another", [], ["arn:another"])],
    )
    def test_a_firewall_is_its_own_or_anothers(self, web_acl: str, own: list[str], associated: list[str]) -> None:
        stack = EcsStack(WebAcl=web_acl)

        assert list(stack.of_type("AWS::WAFv2::WebACL")) == own
        associations = stack.of_type("AWS::WAFv2::WebACLAssociation").values()
        assert [(each["ResourceArn"], each["WebACLArn"]) for each in associations] == [
            ("LoadBalancer", arn) for arn in associated
        ]

    def test_the_firewall_has_the_rules_of_cloudfronts(self) -> None:
        regional, global_ = (stack.properties("Firewall") for stack in (STACK, Stack()))

        assert [rule for rule in global_["Rules"] if rule not in regional["Rules"]] == []
        assert (regional["Scope"], global_["Scope"]) == ("REGIONAL", "CLOUDFRONT")

    def test_requests_are_logged_where_only_this_accounts_load_balancers_write(self) -> None:
        stack = EcsStack(AccessLog="on")
        attributes = {each["Key"]: each["Value"] for each in stack.properties("LoadBalancer")["LoadBalancerAttributes"]}
        write, refuse = stack.properties("RequestLogPolicy")["PolicyDocument"]["Statement"]

        assert (attributes["access_logs.s3.enabled"], attributes["access_logs.s3.bucket"]) == (
            "true",
            "RequestLogPolicy",
        )
        assert write["Resource"].endswith(f"/AWSLogs/{ACCOUNT}/*")
        assert write["Condition"]["ArnLike"]["aws:SourceArn"].startswith(
            f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:"
        )
        assert (refuse["Effect"], refuse["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})

    def test_requests_are_not_logged_unless_that_is_chosen(self) -> None:
        attributes = {each["Key"]: each["Value"] for each in STACK.properties("LoadBalancer")["LoadBalancerAttributes"]}

        assert attributes["access_logs.s3.enabled"] == "false"
        assert "access_logs.s3.bucket" not in attributes
        assert STACK.of_type("AWS::S3::Bucket") == {}

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

    def test_an_alarm_rolls_a_deployment_of_the_api_back_within_minutes(self) -> None:
        alarms = STACK.properties("ApiService")["DeploymentConfiguration"]["Alarms"]
        names = [name.removeprefix("Observability.Outputs.") for name in alarms["AlarmNames"]]
        nested = observability(STACK)

        assert (alarms["Enable"], alarms["Rollback"]) == (True, True)
        assert [nested.resolve(nested.template["Outputs"][name]["Value"]) for name in names] == names
        for name in names:  # ECS goes on watching for as long as an alarm looks back
            alarm = nested.properties(name)
            period = alarm["Period"] if "Period" in alarm else alarm["Metrics"][1]["MetricStat"]["Period"]
            assert period * alarm["EvaluationPeriods"] <= 300

    def test_the_api_scales_by_requests_and_no_update_undoes_it(self) -> None:
        policy = STACK.properties("ApiScalingByRequests")["TargetTrackingScalingPolicyConfiguration"]

        assert policy["PredefinedMetricSpecification"]["PredefinedMetricType"] == "ALBRequestCountPerTarget"
        assert "DesiredCount" not in STACK.properties("ApiService")

    def test_every_log_group_is_kept_for_a_while_only(self) -> None:
        assert {group["RetentionInDays"] for group in STACK.of_type("AWS::Logs::LogGroup").values()} == {30}


def test_two_stacks_share_no_name() -> None:
    one, another = (EcsStack(WebAcl="on", **{"AWS::StackName": name}) for name in ("one", "another"))

    assert names_of(one)
    assert names_of(one) & names_of(another) == set()


def names_of(stack: EcsStack) -> set[str]:
    """The names that the template gives to its resources itself, and not CloudFormation."""
    given = {"LogGroupName", "Family", "ClusterName", "ServiceName", "RoleName", "BucketName", "Name"}
    properties = (resource.get("Properties", {}) for resource in stack.resources.values())
    return {stack.resolve(each[key]) for each in properties for key in given & each.keys()}
