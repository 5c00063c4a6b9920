"""A bucket behind the API of S3."""

from dataclasses import dataclass

from .references import SecretKeyRef


@dataclass(frozen=True, kw_only=True)
class ObjectStore:
    """A folder of a bucket, and who writes there."""

    endpoint: str
    """An http(s) origin."""
    bucket: str
    """Name of a bucket that exists."""
    access_key: SecretKeyRef
    """Key of the one who writes there."""
    secret_key: SecretKeyRef
    """The secret that belongs to it."""
    prefix: str = "skillflaw"
    """Folder inside the bucket."""
    region: str = "us-east-1"
    """Region that requests are signed for."""
