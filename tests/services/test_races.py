import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from httpx import Response
from register_world import OPERATOR, Served, agreement, for_many_threads, serve

from fmar_spark.services.register.access import EVERYTHING
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.register.ledger import verify_ledger
from fmar_spark.services.register.parties import add_party, appoint_client
from fmar_spark.services.register.records import change_of

CLIENTS = 20


def appoint_racers(database: RegisterDatabase) -> list[str]:
    names = [f"RACER{number:02d}" for number in range(CLIENTS)]
    with change_of(database, EVERYTHING, OPERATOR) as change:
        for name in names:
            add_party(change, name, {"name": name, "roles": "fsp", "distributor_ids": ""})
            appoint_client(change, f"{name.lower()}-client", name, True)
    return names


def run_together(calls: list[Callable[[], Response]]) -> list[Response]:
    barrier = threading.Barrier(len(calls))

    def one(call: Callable[[], Response]) -> Response:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def test_of_20_clients_at_two_services_one_wins_and_19_learn_the_term_they_lost_to(database: RegisterDatabase, url: str) -> None:
    racers = appoint_racers(database)
    with ExitStack() as stack:
        services = [serve(database, url, for_many_threads, lock_timeout_seconds=60.0) for _ in range(2)]
        for service in services:
            stack.enter_context(service.http)
        answers = run_together([_bid(services[number % 2], name) for number, name in enumerate(racers)])
    won = [answer for answer in answers if answer.status_code == 201]
    lost = [answer.json() for answer in answers if answer.status_code == 409]
    assert (len(won), len(lost)) == (1, CLIENTS - 1)
    winner = won[0].json()
    assert {problem["conflict"]["rule"] for problem in lost} == {"exclusive_overlap"}
    assert {problem["conflict"]["valid_to_at"] for problem in lost} == {"2027-01-01T00:00:00.000000Z"}
    assert not [problem for problem in lost if winner["fsp_id"] in str(problem) or winner["agreement_id"] in str(problem)]
    verified = verify_ledger(database)
    assert (verified.breaks, verified.entries) == ((), 2 * 5 + 2 * CLIENTS + 1)


def _bid(service: Served, name: str) -> Callable[[], Response]:
    headers = service.headers(name)
    return lambda: service.http.post("/v1/agreements", json=agreement(), headers=headers)


def test_of_20_amendments_of_one_version_one_stands(served_at_once: Served) -> None:
    mine = served_at_once.create("ALPHA")
    headers = served_at_once.headers("ALPHA", **{"If-Match": '"v1"'})
    path = f"/v1/agreements/{mine['agreement_id']}"
    answers = run_together(
        [lambda tier=tier: served_at_once.http.patch(path, json={"primacy_tier": tier}, headers=headers) for tier in range(2, CLIENTS + 2)]
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * (CLIENTS - 1)
    assert verify_ledger(served_at_once.database).breaks == ()


def test_the_same_key_at_once_makes_one_agreement(served_at_once: Served) -> None:
    headers = served_at_once.headers("ALPHA", **{"Idempotency-Key": "once"})
    answers = run_together([lambda: served_at_once.http.post("/v1/agreements", json=agreement(), headers=headers)] * CLIENTS)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["agreement_id"] for answer in answers}) == 1


def test_different_assets_at_once_keep_one_chain(served_at_once: Served, url: str) -> None:
    bodies = [agreement(amsid=f"A{number}") for number in range(2 * CLIENTS)]
    service = serve(served_at_once.database, url, for_many_threads, max_requests_at_once=len(bodies), lock_timeout_seconds=60.0)
    headers = service.headers("ALPHA")
    with service.http:
        calls = [lambda body=body: service.http.post("/v1/agreements", json=body, headers=headers) for body in bodies]
        assert {answer.status_code for answer in run_together(calls)} == {201}
    assert verify_ledger(served_at_once.database).breaks == ()
