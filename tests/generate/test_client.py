"""The client against a server that fails: what is tried again, kept, spent, and what ends a run."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.generate.helpers import journal_of, question, with_client
from tests.generate.server import Server
from thresher.errors import ParameterError
from thresher.generate import client as client_module
from thresher.generate.budget import Budget, Purse
from thresher.generate.client import Client, Line
from thresher.generate.endpoint import Endpoint, Price, choose
from thresher.generate.faults import EndpointError, Stopped, Transient, retry_after_s
from thresher.generate.journal import Journal
from thresher.generate.pace import Pace
from thresher.generate.request import Answer, Sampling

SCHEMA = {
    "type": "object",
    "properties": {"word": {"type": "string"}},
    "required": ["word"],
    "additionalProperties": False,
}


def ask_all(count: int, **others: Any) -> Any:
    async def use(client: Client, line: Line) -> tuple[list[Answer], Client]:
        asked = (client.ask(line, question(f"number {at}", **others)) for at in range(count))
        return list(await asyncio.gather(*asked)), client

    return use


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("429", "rate_limited"),
        ("429-date", "rate_limited"),
        ("500", "server_error"),
        ("503", "server_error"),
        ("reset", "connection"),
        ("reset-body", "broken_body"),
        ("drip", "timeout"),
        ("truncated", "garbage"),
        ("garbage", "garbage"),
        ("error-200", "error_body"),
        ("empty-choices", "no_choices"),
    ],
)
def test_what_can_succeed_later_is_tried_again(tmp_path: Path, kind: str, name: str) -> None:
    with Server("echo", faults=0.5, kinds=kind, retry_after=0) as server:
        answers, client = with_client(server.base_url, tmp_path / "j", ask_all(12), timeout_s=0.5)
        assert all(answer.text and answer.failure is None for answer in answers)
        assert set(client.tally.tried_again) == {name}
        assert set(server.answered().values()) == {1}
    assert len(journal_of(tmp_path / "j")) == 12


def test_what_is_in_the_journal_is_not_asked_again(tmp_path: Path) -> None:
    with Server("echo", faults=0.2) as server:
        first, _ = with_client(server.base_url, tmp_path / "j", ask_all(30))
        asked = server.asked()
        again, client = with_client(server.base_url, tmp_path / "j", ask_all(30))
        assert [answer.text for answer in again] == [answer.text for answer in first]
        assert client.tally.sent == 0
        assert client.tally.found == 30
        assert server.asked() == asked


def test_one_question_at_two_places_is_asked_once(tmp_path: Path) -> None:
    async def use(client: Client, line: Line) -> list[Answer]:
        return list(await asyncio.gather(*(client.ask(line, question("the same")) for _ in range(20))))

    with Server("echo", latency_ms=50) as server:
        answers = with_client(server.base_url, tmp_path / "j", use)
        assert len({answer.text for answer in answers}) == 1
        assert list(server.asked().values()) == [1]


@pytest.mark.parametrize(("kind", "failure"), [("refusal", "refusal"), ("content-filter", "content_filter")])
def test_what_the_model_does_not_answer_is_kept_as_that(tmp_path: Path, kind: str, failure: str) -> None:
    with Server("echo", final=1.0, final_kinds=kind) as server:
        answers, _ = with_client(server.base_url, tmp_path / "j", ask_all(3))
        assert [answer.failure for answer in answers] == [failure] * 3
        again, client = with_client(server.base_url, tmp_path / "j", ask_all(3))
        assert [answer.failure for answer in again] == [failure] * 3
        assert client.tally.sent == 0


def test_without_quota_the_run_ends_at_once(tmp_path: Path) -> None:
    with Server("echo", faults=1.0, kinds="insufficient-quota") as server:
        with pytest.raises(EndpointError, match="no quota left"):
            with_client(server.base_url, tmp_path / "j", ask_all(1))
        assert sum(server.asked().values()) == 1


def test_an_endpoint_that_is_down_ends_the_run(tmp_path: Path) -> None:
    with Server("echo") as server:
        url = server.base_url
    began_s = time.monotonic()
    with pytest.raises(EndpointError, match="has answered none of the last"):
        with_client(url, tmp_path / "j", ask_all(64))
    assert time.monotonic() - began_s < 30


class _Poisoned:
    """A server in this process on which one question always fails, or everything."""

    def __init__(self, poison: str) -> None:
        self.poison, self.posts = poison, 0

    async def post(self, path: str, body: bytes, timeout_s: float) -> tuple[int, dict[str, str], bytes]:
        self.posts += b"meanwhile" not in body
        if self.poison in body.decode():
            raise Transient("server_error", "500")
        choice = {"message": {"role": "assistant", "content": "fine"}, "finish_reason": "stop"}
        return 200, {}, json.dumps({"choices": [choice], "usage": {}}).encode()


def _asked(path: Path, poison: str, *texts: str, **others: Any) -> tuple[list[Answer], int]:
    async def main() -> tuple[list[Answer], int]:
        with Journal(path) as journal:
            server = _Poisoned(poison)
            one = Endpoint("http://127.0.0.1:1/v1", "scripted-1")
            line = Line(one, server)
            client = Client([line], journal, Purse(Budget(), journal.spent("run")), run="run", **others)
            healthy = asyncio.create_task(client.ask(line, question(texts[0])))
            poisoned = [asyncio.create_task(client.ask(line, question(text))) for text in texts[1:]]
            at = 0
            while any(not task.done() for task in poisoned):
                await asyncio.sleep(0.002)
                await client.ask(line, question(f"meanwhile {at}"))
                at += 1
            return await asyncio.gather(healthy, *poisoned), server.posts

    return asyncio.run(main())


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "FIRST_PAUSE_S", 0.002)
    monkeypatch.setattr(client_module, "LONGEST_PAUSE_S", 0.01)


@pytest.mark.usefixtures("short_pauses")
def test_a_question_that_always_fails_is_given_up_and_asked_again_on_request(tmp_path: Path) -> None:
    path = tmp_path / "j"
    (fine, given_up), n_posts = _asked(path, "poison", "good", "poison")
    assert fine.text == "fine"
    assert (given_up.failure, given_up.tries) == ("server_error", client_module.MOST_TRIES)
    assert n_posts == 1 + client_module.MOST_TRIES
    (_, again), n_posts = _asked(path, "poison", "good", "poison")
    assert (again.failure, n_posts) == ("server_error", 0), "it is read from the journal"
    (_, again), n_posts = _asked(path, "nothing", "good", "poison", retry_failed=True)
    assert (again.text, n_posts) == ("fine", 1)
    (_, again), n_posts = _asked(path, "poison", "good", "poison", retry_failed=True)
    assert (again.text, n_posts) == ("fine", 0), "what has an answer is not asked again"


@pytest.mark.usefixtures("short_pauses")
def test_an_outage_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(EndpointError, match="has answered none of the last"):
        _asked(tmp_path / "j", "", "one")
    assert journal_of(tmp_path / "j") == []


def test_a_refused_parameter_is_sent_by_another_name_or_left_out(tmp_path: Path) -> None:
    sampling = Sampling(temperature=0.3, presence_penalty=1.0)
    with Server("echo", refuse="max_tokens,temperature") as server:
        answers, client = with_client(server.base_url, tmp_path / "j", ask_all(8, sampling=sampling))
        assert {answer.changes for answer in answers} == {
            ("max_tokens sent as max_completion_tokens", "temperature left out")
        }
        # Whoever asks later knows.
        assert client.tally.sent < 8 + 3 * 8


def test_a_strict_recipe_refuses_to_leave_it_out(tmp_path: Path) -> None:
    ask = ask_all(1, sampling=Sampling(temperature=0.3))
    with Server("echo", refuse="temperature") as server, pytest.raises(ParameterError, match="`temperature`"):
        with_client(server.base_url, tmp_path / "j", ask, strict=True)


def test_a_schema_is_asked_for_in_the_strictest_way_that_the_endpoint_takes(tmp_path: Path) -> None:
    for refused, mode in (("", "json_schema"), ("response_format,structured_outputs", "tools")):
        with Server("echo", **({"refuse": refused} if refused else {})) as server:
            path = tmp_path / mode
            answers, client = with_client(server.base_url, path, ask_all(10, schema=SCHEMA))
            assert {answer.mode for answer in answers} == {mode}
            # One request has found out for all.
            assert client.tally.sent == 10 + (0 if mode == "json_schema" else 3)
            _, client = with_client(server.base_url, path, ask_all(11, schema=SCHEMA))
            assert client.tally.sent == 1, "the next session knows it from the journal"


def test_an_answer_that_ends_before_it_begins_gets_a_larger_bound(tmp_path: Path) -> None:
    script = tmp_path / "thinks.py"
    script.write_text(
        "from tests.generate.scripted.answers import Reply\n"
        "def answer(body):\n"
        "    if body['max_tokens'] < 400:\n"
        "        return Reply(content='', reasoning='hm ' * 500, finish_reason='length')\n"
        "    return Reply(content='done', reasoning='hm')\n"
    )
    with Server(str(script)) as server:
        ask = ask_all(1, max_tokens=100, max_tokens_cap=1000)
        answers, client = with_client(server.base_url, tmp_path / "j", ask)
        assert answers[0].text == "done"
        assert client.tally.sent == 3
        ask = ask_all(1, max_tokens=100, max_tokens_cap=300)
        answers, client = with_client(server.base_url, tmp_path / "j", ask)
        assert answers[0].is_cut, "its cap does not allow more"
        assert client.tally.sent == 0


@pytest.mark.parametrize(
    "budget",
    [Budget(requests=7), Budget(tokens=1500), Budget(money=0.004)],
    ids=["requests", "tokens", "money"],
)
def test_a_budget_is_never_exceeded_and_a_larger_one_goes_on(tmp_path: Path, budget: Budget) -> None:
    price = Price(input=2.0, output=10.0)
    answers: list[Answer] = []

    stops: list[Stopped] = []

    async def use(client: Client, line: Line) -> Client:
        try:
            for at in range(40):
                answers.append(await client.ask(line, question(f"number {at}", max_tokens=60)))
        except Stopped as stopped:
            stops.append(stopped)
        return client

    with Server("echo", faults=0.3, kinds="500,reset-body,drip") as server:
        client = with_client(server.base_url, tmp_path / "j", use, budget=budget, price=price, timeout_s=0.5)
        spent = client.purse.spent
        assert 0 < len(answers) < 40
        assert [stop.reason for stop in stops] == ["budget"]
        assert "a larger budget goes on" in str(stops[0])
        for name in ("requests", "tokens", "money"):
            bound = getattr(budget, name)
            assert bound is None or 0.3 * bound < getattr(spent, name) <= bound
        # What the server has counted, of all that it has answered, is no more than what counts as spent.
        counted = [line["usage"] for line in server.settled() if "usage" in line]
        assert sum(usage["total_tokens"] for usage in counted) <= spent.tokens
        assert sum(server.asked().values()) <= spent.requests
        n_before = len(answers)
        answers.clear()
        client = with_client(server.base_url, tmp_path / "j", use, budget=Budget(), price=price)
        assert len(answers) == 40
        assert client.tally.found == n_before
        assert client.purse.spent.requests >= 40


def test_a_budget_in_money_needs_a_price(tmp_path: Path) -> None:
    with Server("echo") as server, pytest.raises(ParameterError, match="the price of `scripted-1@127"):
        with_client(server.base_url, tmp_path / "j", ask_all(1), budget=Budget(money=1.0))


def test_a_request_whose_fate_is_unknown_counts_as_spent(tmp_path: Path) -> None:
    async def use(client: Client, line: Line) -> None:
        asked = asyncio.create_task(client.ask(line, question("x", max_tokens=50)))
        await asyncio.sleep(0.3)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)

    with Server("echo", latency_ms=2000) as server:
        with_client(server.base_url, tmp_path / "j", use, timeout_s=10)
    with Journal(tmp_path / "j") as journal:
        assert journal.spent("run").requests == 1
        assert journal.spent("run").output_tokens == 50


def test_requests_in_flight_adapt_to_refusals() -> None:
    async def main() -> None:
        pace = Pace(Endpoint("http://127.0.0.1/v1", "m", max_in_flight=16))
        sent = [await pace.enter(1) for _ in range(16)]
        for sent_s in sent[:5]:
            pace.refused(sent_s, 0.0)
            pace.leave(1, 0)
        assert pace.limit == 12, "a burst cuts once"
        for _ in range(11):
            pace.leave(1, 1)
        for _ in range(13):
            pace.succeeded()
        assert pace.limit == 13

    asyncio.run(main())


def test_a_rate_is_kept() -> None:
    async def main() -> float:
        pace = Pace(Endpoint("http://127.0.0.1/v1", "m", rpm=1200))
        began_s = time.monotonic()
        for _ in range(30):
            await pace.enter(1)
            pace.leave(1, 1)
        return time.monotonic() - began_s

    # 20 a second, of which the first 20 may come at once.
    assert asyncio.run(main()) >= 0.45


def test_one_that_waits_and_gives_up_wakes_the_next() -> None:
    async def main() -> None:
        pace = Pace(Endpoint("http://127.0.0.1/v1", "m", max_in_flight=1))
        await pace.enter(1)
        first, second = (asyncio.create_task(pace.enter(1)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        pace.leave(1, 1)
        await asyncio.wait_for(second, 1)

    asyncio.run(main())


def test_slots_are_spread_over_endpoints_by_weight() -> None:
    endpoints = [Endpoint("http://a/v1", "a", weight=3), Endpoint("http://b/v1", "b", weight=1)]
    chosen = [choose(endpoints, f"slot-{at}") for at in range(4000)]
    assert 0.72 < chosen.count(0) / 4000 < 0.78
    assert chosen == [choose(endpoints, f"slot-{at}") for at in range(4000)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"base_url": "127.0.0.1:8000"}, "base_url is `127.0.0.1:8000`"),
        ({"base_url": "http://name:secret@host/v1"}, "has a name or a password"),
        ({"max_in_flight": 0}, "max_in_flight is `0`"),
        ({"rpm": -1}, "rpm is `-1`"),
        ({"timeout_s": 0.0}, "timeout_s is `0`"),
        ({"api": "responses"}, "api is `responses`"),
    ],
)
def test_a_wrong_endpoint_is_refused_with_what_is_allowed(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message) as caught:
        Endpoint(**{"base_url": "http://host/v1", "model": "m", **given})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("model", ["default", "MODEL"])
def test_a_name_that_names_no_model_needs_a_revision(model: str) -> None:
    with pytest.raises(ParameterError, match="give `revision`"):
        _ = Endpoint("http://host/v1", model).identity
    assert Endpoint("http://host/v1", model, revision="llama-3 8b").identity == f"{model}@llama-3 8b"
    with pytest.raises(ParameterError, match="no model is named for `http://host/v1`"):
        _ = Endpoint("http://host/v1").identity


def test_a_key_goes_to_the_host_that_it_was_named_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    assert Endpoint("https://api.openai.com/v1", "m").key() == "sk-1"
    assert Endpoint("https://api.openai.com.evil.example/v1", "m").key() is None
    assert Endpoint("http://127.0.0.1/v1", "m").key() is None
    with pytest.raises(ParameterError, match="`NO_SUCH_KEY` is not set"):
        Endpoint("http://127.0.0.1/v1", "m", key_env="NO_SUCH_KEY").key()


def test_dates_and_seconds_say_when_to_come_back() -> None:
    assert retry_after_s("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert retry_after_s("-3") == 0.0
    assert retry_after_s("nan") is None or retry_after_s("nan") == 0.0
    assert Transient("timeout", "x").wait_s is None
