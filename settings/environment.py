"""Variables of the backend that a stack file may not set, and what each guards.

Names are compared without regard to case, as the application reads them.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from detection.secrets import looks_secret
from settings.addresses import reaches_metadata
from settings.problems import Problem

OWNED_ENV = frozenset(
    [
        "SKILLFLAW_CACHE_TYPE",
        "SKILLFLAW_CONFIG_DIR",
        "SKILLFLAW_CONFIG_MODEL",
        "SKILLFLAW_DATABASE_URL",
        "SKILLFLAW_DB_CONNECTION_SETTINGS",
        "SKILLFLAW_LOG_ENV",
        "SKILLFLAW_LOG_FILE",
        "SKILLFLAW_MAX_OVERFLOW",
        "SKILLFLAW_NEW_USER_IS_ACTIVE",
        "SKILLFLAW_OPEN_BROWSER",
        "SKILLFLAW_POOL_SIZE",
        "SKILLFLAW_PORT",
        "SKILLFLAW_PROMETHEUS_ENABLED",
        "SKILLFLAW_PROMETHEUS_PORT",
        "SKILLFLAW_REDIS_DB",
        "SKILLFLAW_REDIS_HOST",
        "SKILLFLAW_REDIS_PASSWORD",
        "SKILLFLAW_REDIS_PORT",
        "SKILLFLAW_REDIS_URL",
        "SKILLFLAW_SECRET_KEY",
        "SKILLFLAW_SECRET_KEY_FILE",
        "SKILLFLAW_SUPERUSER",
        "SKILLFLAW_SUPERUSER_PASSWORD",
        "SKILLFLAW_TRANSACTIONS_STORAGE_ENABLED",
        "SKILLFLAW_VERTEX_BUILDS_STORAGE_ENABLED",
        "SKILLFLAW_WEBHOOK_AUTH_ENABLE",
        "SKILLFLAW_WORKERS",
        "UVICORN_HOST",
        "UVICORN_PORT",
        "UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN",
        "UVICORN_TIMEOUT_KEEP_ALIVE",
        "WEB_CONCURRENCY",
    ]
)
"""Environment of the backend that only the program sets: it is derived from other sections, or the
application documents it and the deployment rests on it."""

_SECTIONS = {
    "CACHE_TYPE|REDIS_.+": "cache",
    "CONFIG_DIR": "storage",
    "DATABASE_URL": "database.external",
    "DB_CONNECTION_SETTINGS|MAX_OVERFLOW|POOL_SIZE": "database.poolSize or database.maxOverflow",
    "PROMETHEUS_.+": "monitoring.metrics",
    "SECRET_KEY(_FILE)?": "secretKey.existing",
    "SUPERUSER(_PASSWORD)?": "superuser",
    "(TRANSACTIONS|VERTEX_BUILDS)_STORAGE_ENABLED": "backend.records",
    "WORKERS|WEB_CONCURRENCY": "backend.scale",
    "UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN": "backend.longestFlowSeconds",
}
"""Sections of the stack file that decide owned variables, by the variables' names without prefix."""

HOST = "SKILLFLAW_HOST"
EVERY_ADDRESS = ("0.0.0.0", "::", "[::]")  # noqa: S104 - what a container listens on
"""Values of `HOST`: which families a pod's addresses have only its cluster knows."""

SECRET_REMEDY = "keep it in a Secret and write backend.secretEnv.NAME: {secretName, key}"  # noqa: S105
"""What to do with a secret instead of writing it into `backend.env`; NAME is the variable's."""

_PREFIX, _UPSTREAM_PREFIX = "SKILLFLAW_", "LANGFLOW_"

_IN_THE_IMAGE = "remove it; what every process needs belongs into the image"
_TRUST = (
    "remove it and write pods.trust: {configMapName, key}: a bundle that every part trusts which opens TLS"
)
_DATABASE = (
    "remove it and write database.external: {host, port, name, secretName, userKey, passwordKey, sslMode}; "
    "authorities are pods.trust's"
)
_SCALE = "remove it; backend.scale says how many pods serve, each with one process"

