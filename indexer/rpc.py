"""One node, spoken to by JSON-RPC over HTTP: batches of a limited size, typed answers, typed errors.

What a node takes at once is learnt from it: a batch that it refuses as a whole is halved, and so are later ones.
"""

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar, cast

import aiohttp
import msgspec

from indexer.abilities import Abilities
from indexer.budget import Budget
from indexer.model import ChainUnavailable
from indexer.wire import Answer, Result

T = TypeVar("T")

METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
LIMIT_EXCEEDED = -32005  # EIP-1474
REQUEST_TOO_LARGE = -32010  # ours, for a single call that the node does not take
_INVALID_REQUEST = -32600
_NOT_TAKEN = (_INVALID_REQUEST, -32000, -32700)  # of a request as a whole: invalid, beyond geth's limits, parse error
RESOURCE_NOT_FOUND = -32001  # EIP-1474; Anvil says it for a block hash that is gone
_ATTEMPTS = 3  # at a single call inside a batch
_PAUSE = 0.05  # seconds before it is asked again
BODY_SIZE = 1_900_000  # bytes; Anvil takes 2 MB, geth 5 MB
_SMALLEST_BODY = 60_000
USUAL_BATCH = 10  # what public nodes take
_REFUSED = (400, 413)  # HTTP: a request too large, or with too many calls


class NodeFailed(ChainUnavailable):
    """The node did not answer, or not in JSON-RPC."""

    def __init__(self, node: str, why: str) -> None:
        super().__init__(f"the node {node} failed: {why}")


class RequestRefused(NodeFailed):
    """The node refused the request as a whole: too many calls, or too large a body."""


class CallRefused(ChainUnavailable):
    """The node answered one call with an error."""

    def __init__(self, node: str, method: str, code: int, message: str) -> None:
        super().__init__(f"the node {node} refused {method}: {message[:200]} ({code})")
        self.method = method
        self.code = code
        self.message = message

    @property
    def is_final(self) -> bool:
        """Asking the same node again would not help."""
        return (
            self.code in (METHOD_NOT_FOUND, INVALID_PARAMS, RESOURCE_NOT_FOUND, REQUEST_TOO_LARGE) or 0 < self.code < 10
        )


class BlockGone(ChainUnavailable):
    """The node does not know a block (any more, or not yet), or a part of it. Look again where the chain stands."""


@dataclass(frozen=True, slots=True)
class Call:
    """A question and the type of its answer (anything msgspec decodes to)."""

    method: str
    params: Sequence[Any]
    answer: Any
    size: int = 200  # bytes that it takes in a request, roughly


