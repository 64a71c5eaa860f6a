"""Whatever a client sends, it gets a documented error, nothing of the inside, and the next request is answered."""

import gzip
from collections.abc import AsyncIterator

import pytest

from service.api.http import BODY_BYTES
from telemetry.events import RequestServed, SpendMeasured, Unexpected
from tests.http.conftest import SIMULATED, Server
from tests.http.wire import Answer, request

pytestmark = pytest.mark.slow

JSON = "application/json"
VOTE = b'{"source": "%s", "feedbackType": "POSITIVE", "saying": "%s"%%b}' % (
    SIMULATED.source.encode(),
    SIMULATED.text.encode(),
)
INVALID, TOO_LARGE, WRONG_TYPE = (400, "invalid_request"), (413, "body_too_large"), (415, "unsupported_media_type")


@pytest.fixture(autouse=True)
async def the_server_goes_on(server: Server) -> AsyncIterator[None]:
    """After every test, the next request is answered and no unexpected error was reported."""
    await server.known()
    yield
    assert (await server.ask("GET", "/health/live")).status == 200
    assert not server.events.of(Unexpected)
    assert all(event.status != 500 for event in server.events.of(RequestServed))


def with_more(field: bytes) -> bytes:
    """A good vote with something added."""
    return VOTE % b", %b" % field if field else VOTE % b""


@pytest.mark.parametrize(
    ("method", "target", "error"),
    [
        ("GET", "/nowhere", (404, "route_not_found")),
        ("GET", "/sayings/", (404, "route_not_found")),
        ("GET", "//sayings", (404, "route_not_found")),
        ("GET", "/%00", (404, "route_not_found")),
        ("GET", "/sayings%00", (404, "route_not_found")),
        ("GET", "/%ff%fe", (404, "route_not_found")),
        ("GET", "/%zz%", (404, "route_not_found")),
        ("GET", "/../../etc/passwd", (404, "route_not_found")),
        ("GET", "/..%2fservice%2fapp.py", (404, "route_not_found")),
        ("GET", "/\u00fc", INVALID),
        ("GET", "/" + "x" * 9_000, INVALID),
        ("GET", "/sayings?" + "x" * 9_000, INVALID),
        ("DELETE", "/feedback/nonsense", INVALID),
        ("DELETE", "/feedback/" + "A" * 32, INVALID),
        ("DELETE", f"/feedback/{'0' * 32}%0A", INVALID),
        ("DELETE", "/feedback/" + "0" * 8_000, INVALID),
        ("DELETE", "/feedback/%00", INVALID),
        ("DELETE", "/feedback/%ff%fe", INVALID),
        ("DELETE", "/feedback/", (404, "route_not_found")),
        ("DELETE", "/feedback/" + "0" * 32 + "/more", (404, "route_not_found")),
        ("DELETE", "/feedback/" + "0" * 32, (404, "saying_not_found")),
        ("POST", "/compare/", (404, "route_not_found")),
        ("POST", "/compare//vote", (404, "route_not_found")),
        ("POST", "/compare/nonsense/vote", INVALID),
        ("POST", "/compare/" + "A" * 32 + "/vote", INVALID),
        ("POST", f"/compare/{'0' * 32}%0A/vote", INVALID),
        ("POST", "/compare/" + "0" * 8_000 + "/vote", INVALID),
        ("POST", "/compare/%ff%fe/vote", INVALID),
        ("POST", "/compare/" + "0" * 32 + "/vote/more", (404, "route_not_found")),
        ("OPTIONS", "*", (404, "route_not_found")),
        ("CONNECT", "localhost:443", (404, "route_not_found")),
        ("BREW", "/sayings", INVALID),
        ("get", "/sayings", INVALID),
    ],
)
async def test_a_bad_address_gets_a_documented_error(
    server: Server, method: str, target: str, error: tuple[int, str]
) -> None:
    [answer] = await server.converse(request(method, target))

    assert answer.error == error