_PROCESS = {
    r"LD_\w+|DYLD_\w+|GLIBC_TUNABLES|GCONV_PATH|LOCPATH|NLSPATH|MALLOC_\w+": (
        "what the loader puts into the process",
        _IN_THE_IMAGE,
    ),
    r"PATH|ENV|BASH_\w+|BASHOPTS|SHELLOPTS|IFS|CDPATH|PS4|PROMPT_COMMAND": (
        "which programs a shell starts",
        _IN_THE_IMAGE,
    ),
    r"(?!PYTHON(UNBUFFERED|HASHSEED|UTF8|IOENCODING|DONTWRITEBYTECODE|FAULTHANDLER)$)PYTHON\w*": (
        "what the interpreter imports and how it runs",
        _IN_THE_IMAGE,
    ),
    r"NODE_EXTRA_CA_CERTS": ("which authorities the process trusts", _TRUST),
    r"NODE_\w+|NPM_CONFIG_\w+|PERL5?\w+|RUBY(OPT|LIB)|_?JAVA_\w*OPTIONS|JDK_JAVA_OPTIONS|CLASSPATH": (
        "what interpreters next to the backend import",
        _IN_THE_IMAGE,
    ),
    r"UVICORN_\w+|GUNICORN_\w+|WEB_CONCURRENCY": (
        "how the server listens and how many processes it has",
        _SCALE,
    ),
    r"SSL_CERT_\w+|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|AWS_CA_BUNDLE|GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": (
        "which authorities the process trusts",
        _TRUST,
    ),
    r"SSL\w*|OPENSSL_\w+": ("how the process opens TLS", _IN_THE_IMAGE),
    r"GIT_\w+": ("what git runs and trusts", _IN_THE_IMAGE),
    r"PG[A-Z]+": ("how libpq reaches the database", _DATABASE),
    r"HOSTALIASES|LOCALDOMAIN|RES_OPTIONS|RESOLV_\w+|TZDIR": ("how names are resolved", _IN_THE_IMAGE),
}
"""Names that interpreters, loaders, the server and libraries read: what they decide, and what to do instead."""


@dataclass(frozen=True)
class Guard:
    """A variable that security rests on."""

    guards: str
    """What is lost when it is weakened."""
    allowed: str
    """Values that weaken nothing, in words."""
    holds: Callable[[str], bool]
    """Whether a value is one of them."""


def _one_of(*words: str) -> Callable[[str], bool]:
    return lambda value: value.lower() in words


_ON, _OFF = _one_of("true", "1", "t", "yes", "y", "on"), _one_of("false", "0", "f", "no", "n", "off")


def _on(guards: str) -> Guard:
    return Guard(guards, "true", _ON)


def _off(guards: str) -> Guard:
    return Guard(guards, "false", _OFF)


def _listed(value: str) -> list[str]:
    """Parts of a list, which the application reads as JSON or between commas."""
    return [part.strip().strip("\"'").strip() for part in value.strip().strip("[]").split(",")]


_ORIGIN = re.compile(r"https://(?:[a-z0-9-]+\.)+[a-z0-9-]+(?::\d{1,5})?|https?://localhost(?::\d{1,5})?")


def _are_origins(value: str) -> bool:
    return all(_ORIGIN.fullmatch(origin) for origin in _listed(value))


_HOST = re.compile(r"(?:[a-z0-9_-]+\.)*[a-z0-9_-]*[a-z][a-z0-9_-]*", re.IGNORECASE)


def _are_hosts(value: str) -> bool:
    return all(
        (
            bool(_HOST.fullmatch(host))
            and host.lower() not in ("localhost", "metadata", "metadata.google.internal")
        )
        or reaches_metadata(host) is False
        for host in _listed(value)
        if host
    )


def _names_no_settings(value: str) -> bool:
    return not any(
        name.upper().startswith((_PREFIX, _UPSTREAM_PREFIX)) or name == "*" for name in _listed(value)
    )


