"""Every guard, what the code would be without it, and the tests that must notice.

By hand, because tools that mutate at random leave out what most guards here are: conditions in texts at the top of a
module, and the bodies of decorated context managers.
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    CAP = "cap"
    LEASE = "lease"
    IDEMPOTENCY = "idempotency"
    BREAKER = "breaker"
    LIMIT = "limit"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class Removal:
    """`text` is in `file` exactly once; with `instead` in its place pytest, given the words of `tests`, must fail."""

    kind: Kind
    guard: str
    file: str
    text: str
    instead: str
    tests: str


BUDGET = "service/llm/billing.py"
GATEWAY = "service/llm/gateway.py"
BREAKER = "service/llm/breaker.py"
VOTING = "service/voting/guard.py"
BALLOTS = "service/voting/comparison_votes.py"
FEEDBACK = "service/voting/saying_votes.py"
PATIENCE = "service/resilience/timeouts.py"
LIMITS = "service/api/rate_limits.py"
FLEET = "workers/fleet.py"
ROUND = "workers/round.py"
SQL = "service/store/sqlite/coordination.py"
SQL_VOTES = "service/store/sqlite/votes.py"
SQL_BURSTS = "service/store/sqlite/bursts.py"
SQL_COMPARISONS = "service/store/sqlite/comparisons.py"
SQL_SAYINGS = "service/store/sqlite/sayings.py"
WRITES = "service/store/dynamodb/writes.py"
DYNAMO = "service/store/dynamodb/coordination.py"
DYNAMO_VOTES = "service/store/dynamodb/votes.py"
DYNAMO_BURSTS = "service/store/dynamodb/bursts.py"

IN_SQLITE = "tests/store/test_contract.py -k 'sqlite and {}'"
IN_DYNAMO = "tests/store/test_contract.py -k 'dynamodb and {}'"

CAPS = [
    Removal(
        Kind.CAP,
        "a refused reservation is an error",
        BUDGET,
        '            raise BudgetExhausted("The spend cap leaves no room for this.")\n',
        "            held = Spend(0, 0)\n",
        "tests/test_budget.py -k 'last_nanodollar'",
    ),
    Removal(
        Kind.CAP,
        "money set aside for several calls is taken once by each",
        BUDGET,
        "self._amounts.pop(name, None)",
        "self._amounts.get(name)",
        "tests/test_budget.py -k takes_its_own_once",
    ),
    Removal(
        Kind.CAP,
        "what no call has taken is given back once",
        BUDGET,
        "        self._amounts.clear()\n",
        "",
        "tests/test_budget.py -k takes_its_own_once",
    ),
    Removal(
        Kind.CAP,
        "the cap of the day, SQLite",
        SQL,
        "spent.day + amount > caps.day or ",
        "",
        IN_SQLITE.format("the_hour_and_the_day"),
    ),
    Removal(
        Kind.CAP,
        "the cap of the hour, SQLite",
        SQL,
        " or spent.hour + amount > caps.hour",
        "",
        IN_SQLITE.format("the_hour_and_the_day"),
    ),
    Removal(
        Kind.CAP,
        "the cap of the day, DynamoDB",
        WRITES,
        "(attribute_not_exists(#day) OR #day <= :day_room)",
        "(attribute_not_exists(#day) OR #day <= :day_room OR #day > :day_room)",
        IN_DYNAMO.format("the_hour_and_the_day"),
    ),
    Removal(
        Kind.CAP,
        "the cap of the hour, DynamoDB",
        WRITES,
        "(attribute_not_exists(#hour) OR #hour <= :hour_room)",
        "(attribute_not_exists(#hour) OR #hour <= :hour_room OR #hour > :hour_room)",
        IN_DYNAMO.format("the_hour_and_the_day"),
    ),
    Removal(
        Kind.CAP,
        "what no cap could hold is not written, DynamoDB",
        DYNAMO,
        "        if min(day_room, hour_room) < 0:\n            return None\n",
        "",
        IN_DYNAMO.format("above_a_cap_alone"),
    ),
    Removal(
        Kind.CAP,
        "a reservation made unheard is not made again",
        DYNAMO,
        "held = await self._update(reservation, repeatable=False)",
        "held = await self._update(reservation, repeatable=True)",
        "tests/store/test_dynamodb.py -k money_is_never_booked_twice",
    ),
    Removal(
        Kind.CAP,
        "money is not given back twice",
        DYNAMO,
        "writes.add_spend(self._state, window, difference), repeatable=False",
        "writes.add_spend(self._state, window, difference), repeatable=True",
        "tests/store/test_dynamodb.py -k money_is_never_booked_twice",
    ),
    Removal(
        Kind.CAP,
        "no model is called before its worst case is reserved",
        GATEWAY,
        "self._budget.reserve(self._worst_case(order.model, order.prompt))",
        "self._budget.reserve(0)",
        "tests/llm/test_gateway.py -k 'without_room_under_the_cap'",
    ),
    Removal(
        Kind.CAP,
        "the worst case is the longest answer",
        GATEWAY,
        "Usage(sent_bytes + OVERHEAD_TOKENS, model.max_tokens)",
        "Usage(sent_bytes + OVERHEAD_TOKENS, 1)",
        "tests/llm/test_gateway.py -k 'covers_the_longest_answer'",
    ),
    Removal(
        Kind.CAP,
        "what a vendor may bill stays reserved",
        GATEWAY,
        "            if not error.may_be_billed:\n",
        "            if True:\n",
        "tests/llm/test_gateway.py -k 'may_bill_stays_reserved'",
    ),
    Removal(
        Kind.CAP,
        "a call without a price costs its worst case",
        GATEWAY,
        "settling = [] if cost is None else [self._budget.settle(reservation, cost)]",
        "settling = [self._budget.settle(reservation, cost or 0)]",
        "tests/llm/test_gateway.py -k 'without_a_price'",
    ),
    Removal(
        Kind.CAP,
        "the books are completed although whoever asked has gone",
        GATEWAY,
        "await self._books.finish(self._book(reservation, _as_call(order, written, failure)))",
        "await self._book(reservation, _as_call(order, written, failure))",
        "tests/llm/test_gateway.py -k 'books_are_completed'",
    ),
]

LEASES = [
    Removal(
        Kind.LEASE,
        "one holder at a time, SQLite",
        SQL,
        "WHERE expires_at <= ?",
        "WHERE expires_at <= ? OR TRUE",
        IN_SQLITE.format("one_of_fifty"),
    ),
    Removal(
        Kind.LEASE,
        "the fencing token grows, SQLite",
        SQL,
        "token = token + 1, ",
        "",
        IN_SQLITE.format("token_grows"),
    ),
    Removal(
        Kind.LEASE,
        "only its holder keeps it, SQLite",
        SQL,
        "WHERE name = ? AND token = ?",
        "WHERE name = ? AND (token = ? OR TRUE)",
        IN_SQLITE.format("kept_by_its_holder_only"),
    ),
    Removal(
        Kind.LEASE,
        "a stale holder writes nothing, SQLite",
        SQL_SAYINGS,
        '        raise LeaseLost("Another worker has taken over the round.")\n',
        "        return\n",
        IN_SQLITE.format("stale_holder"),
    ),
    Removal(
        Kind.LEASE,
        "one holder at a time, DynamoDB",
        WRITES,
        "OR expires_at <= :now",
        "OR expires_at <= :now OR expires_at > :now",
        IN_DYNAMO.format("one_of_fifty"),
    ),
    Removal(
        Kind.LEASE,
        "the fencing token grows, DynamoDB",
        WRITES,
        "if_not_exists(#token, :none) + :one",
        "if_not_exists(#token, :one)",
        IN_DYNAMO.format("token_grows"),
    ),
    Removal(
        Kind.LEASE,
        "only its holder keeps it, and a stale one writes nothing, DynamoDB",
        WRITES,
        'LEASE_IS_OURS = "#token = :token"',
        'LEASE_IS_OURS = "#token = :token OR #token <> :token"',
        IN_DYNAMO.format("(kept_by_its_holder_only or stale_holder)"),
    ),
    Removal(
        Kind.LEASE,
        "a lease taken unheard is not taken twice",
        WRITES,
        'LEASE_IS_FREE = "attribute_not_exists(expires_at) OR',
        'LEASE_IS_FREE = "attribute_not_exists(nothing) OR',
        "tests/store/test_dynamodb.py -k taken_unheard",
    ),
    Removal(
        Kind.LEASE,
        "without the lease there is no round",
        FLEET,
        "        if lease is None:\n            return None\n",
        '        lease = lease or Lease(ROUND_LEASE, "", 0, 0)\n',
        "tests/workers/test_fleet.py -k 'sqlite and fifty or a_dead_holder'",
    ),
    Removal(
        Kind.LEASE,
        "after a round there is a rest",
        FLEET,
        "        await self._keep(lease, self._rest)\n",
        "        await self._keep(lease, 0.0)\n",
        "tests/workers/test_fleet.py -k 'nobody_makes_another'",
    ),
    Removal(
        Kind.LEASE,
        "failures make the rest longer",
        FLEET,
        "min(self._rest * 2,",
        "min(self._rest,",
        "tests/workers/test_fleet.py -k 'failures_double_it'",
    ),
    Removal(
        Kind.LEASE,
        "a round that is cancelled frees the lease",
        FLEET,
        "            await self._keep(lease, 0.0)  # whoever starts next need not wait until it expires\n",
        "",
        "tests/workers/test_fleet.py -k 'cancelled_leaves_no_rest'",
    ),
    Removal(
        Kind.LEASE,
        "a store that fails ends no worker",
        FLEET,
        "        except StoreError as error:\n"
        '            self._listener.emit(DependencyFailed("store", "acquire lease"',
        "        except ZeroDivisionError as error:\n"
        '            self._listener.emit(DependencyFailed("store", "acquire lease"',
        "tests/workers/test_fleet.py -k 'reports_it_and_goes_on'",
    ),
    Removal(
        Kind.LEASE,
        "a round writes under its fence",
        ROUND,
        "put_sayings(sayings, fence=lease)",
        "put_sayings(sayings)",
        "tests/workers/test_round.py -k taken_over_meanwhile",
    ),
]

VOTES = [
    Removal(
        Kind.IDEMPOTENCY,
        "one vote per voter and saying, SQLite",
        SQL_VOTES,
        "before = to_vote(row) if row else None",
        "before = None",
        IN_SQLITE.format("(repeating_a_vote or fifty_times)"),
    ),
    Removal(
        Kind.IDEMPOTENCY,
        "a vote that changes nothing writes nothing, SQLite",
        SQL_VOTES,
        " and status is not VoteStatus.UNCHANGED",
        "",
        "tests/store/test_contract_counts.py -k 'sqlite and repeated_later'",
    ),
    Removal(
        Kind.IDEMPOTENCY,
        "a first vote is a first vote, DynamoDB",
        WRITES,
        'IS_NEW = "attribute_not_exists(saying_id)"',
        'IS_NEW = "attribute_not_exists(saying_id) OR attribute_exists(saying_id)"',
        IN_DYNAMO.format("fifty_times"),
    ),
    Removal(
        Kind.IDEMPOTENCY,
        "a vote replaces the one that was read, DynamoDB",
        WRITES,
        "feedback_type = :before AND first_cast_at = :first AND burst = :burst",
        "(feedback_type = :before AND first_cast_at = :first AND burst = :burst) OR attribute_exists(saying_id)",
        IN_DYNAMO.format("(two_minds or changing_and_withdrawing)"),
    ),
    Removal(
        Kind.IDEMPOTENCY,
        "a vote cast again meanwhile is another one, DynamoDB",
        WRITES,
        "AND first_cast_at = :first AND burst = :burst",
        "AND (first_cast_at = :first OR attribute_exists(burst)) AND (burst = :burst OR attribute_exists(burst))",
        "tests/store/test_dynamodb.py -k cast_again_from_elsewhere",
    ),
    Removal(
        Kind.IDEMPOTENCY,
        "attempts at one transaction share a token",
        "service/store/dynamodb/database.py",
        "ClientRequestToken=token)",
        "ClientRequestToken=uuid.uuid4().hex)",
        "tests/store/test_dynamodb.py -k share_a_token",
    ),
    Removal(
        Kind.IDEMPOTENCY,
        "a vote that changes nothing writes nothing, DynamoDB",
        DYNAMO_VOTES,
        "        if status is not VoteStatus.UNCHANGED:\n",
        "        if True:\n",
        "tests/store/test_dynamodb.py -k unchanged_vote_writes_nothing",
    ),
    Removal(
        Kind.IDEMPOTENCY,
        "a ballot is cast once, SQLite",
        SQL_COMPARISONS,
        "    if before.winner == ballot.winner:\n        return VoteStatus.UNCHANGED\n",
        "",
        "tests/store/test_contract_comparisons.py -k 'sqlite and repeating_a_ballot'",
    ),
    Removal(
        Kind.IDEMPOTENCY,
        "a comparison is shown once, SQLite",
        SQL_COMPARISONS,
        '_SHOW = f"INSERT OR IGNORE',
        '_SHOW = f"INSERT OR REPLACE',
        "tests/store/test_contract_comparisons.py -k 'sqlite and showing_it_again'",
    ),
    Removal(
        Kind.IDEMPOTENCY,
        "a ballot is cast once, DynamoDB",
        WRITES,
        "attribute_exists(shown_at) AND attribute_not_exists(winner)",
        "attribute_exists(shown_at)",
        "tests/store/test_contract_comparisons.py -k 'dynamodb and twenty_times'",
    ),
    Removal(
        Kind.IDEMPOTENCY,
        "a choice replaces the one that was read, DynamoDB",
        WRITES,
        'IS_STILL_THAT_CHOICE = "winner = :before"',
        'IS_STILL_THAT_CHOICE = "winner = :before OR attribute_exists(winner)"',
        "tests/store/test_dynamodb.py -k choice_changed_meanwhile",
    ),
    Removal(
        Kind.IDEMPOTENCY,
        "a call is counted once, DynamoDB",
        WRITES,
        'IS_NEW_CALL = "attribute_not_exists(generation_id)"',
        'IS_NEW_CALL = "attribute_not_exists(nothing)"',
        "tests/store/test_contract_counts.py -k 'dynamodb and recording_a_call_again'",
    ),
    Removal(
        Kind.IDEMPOTENCY,
        "a call is counted once, SQLite",
        "service/store/sqlite/counts.py",
        "    if not db.execute(_KEEP_CALL, call_row(call)).rowcount:\n        return\n",
        "    db.execute(_KEEP_CALL, call_row(call))\n",
        "tests/store/test_contract_counts.py -k 'sqlite and recording_a_call_again'",
    ),
    Removal(
        Kind.IDEMPOTENCY,
        "a vote is stored although its voter has gone",
        VOTING,
        "await self._tasks.finish(self._bounded(work, operation))",
        "await self._bounded(work, operation)",
        "tests/test_feedback.py tests/test_ballots.py -k voter_has_gone",
    ),
    Removal(
        Kind.IDEMPOTENCY,
        "work that was taken on is not cancelled",
        "service/resilience/tasks.py",
        "asyncio.shield(task)",
        "task",
        "tests/test_feedback.py tests/test_ballots.py -k voter_has_gone",
    ),
    Removal(
        Kind.IDEMPOTENCY,
        "work that was taken on is waited for in the end",
        "service/resilience/tasks.py",
        "        await asyncio.gather(*self._under_way, return_exceptions=True)\n",
        "        pass\n",
        "tests/test_feedback.py tests/llm/test_gateway.py -k 'has_gone'",
    ),
    Removal(
        Kind.IDEMPOTENCY,
        "a vote that was not stored is never answered 200",
        VOTING,
        "            raise VoteNotStored from error\n",
        "            return None\n",
        "tests/test_feedback.py -k cannot_take_a_vote",
    ),
]

BREAKERS = [
    Removal(
        Kind.BREAKER,
        "every call goes through its model's breaker",
        GATEWAY,
        "self._breakers[model.id].guard()",
        "Breaker(self._clock).guard()",
        "tests/llm/test_gateway.py -k 'keeps_failing_is_left_alone'",
    ),
    Removal(
        Kind.BREAKER,
        "it opens after failures in a row",
        BREAKER,
        "probe or self._failures >= FAILURES_TO_OPEN",
        "probe",
        "tests/llm/test_breaker.py",
    ),
    Removal(
        Kind.BREAKER,
        "a probe that fails opens it again",
        BREAKER,
        "probe or self._failures >= FAILURES_TO_OPEN",
        "self._failures >= FAILURES_TO_OPEN",
        "tests/llm/test_breaker.py",
    ),
    Removal(Kind.BREAKER, "it turns calls away", BREAKER, "wait > 0 or ", "", "tests/llm/test_breaker.py"),
    Removal(Kind.BREAKER, "one probe at a time", BREAKER, " or self._probing:", ":", "tests/llm/test_breaker.py"),
    Removal(
        Kind.BREAKER,
        "a success closes it",
        BREAKER,
        "        self._failures = 0\n        self._open_until = None\n\n",
        "        self._open_until = None\n\n",
        "tests/llm/test_breaker.py",
    ),
    Removal(
        Kind.BREAKER,
        "a probe that was cut off frees its place",
        BREAKER,
        "            if probe:\n                self._probing = False\n",
        "            pass\n",
        "tests/llm/test_breaker.py",
    ),
    Removal(
        Kind.BREAKER,
        "what the vendor asks for is granted",
        BREAKER,
        "cool_down = error.retry_after or 0.0",
        "cool_down = 0.0",
        "tests/llm/test_breaker.py",
    ),
    Removal(
        Kind.BREAKER,
        "what only a person can mend opens it for longer",
        BREAKER,
        "max(cool_down, LONG_COOL_DOWN_SECONDS)",
        "max(cool_down, COOL_DOWN_SECONDS)",
        "tests/llm/test_breaker.py",
    ),
    Removal(
        Kind.BREAKER,
        "a late failure shortens no wait",
        BREAKER,
        "max(self._open_until or 0.0, self._clock() + cool_down)",
        "self._clock() + cool_down",
        "tests/llm/test_breaker.py",
    ),
    Removal(
        Kind.BREAKER,
        "no third attempt",
        GATEWAY,
        "attempt == MAX_ATTEMPTS or ",
        "",
        "tests/llm/test_gateway.py -k 'no_third_attempt'",
    ),
    Removal(
        Kind.BREAKER,
        "no retry of what was paid for",
        GATEWAY,
        " or not (error.retryable or isinstance(error, ModelKeyRejected))",
        "",
        "tests/llm/test_gateway.py -k 'paid_for_or_will_not_pass'",
    ),
    Removal(
        Kind.BREAKER,
        "retries cannot multiply an outage",
        GATEWAY,
        " or not self._retries.take()",
        "",
        "tests/llm/test_gateway.py -k 'cannot_multiply'",
    ),
]

BOUNDS = [
    Removal(
        Kind.LIMIT,
        "an address asks at its rate",
        LIMITS,
        "        if wait > 0:\n",
        "        if False:\n",
        "tests/test_limits.py",
    ),
    Removal(
        Kind.LIMIT,
        "no more model calls at once than there are places",
        LIMITS,
        "        if count > self._free:\n",
        "        if False:\n",
        "tests/test_limits.py",
    ),
    Removal(
        Kind.LIMIT,
        "a place is free again after the call",
        LIMITS,
        "        finally:\n            self.give_back(count)\n",
        "        finally:\n            pass\n",
        "tests/test_limits.py",
    ),
    Removal(
        Kind.LIMIT,
        "rates are asked for, request by request",
        "service/api/dispatcher.py",
        "            limiter.admit(request.caller.address)\n",
        "            pass\n",
        "tests/http/test_floods.py -k asks_too_often",
    ),
    Removal(
        Kind.LIMIT,
        "a live call takes a place",
        GATEWAY,
        "self._live_calls.holding(places)",
        "self._live_calls.holding(0)",
        "tests/http/test_floods.py -k falls_back_while_they_are_taken",
    ),
    Removal(
        Kind.LIMIT,
        "a connection too many is told so",
        "service/server/connections.py",
        "        if len(connections) <= self._most:\n            return Room.ENOUGH\n",
        "        return Room.ENOUGH\n",
        "tests/http/test_floods.py -k third_is_told_so",
    ),
    Removal(
        Kind.LIMIT,
        "a loop that is late answers for its health alone",
        "service/server/app.py",
        "return self._load.is_late or self._connection.is_spare",
        "return self._connection.is_spare",
        "tests/http/test_floods.py -k loop_that_is_late",
    ),
    Removal(
        Kind.LIMIT,
        "nobody chooses the address they are counted by",
        "service/api/client_address.py",
        "[-(trusted_proxies + 1) :]",
        "",
        "tests/test_client_address.py",
    ),
    Removal(
        Kind.LIMIT,
        "a body has a mebibyte at most",
        "service/api/http.py",
        "    if len(request.body) > MAX_BODY_BYTES:\n        raise BodyTooLarge\n",
        "",
        "tests/security/test_requests.py -k 'whatever_brought_it'",
    ),
    Removal(
        Kind.LIMIT,
        "an address has eight kibibytes at most",
        "service/api/dispatcher.py",
        "        if target_bytes > MAX_TARGET_BYTES:\n",
        "        if False:\n",
        "tests/security/test_requests.py -k 'whatever_brought_it'",
    ),
    Removal(
        Kind.LIMIT,
        "what a form can send is no vote",
        "service/api/http.py",
        '    if not _JSON_TYPE.fullmatch(request.headers.get("Content-Type", "")) or',
        "    if",
        "tests/security/test_cross_site.py",
    ),
    Removal(
        Kind.LIMIT,
        "only exact origins may read",
        "service/api/dispatcher.py",
        "        if origin in self._allowed_origins:\n",
        "        if origin:\n",
        "tests/security/test_cross_site.py",
    ),
    Removal(
        Kind.LIMIT,
        "a burst is set aside above its limit, SQLite",
        SQL_BURSTS,
        "belongs_aside = votes > limit",
        "belongs_aside = False",
        "tests/store/test_contract_counts.py -k 'sqlite and up_to_the_limit'",
    ),
    Removal(
        Kind.LIMIT,
        "a burst is moved once, SQLite",
        SQL_BURSTS,
        "    if belongs_aside == bool(set_aside):\n        return False\n",
        "",
        "tests/store/test_contract_counts.py -k 'sqlite and up_to_the_limit'",
    ),
    Removal(
        Kind.LIMIT,
        "a burst keeps its side while nobody looks, SQLite",
        SQL_VOTES,
        "    if bursts.is_set_aside(db, burst):\n",
        "    if False:\n",
        "tests/store/test_contract_counts.py -k 'sqlite and aside'",
    ),
    Removal(
        Kind.LIMIT,
        "a vote that meets the limit under way is decided again, DynamoDB",
        DYNAMO_BURSTS,
        "set_aside = :was AND votes <= :bound",
        "set_aside = :was AND (votes <= :bound OR votes > :bound)",
        "tests/store/test_dynamodb.py -k last_vote_before_the_limit",
    ),
    Removal(
        Kind.LIMIT,
        "a vote that leaves a burst under way is decided again, DynamoDB",
        DYNAMO_BURSTS,
        "set_aside = :was AND votes >= :bound",
        "set_aside = :was AND (votes >= :bound OR votes < :bound)",
        "tests/store/test_dynamodb.py -k last_vote_above_the_limit",
    ),
    Removal(
        Kind.LIMIT,
        "a burst is moved as it was read, DynamoDB",
        DYNAMO_BURSTS,
        'IS_AS_IT_WAS = "revision = :revision"',
        'IS_AS_IT_WAS = "revision = :revision OR revision <> :revision"',
        "tests/store/test_dynamodb.py -k what_the_burst_holds_by_then",
    ),
    Removal(
        Kind.LIMIT,
        "a change keeps the burst of the first vote, SQLite",
        SQL_VOTES,
        "replace(vote, burst=before.vote.burst)",
        "vote",
        "tests/store/test_contract_counts.py -k 'sqlite and burst'",
    ),
    Removal(
        Kind.LIMIT,
        "one votes on what one was shown",
        BALLOTS,
        "        if shown is None:\n            raise ComparisonNotShown\n",
        "",
        "tests/test_ballots.py -k cannot_be_voted_on",
    ),
    Removal(
        Kind.LIMIT,
        "one votes within a day",
        BALLOTS,
        "now - shown.shown_at > SHOWN_SECONDS",
        "False",
        "tests/test_ballots.py -k for_a_day",
    ),
    Removal(
        Kind.LIMIT,
        "one votes for what had something to say",
        BALLOTS,
        "        _check_eligible(comparison, winner)\n",
        "",
        "tests/test_ballots.py -k cannot_be_voted_on",
    ),
    Removal(
        Kind.LIMIT,
        "a vote names who wrote the saying",
        FEEDBACK,
        "        self._check_source(opinion.source, saying)\n",
        "",
        "tests/test_feedback.py -k bear_out",
    ),
]

ALL_THE_TIME = "asyncio.timeout(None)"
TIMEOUTS = [
    Removal(
        Kind.TIMEOUT,
        "a vote",
        VOTING,
        "asyncio.timeout(within(VOTE_SECONDS))",
        ALL_THE_TIME,
        "tests/test_feedback.py -k 'cannot_take_a_vote and hangs'",
    ),
    Removal(
        Kind.TIMEOUT,
        "the store, where money is counted and what was paid for is kept",
        PATIENCE,
        "asyncio.timeout(seconds)",
        ALL_THE_TIME,
        "tests/test_budget.py -k 'without_a_store and hangs'",
    ),
    Removal(
        Kind.TIMEOUT,
        "what comes before a model call",
        GATEWAY,
        "asyncio.timeout(order.deadline - self._clock())",
        ALL_THE_TIME,
        "tests/llm/test_gateway.py -k 'before_the_call_too'",
    ),
    Removal(
        Kind.TIMEOUT,
        "a model call",
        GATEWAY,
        "        async with asyncio.timeout(seconds):\n            return await completing",
        "        async with asyncio.timeout(None):\n            return await completing",
        "tests/llm/test_gateway.py -k 'may_bill_stays_reserved'",
    ),
    Removal(
        Kind.TIMEOUT,
        "no retry without time for it",
        GATEWAY,
        "self._clock() + delay + LEAST_USEFUL_SECONDS > deadline or ",
        "",
        "tests/llm/test_gateway.py -k 'too_little_time or does_not_fit'",
    ),
    Removal(
        Kind.TIMEOUT,
        "the rest after a round",
        FLEET,
        "asyncio.timeout(KEEP_SECONDS)",
        ALL_THE_TIME,
        "tests/workers/test_fleet.py -k 'rest_that_cannot_be_stored and hangs'",
    ),
    Removal(
        Kind.TIMEOUT,
        "the sayings of a round",
        ROUND,
        "asyncio.timeout(STORE_SECONDS)",
        ALL_THE_TIME,
        "tests/workers/test_round.py -k cannot_be_stored_is_not_pooled",
    ),
    Removal(
        Kind.TIMEOUT,
        "the end of the whole request",
        "service/resilience/timeouts.py",
        "return seconds if end is None else max(0.0, min(seconds, end - time.monotonic()))",
        "return seconds",
        "tests/lambdas/test_process.py tests/test_flow.py tests/test_compare.py -k 'deadline or time'",
    ),
    Removal(
        Kind.TIMEOUT,
        "the body of a request",
        "service/server/app.py",
        "asyncio.timeout(BODY_SECONDS)",
        ALL_THE_TIME,
        "tests/http/test_limits.py -k 'drips_in'",
    ),
    Removal(
        Kind.TIMEOUT,
        "the head of a request",
        "service/server/connections.py",
        "call_later(HEAD_SECONDS, self._refuse_slow_head)",
        "call_later(3600, self._refuse_slow_head)",
        "tests/http/test_limits.py -k 'do_not_end and line'",
    ),
    Removal(
        Kind.TIMEOUT,
        "a client that reads nothing",
        "service/server/connections.py",
        "call_later(UNREAD_SECONDS, abort)",
        "call_later(36_000, abort)",
        "tests/http/test_floods.py -k does_not_read",
    ),
    Removal(
        Kind.TIMEOUT,
        "a key",
        "service/keys/key_store.py",
        "asyncio.timeout(FETCH_TIMEOUT_SECONDS)",
        ALL_THE_TIME,
        "tests/test_keys.py -k ssm_that_hangs",
    ),
    Removal(
        Kind.TIMEOUT,
        "a saying from the database",
        "service/sayings/flow.py",
        "asyncio.timeout(within(DATABASE_SECONDS))",
        ALL_THE_TIME,
        "tests/test_flow.py -k hanging_database",
    ),
    Removal(
        Kind.TIMEOUT,
        "a look at a dependency",
        "service/api/endpoints.py",
        "asyncio.timeout(within(READY_SECONDS))",
        ALL_THE_TIME,
        "tests/http/test_limits.py -k 'store_that_hangs_is_not_ready'",
    ),
]

REMOVALS = [*CAPS, *LEASES, *VOTES, *BREAKERS, *BOUNDS, *TIMEOUTS]