@pytest.mark.parametrize("query", ["?", "?a=1&a=2", "?unknown=%ff%fe", "?%00", "?=&&==", "?a[b]=1;c"])
async def test_unknown_parameters_are_ignored(server: Server, query: str) -> None:
    [answer] = await server.converse(request("GET", f"/sayings{query}"))

    assert answer.status == 200


@pytest.mark.parametrize(
    "query",
    [
        "attribution=", "attribution=blind", "attribution=Random", "attribution=random%00", "service=",
        "service=Amazon%20S4", "service=amazon%20s3", "service=" + "x" * 101, "service=%ff%fe", "after=1234567",
        "after=0123456G", "after=01234567,", "after=,01234567", "after=01234567;01234567", "after=" + "0" * 33,
        "after=" + ",".join(["01234567"] * 101), "after=%ff%fe", "service=Amazon%20S3&service=Amazon%20S4",
    ],
)  # fmt: skip
async def test_a_parameter_that_is_not_as_documented_is_refused(server: Server, query: str) -> None:
    [answer] = await server.converse(request("GET", f"/sayings?{query}"))

    assert answer.error == INVALID
    assert len(answer.body) < 1_000


ALLOWED = {
    "/sayings": "GET, HEAD",
    "/feedback": "POST",
    f"/feedback/{'0' * 32}": "DELETE",
    "/compare": "POST",
    f"/compare/{'0' * 32}/vote": "POST",
    "/stats": "GET, HEAD",
    "/health/live": "GET, HEAD",
    "/": "GET, HEAD",
    "/favicon.svg": "GET, HEAD",
}


@pytest.mark.usefixtures("built_page")
@pytest.mark.parametrize(
    ("path", "method"),
    [
        (path, method)
        for path, allowed in ALLOWED.items()
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND")
        if method not in allowed.split(", ")
    ],
)
async def test_a_wrong_method_is_refused_with_the_allowed_ones(server: Server, path: str, method: str) -> None:
    [answer] = await server.converse(request(method, path), without_body=method == "HEAD")

    assert (answer.status, answer.headers["Allow"]) == (405, ALLOWED[path])
    assert method == "HEAD" or answer.error == (405, "method_not_allowed")