GUARDS = {
    "AUTO_LOGIN": _off("the login: every visitor would be the administrator"),
    "SKIP_AUTH_AUTO_LOGIN": _off("the login: requests without a key would be the administrator's"),
    "ENABLE_SUPERUSER_CLI": _off("who makes administrators"),
    "DEVELOPER_API_ENABLED": _off("routes that are made for development"),
    "USE_NOOP_DATABASE": _off("that anything is stored"),
    "ACCESS_SECURE": _on("that the session's cookie travels over TLS only"),
    "ACCESS_HTTPONLY": _on("that no script of a page reads the session's cookie"),
    "ACCESS_SAME_SITE": Guard(
        "that no other site uses the session", "lax or strict", _one_of("lax", "strict")
    ),
    "REFRESH_SECURE": _on("that the refresh cookie travels over TLS only"),
    "REFRESH_HTTPONLY": _on("that no script of a page reads the refresh cookie"),
    "REFRESH_SAME_SITE": Guard(
        "that no other site uses the session", "none, lax or strict", _one_of("none", "lax", "strict")
    ),
    "CORS_ORIGINS": Guard(
        "whose pages may call the API as their visitor", "https origins by their full names", _are_origins
    ),
    "CORS_ALLOW_CREDENTIALS": Guard(
        "whose pages may call the API as their visitor",
        "true or false",
        lambda value: _ON(value) or _OFF(value),
    ),
    "CORS_ALLOW_METHODS": Guard(
        "what foreign pages may ask", "methods by name", lambda value: "*" not in value
    ),
    "CORS_ALLOW_HEADERS": Guard(
        "what foreign pages may send", "headers by name", lambda value: "*" not in value
    ),
    "SSRF_PROTECTION_ENABLED": _on("that flows reach nothing inside the cluster"),
    "SSRF_ALLOWED_HOSTS": Guard(
        "what flows reach inside the cluster",
        "hosts by their full names, and ranges without loopback and the cloud's metadata",
        _are_hosts,
    ),
    "ALGORITHM": Guard(
        "how sessions are signed", "HS256, RS256 or RS512", _one_of("hs256", "rs256", "rs512")
    ),
    "COMPONENTS_PATH": Guard("which code runs", "nothing; an image may set it itself", _one_of("")),
    "BUNDLE_URLS": Guard("which code runs", "nothing; bring the code in the image", _one_of("", "[]")),
    "VARIABLES_TO_GET_FROM_ENVIRONMENT": Guard(
        "that no user reads the program's own secrets", "names of keys of providers", _names_no_settings
    ),
    "SKILL_SANDBOX_NETWORK": Guard("that skills reach no network", "none", _one_of("none")),
    "SKILL_SANDBOX_READ_ONLY_ROOT": _on("that skills leave nothing behind"),
    "SKILL_SANDBOX_ENV_ALLOWLIST": Guard("what skills read", "nothing", _one_of("", "[]")),
}
"""Settings of the application and its upstream that security rests on, by name without prefix."""

_FAMILIES = ("CORS_", "SSRF_", "SKIP_AUTH", "AUTO_LOGIN", "WEBHOOK_AUTH", "ACCESS_SAME", "REFRESH_SAME")
"""How names begin whose every other setting is refused under protection, since nobody knows what it weakens."""


def env_problems(env: Mapping[str, str], *, protected: bool) -> Iterator[Problem]:
    """What is wrong with `backend.env`: at most one problem per variable, by name."""
    for name in sorted(env):
        path = f"backend.env.{name}"
        # Before secrets: as a Secret's key, too, these are refused.
        if problem := _taken(path, name.upper()) or _decisive(path, name.upper()):
            yield problem
        elif name.upper() == HOST:
            yield from _listens(path, env[name])
        elif looks_secret(name, env[name]):
            yield Problem(
                path=path,
                found="what looks like a secret, in a section that is stored in plain text",
                allowed="plain values",
                remedy=SECRET_REMEDY,
            )
        elif protected and (weakened := _weakened(path, name.upper().removeprefix(_PREFIX), env[name])):
            yield weakened


