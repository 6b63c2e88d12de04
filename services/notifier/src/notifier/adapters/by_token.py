"""Signing in to an SMTP server by access token (RFC 4954, with the ways of `domain.sasl`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import aiosmtplib
from aiosmtplib.response import SMTPResponse

from notifier.domain.sasl import Bearer, Way, after_error, choose, first_response, fits_inline, refusal, status_of

CONTINUE, DONE = 334, 235

TokenSource = Callable[[str], Awaitable[str]]
"""Gives an access token, another than the refused one in its argument where that may help. Raises NoSignInError."""


class NoSignInError(aiosmtplib.SMTPException):
    """There is no token, or it was refused; the message says what to do."""


class _RefusedError(NoSignInError):
    """`another`: whether another token may be taken."""

    def __init__(self, words: str, *, another: bool) -> None:
        super().__init__(words)
        self.another = another


async def sign_in(client: aiosmtplib.SMTP, host: str, port: int, username: str, tokens: TokenSource) -> SMTPResponse:
    """With a second token where the first is refused: it may have been revoked. Raises NoSignInError, or what aiosmtplib raises."""
    way = choose(client.server_auth_methods)
    if way is None:
        raise NoSignInError("The server offers no sign-in by OAuth 2.0 (neither OAUTHBEARER nor XOAUTH2): choose auth password")
    bearer = Bearer(username, host, port, await tokens(""))
    try:
        return await _try(client, way, bearer)
    except _RefusedError as error:
        token = await tokens(bearer.token) if error.another else bearer.token
        if token == bearer.token:
            raise
    return await _try(client, way, replace(bearer, token=token))


async def _try(client: aiosmtplib.SMTP, way: Way, bearer: Bearer) -> SMTPResponse:
    """A server that refuses may say why in one more challenge, which must be answered."""
    command, response = [b"AUTH", way.encode()], first_response(way, bearer)
    if fits_inline(way, response):
        answer = await client.execute_command(*command, response)
    else:
        answer = await client.execute_command(*command)
        if answer.code == CONTINUE:
            answer = await client.execute_command(response)
    status = ""
    if answer.code == CONTINUE:
        status = status_of(answer.message)
        answer = await client.execute_command(after_error(way))
    if answer.code != DONE:
        refused = refusal(answer.code, answer.message, status, bearer.username)
        raise _RefusedError(refused.words, another=refused.another)
    return answer