@pytest.mark.usefixtures("built_page")
@pytest.mark.parametrize("path", ["/sayings", "/stats", "/models", "/health/live", "/openapi.json", "/"])
async def test_head_is_get_without_the_body(server: Server, path: str) -> None:
    answer = await server.ask("HEAD", path)

    assert answer.status == 200
    assert answer.body == b""
    assert int(answer.headers["Content-Length"]) > 0


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"null", b"[]", b"17", b"NaN", b'"text"', b"\xff\xfe{}", b"\xef\xbb\xbf" + with_more(b""),
        with_more(b"").decode().encode("utf-16"), b"[" * 16_000, b"[" * 8_000 + b"]" * 8_000,
        with_more(b'"more": ' + b"[" * 8_000), with_more(b'"more": ' + b'{"a":' * 3_000),
        with_more(b'"more": "\\ud800"'), with_more(b'"more": NaN'), with_more(b'"more": -Infinity'),
        with_more(b'"more": ' + b"1" * 5_000), with_more(b'"more": "\xff"'), with_more(b'"more": "a\nb"'),
        with_more(b'"source": "From the collection"'), with_more(b'"more": {"a": 1, "a": 2}'),
        with_more(b'"executionTime": ' + b"1" * 5_000), with_more(b'"executionTime": 1e999'),
        with_more(b'"executionTime": -1'), with_more(b'"executionTime": 86400001'), with_more(b'"executionTime": "1"'),
        with_more(b'"originalLlmTime": true'), with_more(b'"isCached": 1'), with_more(b'"isCached": "false"'),
        with_more(b'"sayingId": "' + b"0" * 10_240 + b'"'), with_more(b'"sayingId": "' + b"0" * 32 + b'\\n"'),
        with_more(b'"sayingId": "' + b"A" * 32 + b'"'), with_more(b'"sayingId": 7'),
        b'{"sayingId": "' + b"0" * 10_240 + b'", "source": "From the collection", "feedbackType": "POSITIVE"}',
        with_more(b'"sayingId": "' + b"0" * 32 + b'"'),
        b'{"sayingId": "' + b"0" * 32 + b'\\n", "source": "From the collection", "feedbackType": "POSITIVE"}',
        with_more(b"").replace(b'"POSITIVE"', b"true"), with_more(b"").replace(b'"POSITIVE"', b"1"),
        with_more(b"").replace(b"POSITIVE", b"A" * 10_000),
        with_more(b"").replace(b"POSITIVE", b"positive"), with_more(b"").replace(b"POSITIVE", b"\\ud800"),
        with_more(b"").replace(b'"POSITIVE"', b"null"), with_more(b"").replace(b'"POSITIVE"', b'["POSITIVE"]'),
        with_more(b"").replace(b"feedbackType", b"feedback_type"),
        with_more(b"").replace(SIMULATED.source.encode(), b"Generated by Nobody 1"),
        with_more(b"").replace(SIMULATED.source.encode(), b""),
        with_more(b"").replace(SIMULATED.source.encode(), b"x" * 201),
        with_more(b"").replace(SIMULATED.text.encode(), b""),
        with_more(b"").replace(SIMULATED.text.encode(), b"x" * 2_001),
        with_more(b"").replace(b'"saying"', b'"text"'), with_more(b'"voteToken": ""'), with_more(b'"voteToken": 7'),
        with_more(b'"voteToken": "' + b"A" * 101 + b'"'), with_more(b"").replace(b'"source"', b'"sources"'),
    ],
    ids=lambda body: repr(body[:24] + b" ... " + body[-24:])[2:-1],
)  # fmt: skip
async def test_a_body_that_is_no_vote_is_refused(server: Server, body: bytes) -> None:
    [answer] = await server.converse(request("POST", "/feedback", body, Content_Type=JSON))

    assert answer.error == INVALID
    assert len(answer.body) < 1_000  # what was sent is not sent back
    assert [vote async for vote in server.resources.store.all_votes()] == []


COMPARE, COMPARE_VOTE = "/compare", f"/compare/{'0' * 32}/vote"
MALFORMED = [
    b"", b"{", b"null", b"[]", b"17", b"NaN", b'"text"', b"\xff\xfe{}", b"\xef\xbb\xbf{}", "{}".encode("utf-16"),
    b"[" * 16_000, b'{"more": ' + b"[" * 16_000, b'{"more": ' + b'{"a":' * 3_000, b'{"more": "\\ud800"}',
    b'{"more": NaN}', b'{"more": "\xff"}', b'{"more": "a\nb"}', b'{"more": 1, "more": 1}',
    b'{"more": ' + b"1" * 5_000 + b"}", b"{}{}",
]  # fmt: skip
WRONG = {
    COMPARE: [
        b'{"service": ""}', b'{"service": 7}', b'{"service": true}', b'{"service": ["Amazon S3"]}', b'{"service": {}}',
        b'{"service": "Amazon S4"}', b'{"service": "amazon s3"}', b'{"service": "Amazon S3\\n"}',
        b'{"service": "Amazon S3", "service": "Amazon S3"}', b'{"service": "' + b"x" * 101 + b'"}',
        b'{"service": "<script>"}', b'{"service": "\\u0000"}',
    ],
    COMPARE_VOTE: [
        b"{}", b'{"winner": ""}', b'{"winner": null}', b'{"winner": "a"}', b'{"winner": "E"}', b'{"winner": "AB"}',
        b'{"winner": "TIE"}', b'{"winner": "A\\n"}', b'{"winner": 1}', b'{"winner": true}', b'{"winner": ["A"]}',
        b'{"winner": "gpt-4.1"}', b'{"winner": "' + b"A" * 10_000 + b'"}', b'{"winner": "A", "winner": "A"}',
    ],
}  # fmt: skip
WRONG_BODIES = [(path, body) for path, wrong in WRONG.items() for body in MALFORMED + wrong]


