"""The simulation's connection to the engine, against a server that answers as it is told."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from jobs.simulate.connection import Connection

Answers = list[bytes | None]


def exchange(answers: Answers, use: Callable[[Connection], Awaitable[None]]) -> list[bytes]:
    """Lets a connection talk to a server that gives these answers, and closes at None; returns the requests' heads."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (answer := answers.pop(0)) is not None:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            await reader.readexactly(2)
            writer.write(answer)
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            connection = Connection(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", {"X-Key": "k"})
            await use(connection)
            connection.close()

    asyncio.run(main())
    return heads


def answer(status: str, body: bytes, *more: bytes) -> bytes:
    headers = b"".join(line + b"\r\n" for line in (*more, b"Content-Length: %d" % len(body)))
    return b"HTTP/1.1 " + status.encode() + b"\r\nServer: test\r\n" + headers + b"\r\n" + body


async def ask(connection: Connection) -> tuple[int, bytes]:
    return await connection.request("POST", "/v1/trades", b"{}")


def test_a_request_carries_its_idempotency_key_and_the_next_one_does_not() -> None:
    async def use(connection: Connection) -> None:
        await connection.request("POST", "/v1/offers/o/accept", b"{}", "once")
        await ask(connection)

    heads = exchange([answer("201 CREATED", b""), answer("201 CREATED", b""), None], use)
    assert [head.count(b"\r\nIdempotency-Key: once\r\n") for head in heads] == [1, 0]


def test_requests_follow_each_other_on_one_connection_with_its_headers() -> None:
    async def use(connection: Connection) -> None:
        assert await ask(connection) == (201, b"one\r\n\r\n")
        assert await ask(connection) == (409, b"")

    heads = exchange([answer("201 CREATED", b"one\r\n\r\n"), answer("409 CONFLICT", b""), None], use)
    assert len(heads) == 2
    assert heads[0].startswith(b"POST /v1/trades HTTP/1.1\r\n")
    assert b"\r\nX-Key: k\r\n" in heads[0]


@pytest.mark.parametrize("headers", [(), (b"Connection: close",)], ids=["unannounced", "announced"])
def test_a_connection_that_the_engine_has_closed_is_opened_again_without_an_error(headers: tuple[bytes, ...]) -> None:
    async def use(connection: Connection) -> None:
        assert await ask(connection) == (200, b"one")
        if not headers:
            await asyncio.sleep(0.1)
        assert await ask(connection) == (200, b"two")

    exchange([answer("200 OK", b"one", *headers), None, answer("200 OK", b"two"), None], use)


@pytest.mark.parametrize("broken", [b"", b"HTTP/1.1 200 OK\r\n\r\n", answer("200 OK", b"whole")[:-1], b"x" * 100_000])
def test_an_answer_that_is_not_whole_is_a_connection_error_and_the_next_request_goes_on(broken: bytes) -> None:
    async def use(connection: Connection) -> None:
        with pytest.raises(ConnectionError):
            await ask(connection)
        assert await ask(connection) == (200, b"two")

    exchange([broken, None, answer("200 OK", b"two"), None], use)
