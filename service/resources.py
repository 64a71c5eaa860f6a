"""The composition root: the server, the Lambda handlers and the workers all build their parts here."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from service.api.dispatcher import Dispatcher
from service.api.endpoints import Endpoints
from service.api.operators import OperatorKey
from service.api.readiness import Readiness
from service.api.voter_cookie import VoterCookie
from service.aws.clients import AwsClients
from service.aws.worker_function import WorkerFunction
from service.catalogue.line_up import LineUp
from service.catalogue.models import NANOS_PER_DOLLAR, Catalogue, Model, load_catalogue
from service.catalogue.topics import Topics, load_topics
from service.config import Settings
from service.errors import ConfigError
from service.keys.key_store import KeyStore
from service.llm.billing import Budget, CallRecorder
from service.llm.concurrency import LiveCalls
from service.llm.gateway import Gateway
from service.llm.gone_models import GoneModels
from service.llm.model_watch import ModelWatch
from service.llm.parse import Parser
from service.llm.vendors import VENDORS, Adapters, Vendors
from service.page.address import PublicAddress
from service.page.cards import Cards
from service.page.document import read_document
from service.page.pages import Pages
from service.participants import Participants, open_operator_keys, open_participants
from service.sayings.browsing import Browsing
from service.sayings.flow import Flow
from service.sayings.pool import Pool
from service.sayings.pool_filler import PoolFiller, PoolGauge
from service.sayings.ranking import Ranking
from service.sayings.round_trigger import RoundTrigger
from service.sayings.serve_counter import ServeCounter
from service.sayings.takedowns import Takedowns
from service.sayings.voter_memory import VoterMemory
from service.statistics.cached import Statistics
from service.store.address import open_store
from service.store.base import Spend, Store
from service.voting.comparison_votes import ComparisonVotes
from service.voting.comparisons import Comparisons
from service.voting.day_secrets import DaySecrets
from service.voting.forgetting import Forgetting
from service.voting.moderation import Moderation
from service.voting.networks import VoterNetworks
from service.voting.pruning import Pruning
from service.voting.saying_votes import SayingVotes
from service.voting.showing import Showing
from service.voting.tokens import VoteTokens
from telemetry.events import Listener

DEFAULT_STORE = "sqlite:///sayings.db"
# Simulated sayings have a store of their own, so that a later run with real keys does not serve them.
DEFAULT_SIMULATED_STORE = "sqlite:///sayings-simulated.db"


@dataclass(frozen=True, slots=True)
class Resources:
    """Everything that a process works with. `line_up` has the models that take part in live calls and rounds."""

    settings: Settings
    listener: Listener
    aws: AwsClients
    vendors: Vendors
    catalogue: Catalogue
    topics: Topics
    line_up: LineUp
    simulated: bool
    store: Store
    pool: Pool
    gateway: Gateway
    filler: PoolFiller
    round_trigger: RoundTrigger | None
    serves: ServeCounter
    gauge: PoolGauge
    takedowns: Takedowns
    secrets: DaySecrets
    comparison_votes: ComparisonVotes
    gone_models: GoneModels
    model_watch: ModelWatch
    pruning: Pruning
    ranking: Ranking
    endpoints: Endpoints
    pages: Pages | None
    dispatcher: Dispatcher

    def preload(self) -> None:
        """Begin to load, in threads, what the first answers do not need, such as the SDKs. Waits for nothing."""
        self.gateway.preload(self.line_up)
        if self.pages is not None:
            self.pages.preload()


@asynccontextmanager
async def open_resources(
    settings: Settings, environ: Mapping[str, str], listener: Listener, vendors: Vendors = VENDORS
) -> AsyncIterator[Resources]:
    """Open everything that the settings ask for, and close it again, even when the start fails half-way.

    Raises ConfigError.
    """
    async with AsyncExitStack() as stack:
        timeouts = settings.timeouts
        catalogue = load_catalogue(vendors, settings.catalogue)
        topics = load_topics()
        aws = AwsClients(settings.aws_region, stack, listener, outbound=settings.outbound, timeouts=timeouts)
        participants = await open_participants(settings, environ, catalogue, vendors, aws, stack)
        line_up = _line_up(settings, catalogue, participants)
        address = _store_address(settings, simulated=participants.simulated)
        store = await open_store(
            address, aws, stack, listener, quotas=settings.quotas, timeouts=timeouts, limits=settings.limits
        )

        gone = GoneModels(line_up, store, listener, timeouts=timeouts)
        stack.push_async_callback(gone.close)
        gateway = _open_gateway(settings, vendors, catalogue, topics, participants, store, gone.report, listener, stack)
        pool = Pool(ttl=settings.pool_ttl_seconds)
        takedowns = Takedowns(store, pool, listener, timeouts=timeouts, limits=settings.limits)
        filler = PoolFiller(
            pool,
            store,
            line_up,
            listener,
            ttl=settings.pool_ttl_seconds,
            simulated=participants.simulated,
            overdue_after=2 * settings.round_interval_seconds,
            timeouts=timeouts,
        )
        gauge = PoolGauge(
            pool, line_up, gateway.is_failing, listener, simulated=participants.simulated, timeouts=timeouts
        )
        serves = ServeCounter(store, listener, timeouts=timeouts)
        stack.push_async_callback(serves.flush)
        flow = Flow(
            pool=pool,
            store=store,
            gateway=gateway,
            serves=serves,
            listener=listener,
            topics=topics,
            models=line_up,
            live_every=settings.live_every,
            last_resort=settings.last_resort == "on",
            withdrawn=takedowns,
            timeouts=timeouts,
        )
        browsing = Browsing(
            store,
            topics,
            catalogue,
            listener,
            simulated=participants.simulated,
            withdrawn=takedowns,
            timeouts=timeouts,
            limits=settings.limits,
        )
        stack.push_async_callback(browsing.close)
        worker = settings.worker_function
        round_trigger = (
            None
            if worker is None
            else RoundTrigger(WorkerFunction(worker, aws).invoke, store, listener, timeouts=timeouts)
        )
        memory = VoterMemory(settings.limits)
        secrets = DaySecrets(store, listener, timeouts=timeouts)
        tokens, networks = VoteTokens(secrets), VoterNetworks(secrets)
        saying_votes = SayingVotes(
            store,
            catalogue,
            listener,
            tokens=tokens,
            networks=networks,
            memory=memory,
            models=lambda: pool.contributors,
            withdrawn=takedowns,
            timeouts=timeouts,
        )
        stack.push_async_callback(saying_votes.close)
        moderation = Moderation(store, takedowns, listener, timeouts=timeouts, limits=settings.limits)
        stack.push_async_callback(moderation.close)
        comparisons = Comparisons(
            gateway=gateway,
            store=store,
            listener=listener,
            topics=topics,
            models=line_up,
            simulated=participants.simulated,
            withdrawn=takedowns,
            timeouts=timeouts,
        )
        stack.push_async_callback(comparisons.close)
        comparison_votes = ComparisonVotes(
            store, pool, topics, networks, listener, withdrawn=takedowns, timeouts=timeouts
        )
        stack.push_async_callback(comparison_votes.close)
        forgetting = Forgetting(store, memory, listener, timeouts=timeouts)
        stack.push_async_callback(forgetting.close)
        statistics = Statistics(
            store=store,
            line_up=line_up,
            simulated=participants.simulated,
            listener=listener,
            timeouts=timeouts,
        )
        stack.push_async_callback(statistics.close)
        endpoints = Endpoints(
            flow=flow,
            browsing=browsing,
            showing=Showing(memory, tokens, topics),
            saying_votes=saying_votes,
            moderation=moderation,
            operator_key=await _open_operator_key(settings, environ, aws, listener, stack),
            comparisons=comparisons,
            comparison_votes=comparison_votes,
            forgetting=forgetting,
            statistics=statistics,
            catalogue=catalogue,
            topics=topics,
            line_up=line_up,
            simulated=participants.simulated,
            readiness=Readiness(
                store.ping,
                listener,
                are_rounds_overdue=lambda: filler.is_overdue,
                are_credentials_ending=lambda: aws.are_credentials_ending,
                timeouts=timeouts,
            ),
            cookie=VoterCookie(settings.origins),
            timeouts=timeouts,
        )
        pages = _pages(settings, browsing)
        yield Resources(
            settings=settings,
            listener=listener,
            aws=aws,
            vendors=vendors,
            catalogue=catalogue,
            topics=topics,
            line_up=line_up,
            simulated=participants.simulated,
            store=store,
            pool=pool,
            gateway=gateway,
            filler=filler,
            round_trigger=round_trigger,
            serves=serves,
            gauge=gauge,
            takedowns=takedowns,
            secrets=secrets,
            comparison_votes=comparison_votes,
            gone_models=gone,
            model_watch=ModelWatch(
                line_up, gateway, store, listener, simulated=participants.simulated, timeouts=timeouts
            ),
            pruning=Pruning(store, listener, timeouts=timeouts),
            ranking=Ranking(store, listener, simulated=participants.simulated, timeouts=timeouts),
            endpoints=endpoints,
            pages=pages,
            dispatcher=_open_dispatcher(settings, endpoints, pages, listener),
        )


def _pages(settings: Settings, browsing: Browsing) -> Pages | None:
    document = read_document()
    if document is None:
        return None
    address = PublicAddress(settings.public_url)
    return Pages(document, browsing.saying, Cards(limits=settings.limits), address)


def _open_dispatcher(settings: Settings, endpoints: Endpoints, pages: Pages | None, listener: Listener) -> Dispatcher:
    return Dispatcher(
        endpoints.routes + pages.routes if pages else endpoints.routes,
        listener,
        allowed_origins=settings.origins,
        error_page=pages.error_page if pages else None,
        rates=settings.rates,
        limits=settings.limits,
    )


def _open_gateway(
    settings: Settings,
    vendors: Vendors,
    catalogue: Catalogue,
    topics: Topics,
    participants: Participants,
    store: Store,
    on_gone: Callable[[Model], None],
    listener: Listener,
    stack: AsyncExitStack,
) -> Gateway:
    """Open the gateway with the keys, the adapters, the spend caps and the limit on live calls."""
    keys = KeyStore(participants.keys, listener, ttl=settings.key_ttl_seconds, timeouts=settings.timeouts)
    stack.push_async_callback(keys.close)
    adapters = Adapters(vendors, participants.simulator_url, outbound=settings.outbound)
    stack.push_async_callback(adapters.close)
    gateway = Gateway(
        adapters,
        keys,
        Budget(store, listener, caps=_caps(settings), timeouts=settings.timeouts),
        CallRecorder(store, listener, timeouts=settings.timeouts),
        listener,
        live_calls=LiveCalls(settings.max_live_calls),
        catalogue=catalogue,
        topics=topics,
        parser=Parser(topics, [vendor.telltale for vendor in vendors.values()]),
        key_parameters=settings.key_parameters,
        simulated=participants.simulated,
        on_gone=on_gone,
    )
    stack.push_async_callback(gateway.close)
    return gateway


async def _open_operator_key(
    settings: Settings, environ: Mapping[str, str], aws: AwsClients, listener: Listener, stack: AsyncExitStack
) -> OperatorKey | None:
    found = await open_operator_keys(settings, environ, aws)
    if found is None:
        return None
    source, name = found
    keys = KeyStore(source, listener, ttl=settings.key_ttl_seconds, timeouts=settings.timeouts)
    stack.push_async_callback(keys.close)
    return OperatorKey(keys, name)


def _line_up(settings: Settings, catalogue: Catalogue, participants: Participants) -> LineUp:
    chosen = settings.chosen_models
    if unknown := next((model for model in chosen if model not in catalogue), None):
        raise ConfigError("SAYINGS_LINE_UP", f"{unknown!r} is no model of the catalogue")
    if len(set(chosen)) < len(chosen):
        raise ConfigError("SAYINGS_LINE_UP", "names a model twice")
    return LineUp(catalogue, {model.id for model in participants.models}, chosen=chosen)


def _caps(settings: Settings) -> Spend:
    return Spend(
        day=round(settings.daily_cap_usd * NANOS_PER_DOLLAR), hour=round(settings.hourly_cap_usd * NANOS_PER_DOLLAR)
    )


def _store_address(settings: Settings, *, simulated: bool) -> str:
    return settings.store or (DEFAULT_SIMULATED_STORE if simulated else DEFAULT_STORE)