class Node:
    """A client of one URL. Its name in messages has no path and no key: URLs of providers hold secrets."""

    def __init__(
        self,
        url: str,
        session: aiohttp.ClientSession,
        *,
        timeout: float,
        batch_size: int,
        connections: int,
        requests_per_minute: int | None = None,
        token: str | None = None,
    ) -> None:
        self.url = url
        self.name = public_name(url)
        self.token = token  # the ERC-20 contract whose units are counted; None: the native coin
        self.abilities = Abilities()  # until it has been probed
        self.budget = Budget(requests_per_minute)
        self._session = session
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self.batch_size = batch_size  # calls in one request
        self.body_size = BODY_SIZE  # bytes of one request
        self._turn = asyncio.Semaphore(connections)
        self._ids = itertools.count(1)

    async def call(self, method: str, params: Sequence[Any], answer: type[T]) -> T:
        """One call. Raises NodeFailed, CallRefused."""
        [result] = await self.batch([Call(method, params, answer)])
        return cast(T, result)

    async def batch(self, calls: Sequence[Call]) -> list[Any]:
        """The answers in the order of the calls, however many. Raises NodeFailed, CallRefused (of the first one)."""
        results = await self.attempt(calls)
        for result in results:
            if isinstance(result, CallRefused):
                raise result
        return results

    async def attempt(self, calls: Sequence[Call], *, once: bool = False) -> list[Any]:
        """As ``batch``, with CallRefused in the place of the answer where a call was refused. Raises NodeFailed.

        ``once``: a refusal is taken for an answer, also one that might be of the moment.
        """
        parts = self._parts(calls)
        if len(parts) == 1:
            return await self._part(parts[0], once)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._part(part, once)) for part in parts]
        except BaseExceptionGroup as failures:
            raise first_of(failures) from None
        return [result for task in tasks for result in task.result()]

    def _parts(self, calls: Sequence[Call]) -> list[Sequence[Call]]:
        """Runs of calls that fit into a request, by number and by size."""
        parts: list[Sequence[Call]] = []
        start, size = 0, 0
        for place, call in enumerate(calls):
            if place > start and (place - start >= self.batch_size or size + call.size > self.body_size):
                parts.append(calls[start:place])
                start, size = place, 0
            size += call.size
        return [*parts, calls[start:]] if calls else []

    async def _part(self, calls: Sequence[Call], once: bool) -> list[Any]:
        """One request; calls in it that failed for the moment are asked again, alone."""
        try:
            results = await self._request(calls)
        except RequestRefused as refusal:
            return await self._smaller(calls, once, refusal)
        for _ in range(0 if once else _ATTEMPTS - 1):
            again = [i for i, result in enumerate(results) if isinstance(result, CallRefused) and not result.is_final]
            if not again:
                break
            await asyncio.sleep(_PAUSE)
            for i, result in zip(again, await self._request([calls[i] for i in again]), strict=True):
                results[i] = result
        for result in results:
            if isinstance(result, CallRefused) and result.code == LIMIT_EXCEEDED:
                raise NodeFailed(self.name, result.message[:200])
        return results

    async def _smaller(self, calls: Sequence[Call], once: bool, refusal: RequestRefused) -> list[Any]:
        """In two requests, and no larger ones from now on. A single call that is too large is that call's refusal."""
        size = sum(call.size for call in calls)
        if size > _SMALLEST_BODY:
            self.body_size = min(self.body_size, max(_SMALLEST_BODY, size // 2))
        if len(calls) == 1:
            if size <= _SMALLEST_BODY:
                raise refusal
            return [CallRefused(self.name, calls[0].method, REQUEST_TOO_LARGE, "the request is too large")]
        middle = USUAL_BATCH if USUAL_BATCH < len(calls) <= 2 * USUAL_BATCH else (len(calls) + 1) // 2
        if size <= _SMALLEST_BODY:
            self.batch_size = min(self.batch_size, middle)
        first = await self.attempt(calls[:middle], once=once)
        return [*first, *await self.attempt(calls[middle:], once=once)]

    async def _request(self, calls: Sequence[Call]) -> list[Any]:
        ids = list(itertools.islice(self._ids, len(calls)))
        questions = [
            {"jsonrpc": "2.0", "id": i, "method": call.method, "params": call.params}
            for i, call in zip(ids, calls, strict=True)
        ]
        await self.budget.take(len(calls))
        body = await self._post(msgspec.json.encode(questions[0] if len(questions) == 1 else questions))
        if (results := _all_good(body, ids, calls)) is not None:
            return results
        answers = self._decode(body)
        if len(answers) == 1 and _is_of_whole(answers[0], len(calls)):
            assert answers[0].error is not None
            failure = RequestRefused if answers[0].error.code in _NOT_TAKEN else NodeFailed
            raise failure(self.name, f"{answers[0].error.message[:200]} ({answers[0].error.code})")
        by_id = {answer.id: answer for answer in answers}
        return [self._result(call, by_id.get(i)) for i, call in zip(ids, calls, strict=True)]

    async def _post(self, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json"}
        try:
            async with (
                self._turn,
                self._session.post(self.url, data=body, headers=headers, timeout=self._timeout) as response,
            ):
                if response.status == 429 or response.status >= 500:
                    raise NodeFailed(self.name, f"HTTP {response.status}")
                if response.status in _REFUSED:
                    raise RequestRefused(self.name, f"HTTP {response.status}")
                return await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NodeFailed(self.name, f"{type(error).__name__}") from error

    def _decode(self, body: bytes) -> list[Answer]:
        try:
            if body.lstrip()[:1] == b"[":
                return msgspec.json.decode(body, type=list[Answer])
            return [msgspec.json.decode(body, type=Answer)]
        except msgspec.DecodeError as error:
            raise NodeFailed(self.name, "its answer is not JSON-RPC") from error

    def _result(self, call: Call, answer: Answer | None) -> Any:
        if answer is None:
            return CallRefused(self.name, call.method, 0, "its answer left this call out")
        if answer.error is not None:
            return CallRefused(self.name, call.method, answer.error.code, answer.error.message)
        try:
            return msgspec.json.decode(answer.result, type=call.answer)
        except msgspec.DecodeError as error:
            if bytes(answer.result) == b"null":
                return CallRefused(self.name, call.method, 0, "it answered null")
            raise NodeFailed(self.name, f"its answer to {call.method} has another form: {error}") from error


def _all_good(body: bytes, ids: Sequence[int], calls: Sequence[Call]) -> list[Any] | None:
    """The results, decoded in one go: possible where all calls ask for the same type and were answered in order.

    None for everything else (an error, a null, another order), which is then looked at element by element.
    """
    asked_for = calls[0].answer
    if len(calls) == 1 or any(call.answer is not asked_for for call in calls):
        return None
    try:
        results: list[Result[Any]] = _decoder(asked_for).decode(body)
    except msgspec.DecodeError:
        return None
    return [result.result for result in results] if [result.id for result in results] == ids else None


@lru_cache(maxsize=32)
def _decoder(answer: Any) -> msgspec.json.Decoder[list[Result[Any]]]:
    return msgspec.json.Decoder(list[Result[answer]])


def _is_of_whole(answer: Answer, calls: int) -> bool:
    """An error that is said of the request: without an id or, by geth of too large a batch, with that of a call."""
    if answer.error is None:
        return False
    return answer.id is None or (calls > 1 and answer.error.code == _INVALID_REQUEST)


def public_name(url: str) -> str:
    """Scheme, host and port of a URL: fit for logs."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}"


def first_of(failures: BaseExceptionGroup[Any]) -> BaseException:
    """Of failures at the same time, the first one: the others are its company."""
    first: Any = failures
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    assert isinstance(first, BaseException)
    return first