@pytest.mark.parametrize(
    ("path", "body"), WRONG_BODIES, ids=lambda value: repr(value[:20] + value[-20:]) if isinstance(value, bytes) else ""
)
async def test_an_invalid_body_for_a_comparison_or_ballot_is_refused(server: Server, path: str, body: bytes) -> None:
    [answer] = await server.converse(request("POST", path, body, Content_Type=JSON))

    assert answer.error == INVALID
    assert len(answer.body) < 1_000
    assert not server.events.of(SpendMeasured)


@pytest.mark.parametrize(
    ("replaced", "error"),
    [
        (b"Generated by Claude Haiku 4.5 (simulated)", (409, "source_mismatch")),
        (b"From the collection", (409, "source_mismatch")),
    ],
)
async def test_a_source_that_names_another_is_a_conflict(
    server: Server, replaced: bytes, error: tuple[int, str]
) -> None:
    body = with_more(b"").replace(SIMULATED.source.encode(), replaced)

    [answer] = await server.converse(request("POST", "/feedback", body, Content_Type=JSON))

    assert answer.error == error


OTHER_KINDS: list[dict[str, str]] = [
    {},
    {"Content_Type": "application/x-www-form-urlencoded"},
    {"Content_Type": "text/plain"},
    {"Content_Type": "multipart/form-data; boundary=x"},
    {"Content_Type": "application/json; charset=bogus"},
    {"Content_Type": "application/json; charset=utf-16"},
    {"Content_Type": "application/jsonp"},
    {"Content_Type": "\xff"},
    {"Content_Type": JSON, "Content_Encoding": "gzip"},
    {"Content_Type": JSON, "Content_Encoding": "bogus"},
]


@pytest.mark.parametrize("headers", OTHER_KINDS, ids=str)
@pytest.mark.parametrize("path", ["/feedback", COMPARE, COMPARE_VOTE])
async def test_a_body_of_another_kind_is_refused(server: Server, headers: dict[str, str], path: str) -> None:
    [answer] = await server.converse(request("POST", path, with_more(b""), **headers))

    assert answer.error == WRONG_TYPE


