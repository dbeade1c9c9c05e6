"""Who is calling: the game server with a service key, or a player with a token.

A service key is a secret that the game server, or a job, shares with the engine; it may do what its scope says. The
server of reports knows the same keys. A
player token is a JSON Web Token (RFC 7519, HS256) for one player of one realm; the game server asks for it and hands it
to the player's client. Several keys of either kind are valid at once, so that they can be rotated without a pause.
"""

import hashlib
import hmac
import logging
from datetime import UTC, datetime, timedelta
from enum import Flag, auto
from typing import Final, NamedTuple

import jwt

from app.errors import SettingsError, Unauthenticated
from app.settings import Settings

_log = logging.getLogger(__name__)
_ALGORITHM: Final = "HS256"
_SERVICE_KEY_LENGTH: Final = 16
_TOKEN_KEY_LENGTH: Final = 32


class Scope(Flag):
    """What a service key may do."""

    READ = auto()
    TRADE = auto()
    ADJUST = auto()
    REPORT = auto()
    ADMIN = auto()

    @property
    def words(self) -> str:
        """Its names."""
        return ", ".join(str(scope.name).lower() for scope in self)


ALL: Final = Scope.READ | Scope.TRADE | Scope.ADJUST | Scope.REPORT | Scope.ADMIN


_SCOPES: Final = {
    "read_keys": Scope.READ,
    "report_keys": Scope.READ | Scope.REPORT,
    "trade_keys": Scope.READ | Scope.TRADE,
    "adjust_keys": Scope.READ | Scope.ADJUST,
    "service_keys": ALL,
}
"""What the keys of each setting may do."""


class Caller(NamedTuple):
    """Who is calling: a player, or with None the game server, told apart by its key."""

    player_id: int | None
    name: str
    scope: Scope = ALL
    """Of a service key; a player's rights are its own affairs."""
    issued_at: float = 0.0
    """Of a token: when it was issued, in seconds since 1970."""

    def own_name(self, given: str) -> str:
        """The name under which a command of this caller is known: a player's names live apart from the game server's.

        `~` stands in no name that a caller may give.
        """
        return given if self.player_id is None else f"{self.player_id}~{given}"


ANYONE: Final = Caller(None, "anyone")
"""The caller of a route that asks for no key, and every caller while authentication is off."""


class ServiceKeys:
    """The service keys of the settings; raises SettingsError if one is too short."""

    def __init__(self, settings: Settings) -> None:
        for setting in _SCOPES:
            _check(setting.upper(), getattr(settings, setting), _SERVICE_KEY_LENGTH, may_lack=True)
        self._callers = _services(settings)
        self._seen: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._callers)

    def caller(self, given: str) -> Caller | None:
        """Whose key this is, told in constant time; None if it is nobody's."""
        as_bytes = given.encode(errors="surrogateescape")
        for key, caller in self._callers.items():
            if hmac.compare_digest(key, as_bytes):
                self._note_first_use(caller)
                return caller
        return None

    def _note_first_use(self, caller: Caller) -> None:
        """Says once for each worker which of the service keys are in use."""
        if caller.name not in self._seen:
            self._seen.add(caller.name)
            context = {"caller": caller.name, "scope": caller.scope.words}
            _log.info("a service key is used", extra={"context": context})


class Authenticator:
    """Knows the keys; raises SettingsError if authentication is on without good ones."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.is_on = settings.authentication == "on"
        self._token_keys = {_key_id(key): key for key in _keys(settings.token_keys)}
        if not self.is_on:
            _log.warning("authentication is off: every caller may do everything")
        else:
            _check("SERVICE_KEYS", settings.service_keys, _SERVICE_KEY_LENGTH)
            _check("TOKEN_KEYS", settings.token_keys, _TOKEN_KEY_LENGTH)
            self._services = ServiceKeys(settings)

    def caller(self, authorization: str | None) -> Caller:
        """The caller that an Authorization header names; raises Unauthenticated."""
        if not self.is_on:
            return ANYONE
        scheme, _, credential = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not credential:
            raise Unauthenticated("send the header `Authorization: Bearer <service key or player token>`")
        return self._services.caller(credential) or self._player(credential)

    def token(self, player_id: int) -> tuple[str, datetime]:
        """A new token of a player, and when it expires."""
        now = datetime.now(UTC)
        expires_at = now.replace(microsecond=0) + timedelta(seconds=self._settings.token_ttl_s)
        # with its fraction: it may follow a revocation within the same second
        claims = {"sub": str(player_id), "aud": self._settings.realm, "iat": now.timestamp(), "exp": expires_at}
        key_id, key = next(iter(self._token_keys.items()))
        return jwt.encode(claims, key, _ALGORITHM, headers={"kid": key_id}), expires_at

    def _player(self, token: str) -> Caller:
        try:
            key = self._token_keys[str(jwt.get_unverified_header(token).get("kid"))]
            options: jwt.types.Options = {"require": ["exp", "iat", "sub", "aud"]}
            claims = jwt.decode(token, key, [_ALGORITHM], options, audience=self._settings.realm)
            return Caller(int(claims["sub"]), f"player:{claims['sub']}", issued_at=float(claims["iat"]))
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("the player token has expired; the game server issues a new one") from None
        except (jwt.InvalidTokenError, KeyError, ValueError):
            raise Unauthenticated("the bearer is neither a service key nor a valid token of a player") from None


def _services(settings: Settings) -> dict[bytes, Caller]:
    """Each service key, with whom it shows; one that stands in several settings may do what each of them says."""
    scopes: dict[str, Scope] = {}
    for setting, scope in _SCOPES.items():
        for key in _keys(getattr(settings, setting)):
            scopes[key] = scopes.get(key, scope) | scope
    return {key.encode(): Caller(None, f"service:{_key_id(key)}", scope) for key, scope in scopes.items()}


def _keys(text: str) -> list[str]:
    return [key.strip() for key in text.split(",") if key.strip()]


def _key_id(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:12]


def _check(variable: str, text: str, length: int, *, may_lack: bool = False) -> None:
    if not _keys(text) and not may_lack:
        raise SettingsError([f"{variable} is missing; set it, or AUTHENTICATION=off on a machine of your own"])
    if any(len(key) < length for key in _keys(text)):
        raise SettingsError([f"{variable} has a key of fewer than {length} characters"])
