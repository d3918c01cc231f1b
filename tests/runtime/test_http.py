"""Servers listen where they are told, report their port, and stop without cutting off who is being answered."""

import asyncio

import pytest
from aiohttp import web

from runtime.http import HttpServer, client_session


def make_app() -> web.Application:
    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(0.1)
        return web.Response(text="answered")

    app = web.Application()
    app.router.add_get("/slow", slow)
    return app


async def test_a_server_answers_finishes_what_it_began_and_can_be_run_again() -> None:
    server = HttpServer("api", make_app, host="127.0.0.1", port=0)
    for _ in range(2):
        async with client_session() as session, asyncio.TaskGroup() as group:
            group.create_task(server.run())
            await asyncio.wait_for(server.ready.wait(), 5)

            async def ask() -> str:
                async with session.get(f"http://127.0.0.1:{server.port}/slow") as response:
                    return await response.text()

            assert await ask() == "answered"
            asking = group.create_task(ask())
            await asyncio.sleep(0.03)
            server.stop()
            assert await asking == "answered"
        with pytest.raises(RuntimeError):
            _ = server.port


async def test_a_port_that_is_taken_is_an_error() -> None:
    server = HttpServer("api", make_app, host="127.0.0.1", port=0)
    async with asyncio.TaskGroup() as group:
        group.create_task(server.run())
        await server.ready.wait()
        with pytest.raises(OSError, match="address already in use"):
            await HttpServer("other", make_app, host="127.0.0.1", port=server.port).run()
        server.stop()