def secret_env_problems(
    secret_env: Collection[str], env: Collection[str], *, protected: bool
) -> Iterator[Problem]:
    """What is wrong with the names of `backend.secretEnv`, next to those of `backend.env`."""
    given = {name.upper(): f"backend.env.{name}" for name in env}
    for name in sorted(secret_env):
        path, upper = f"backend.secretEnv.{name}", name.upper()
        if problem := _taken(path, upper) or _decisive(path, upper):
            yield problem
        elif upper == HOST:
            yield from _listens(path, "a value that cannot be seen")
        elif upper in given:
            yield Problem(
                path=path,
                found=f"a variable that {given[upper]} sets too",
                allowed="one source for each variable, whatever the case of its name",
                remedy=f"remove one of the two, {given[upper]} if the value is a secret",
            )
        elif protected and (guard := _guard(upper.removeprefix(_PREFIX))):
            yield Problem(
                path=path,
                found=f"a value that cannot be seen, of a variable that guards {guard.guards}",
                allowed="variables that security does not rest on, under protection",
                remedy=f"remove it: the program's own value is safe. In backend.env allowed: {guard.allowed}",
            )
        given.setdefault(upper, path)


def prefix_problems(path: str, prefix: str) -> Iterator[Problem]:
    """What is wrong with a prefix: whoever writes the Secret chooses what follows it, so no guarded name may."""
    guarded = {
        *OWNED_ENV,
        *GUARDS,
        *(word for names in _PROCESS for word in re.findall(r"[A-Z0-9_]+", names)),
    }
    if (
        prefix.startswith((_PREFIX, _UPSTREAM_PREFIX, *_FAMILIES))
        or any(name.startswith(prefix) for name in guarded)
        or _decisive(path, f"{prefix}X")
    ):
        yield Problem(
            path=path,
            found=f"{prefix}, with which names begin that the program or a process itself reads",
            allowed="a prefix of your own, such as CRM_",
            remedy="name each variable in backend.secretEnv, or choose another prefix",
        )


def _taken(path: str, upper: str) -> Problem | None:
    if upper in OWNED_ENV:
        return Problem(
            path=path,
            found="a variable the program sets itself",
            allowed="variables that no section derives",
            remedy=_section(upper),
        )
    if upper.startswith(_UPSTREAM_PREFIX):
        spelling = _PREFIX + upper.removeprefix(_UPSTREAM_PREFIX)
        return Problem(
            path=path,
            found="a variable of SkillFlaw's upstream",
            allowed=f"{_PREFIX}… names",
            remedy=_section(spelling) if spelling in OWNED_ENV else f"write {spelling}",
        )
    return None


def _section(owned: str) -> str:
    for names, section in _SECTIONS.items():
        if re.fullmatch(names, owned.removeprefix(_PREFIX)):
            return f"remove it; {section} decides it"
    return "remove it; the program's own value is what the deployment rests on"


def _decisive(path: str, upper: str) -> Problem | None:
    for names, (decides, remedy) in _PROCESS.items():
        if re.fullmatch(names, upper):
            return Problem(
                path=path,
                found=f"a variable that decides {decides}",
                allowed="settings of the application and of flows",
                remedy=remedy,
            )
    return None


def _listens(path: str, value: str) -> Iterator[Problem]:
    if value not in EVERY_ADDRESS:
        yield Problem(
            path=path,
            found=f"{value or 'nothing'}, where no probe and no Service would find the backend",
            allowed=f"every address of the pod: {', '.join(EVERY_ADDRESS)}",
            remedy="remove it, or write :: where pods have IPv6 addresses ([::] for gunicorn)",
        )


def _guard(setting: str) -> Guard | None:
    unknown = Guard("security", "settings that the program knows", lambda value: False)
    return GUARDS.get(setting, unknown if setting.startswith(_FAMILIES) else None)


def _weakened(path: str, setting: str, value: str) -> Problem | None:
    guard = _guard(setting)
    if guard is None or guard.holds(value):
        return None
    return Problem(
        path=path,
        found=f"a value that may weaken {guard.guards}",
        allowed=f"{guard.allowed}, under protection",
        remedy=f"remove it: the program's own value is safe. Allowed here: {guard.allowed}",
    )
