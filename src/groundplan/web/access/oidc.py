"""People whom a provider vouches for: OpenID Connect, code flow with PKCE."""

from __future__ import annotations

from collections.abc import Callable

import httpx2
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.starlette_client import OAuth
from joserfc.errors import JoseError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from groundplan.web.access.provider import Provider
from groundplan.web.access.tokens import Role

BEGIN, BACK = "/login/oidc", "/login/oidc/back"
NAMES = ("email", "preferred_username", "sub")  # the first that is there is who somebody is
TEN_MINUTES_S = 600

Entered = Callable[[Request, str, Role, tuple[str, ...]], Response]


def routes(provider: Provider, key: str, entered: Entered) -> list[BaseRoute]:
    """Return the routes to the provider and back; `entered` answers who came in: name, role, teams."""
    client = OAuth().register(
        "provider",
        server_metadata_url=f"{provider.issuer}/.well-known/openid-configuration",
        client_id=provider.client_id,
        client_secret=provider.client_secret,
        client_kwargs={"scope": provider.scope, "code_challenge_method": "S256"},
    )

    async def begin(request: Request) -> Response:
        address = (provider.address or str(request.base_url)).rstrip("/")
        try:
            answer: Response = await client.authorize_redirect(request, address + BACK)
        except httpx2.HTTPError:
            raise HTTPException(503, f"{provider.issuer} does not answer; try again later") from None
        return answer

    async def back(request: Request) -> Response:
        try:
            claims = (await client.authorize_access_token(request)).get("userinfo") or {}
        except (OAuthError, JoseError):
            raise HTTPException(403, "the provider did not vouch for you; log in again") from None
        except httpx2.HTTPError:
            raise HTTPException(503, f"{provider.issuer} does not answer; try again later") from None
        name = next((str(claims[one]) for one in NAMES if claims.get(one)), None)
        said = claims.get(provider.teams_claim) or []
        groups = tuple(map(str, said)) if isinstance(said, list) else (str(said),)
        role = provider.role_of(groups)
        if name is None or role is None:
            raise HTTPException(403, "none of your groups has a role here; ask an administrator")
        return entered(request, name, role, groups)

    memory = [Middleware(SessionMiddleware, key, "groundplan-login", TEN_MINUTES_S, same_site="lax")]
    return [Route(BEGIN, begin, middleware=memory), Route(BACK, back, middleware=memory)]