@pytest.mark.parametrize(
    "content_type",
    [JSON, "application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"', "application/json ;charset=utf8"],
)
async def test_json_in_utf8_is_taken_however_it_is_announced(server: Server, content_type: str) -> None:
    [answer] = await server.converse(request("POST", "/feedback", with_more(b""), Content_Type=content_type))

    assert answer.status == 200


@pytest.mark.parametrize("coding", ["identity", "Identity"])
async def test_identity_is_no_coding(server: Server, coding: str) -> None:
    headers = {"Content_Type": JSON, "Content_Encoding": coding}

    [answer] = await server.converse(request("POST", "/feedback", with_more(b""), **headers))

    assert answer.status == 200


async def test_a_gzip_bomb_is_not_unpacked(server: Server) -> None:
    bomb = gzip.compress(b" " * 15_000_000)

    [answer] = await server.converse(
        request("POST", "/feedback", bomb, Content_Type=JSON, Content_Encoding="gzip", Content_Length=str(len(bomb)))
    )

    assert answer.error == WRONG_TYPE


async def test_unknown_fields_of_a_vote_are_ignored(server: Server) -> None:
    [answer] = await server.converse(
        request("POST", "/feedback", with_more(b'"more": {"a": [1, null]}'), Content_Type=JSON)
    )

    assert answer.status == 200


async def test_a_vote_that_arrives_byte_by_byte_is_a_vote(server: Server) -> None:
    sent = request("POST", "/feedback", with_more(b""), Content_Type=JSON)

    [answer] = await server.converse(*(sent[place : place + 1] for place in range(len(sent))))

    assert answer.json["status"] == "recorded"


async def test_an_unexpected_body_is_not_taken_for_a_request(server: Server) -> None:
    hidden = request("GET", "/nowhere")

    answers = await server.converse(request("GET", "/sayings", hidden) + request("GET", "/health/live"), answers=2)

    assert [answer.status for answer in answers] == [200, 200]
    assert [event.operation for event in server.events.of(RequestServed)] == ["getSaying", "getLive"]


def padded(size: int) -> bytes:
    return with_more(b"").ljust(size)


def chunked(body: bytes) -> bytes:
    pieces = [body[start : start + 4_096] for start in range(0, len(body), 4_096)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize("way", ["with its length", "chunked"])
@pytest.mark.parametrize(("size", "status"), [(BODY_BYTES, 200), (BODY_BYTES + 1, 413)])
async def test_a_body_may_have_16_kib_and_not_a_byte_more(server: Server, way: str, size: int, status: int) -> None:
    body = padded(size)
    if way == "chunked":
        sent = request("POST", "/feedback", chunked(body), Content_Type=JSON, Transfer_Encoding="chunked")
    else:
        sent = request("POST", "/feedback", body, Content_Type=JSON)

    [answer] = await server.converse(sent)

    assert answer.status == status
    assert status == 200 or answer.error == TOO_LARGE


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /sayings HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET /sayings HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /sayings HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n",
        b"GET /say ings HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /sayings HTTP/1.1\r\nHost: x\r\nLarge: " + b"x" * 9_000 + b"\r\n\r\n",
        b"GET /sayings HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"POST /feedback HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /feedback HTTP/1.1\r\nHost: x\r\nContent-Length: two\r\n\r\n{}",
        b"POST /feedback HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"POST /feedback HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"POST /feedback HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: bogus\r\n\r\n{}",
        request("POST", "/feedback", b"nonsense\r\n", Content_Type=JSON, Transfer_Encoding="chunked"),
    ],
    ids=lambda sent: repr(sent[:70])[2:-1],
)
async def test_what_is_not_http_is_refused_in_the_same_words(server: Server, sent: bytes) -> None:
    [answer] = await server.converse(sent)

    assert answer.error == INVALID


@pytest.mark.parametrize("path", [COMPARE, COMPARE_VOTE])
async def test_the_body_of_a_comparison_has_the_same_limit(server: Server, path: str) -> None:
    body, most = b'{"service": "Amazon S4", "winner": "A"}', BODY_BYTES
    sent = [request("POST", path, body.ljust(size), Content_Type=JSON) for size in (most, most + 1)]

    fits, too_large = await server.converse(*sent, answers=2)

    assert fits.status in (400, 404)
    assert too_large.error == TOO_LARGE


async def test_pipelined_requests_are_all_answered_after_an_error_too(server: Server) -> None:
    wrong = request("POST", "/feedback", b"{", Content_Type=JSON)
    lost = request("GET", "/nowhere")
    unread = request("POST", "/sayings", b"{}" * 100, Content_Type=JSON)
    good = request("GET", "/health/live")

    answers = await server.converse(wrong + lost + unread + good, answers=4)

    assert [answer.status for answer in answers] == [400, 404, 405, 200]


def told_request_id(answer: Answer) -> str:
    return str(answer.json["requestId"])


async def test_the_request_id_is_the_callers_trace(server: Server) -> None:
    trace = "5759e988bd862e3fe1be46a994272793"

    [by_aws] = await server.converse(
        request("GET", "/nowhere", X_Amzn_Trace_Id=f"Root=1-{trace[:8]}-{trace[8:]};Parent=53995c3f42cd8ad8")
    )
    [by_w3c] = await server.converse(request("GET", "/nowhere", traceparent=f"00-{trace}-53995c3f42cd8ad8-01"))
    [forged] = await server.converse(request("GET", "/nowhere", traceparent="00-<script>-53995c3f42cd8ad8-01"))

    assert told_request_id(by_aws) == told_request_id(by_w3c) == trace
    assert "script" not in told_request_id(forged)
