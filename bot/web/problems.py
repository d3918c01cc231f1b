"""Errors as RFC 9457 problems: what is wrong and what to do, never how it looks inside."""

import time
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_SENTENCES = {
    404: "There is nothing at this address.",
    405: "This address does not take that method.",
    413: "The request is larger than this server takes.",
    415: "This address takes application/x-www-form-urlencoded only.",
}
QUIET_ROUTES = ("/health", "/metrics")


def problem(status: int, title: str, detail: str, headers: dict[str, str] | None = None) -> web.Response:
    """An ``application/problem+json`` answer."""
    return web.json_response(
        {"type": "about:blank", "title": title, "status": status, "detail": detail},
        status=status,
        content_type="application/problem+json",
        headers=headers,
    )


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns every error into a problem. What nobody expected is logged and told as 500 without details."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        kept = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        return problem(error.status, error.reason, _SENTENCES.get(error.status, error.reason), kept)
    except Exception:
        log.exception("request_failed", method=request.method, route=route_of(request))
        return problem(500, "Internal Server Error", "Something went wrong on our side. Please try again.")


@web.middleware
async def log_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    """One line for each request, by its route: paths hold signatures and are never logged."""
    began = time.perf_counter()
    response = await handler(request)
    if route_of(request) not in QUIET_ROUTES:
        log.info(
            "request_served",
            method=request.method,
            route=route_of(request),
            status=response.status,
            milliseconds=round((time.perf_counter() - began) * 1000, 1),
        )
    return response


def route_of(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "(no route)"
