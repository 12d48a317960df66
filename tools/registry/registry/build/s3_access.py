"""How ``s3://`` sources are read: with the same settings as a remote, passed on to ``fetcher`` as AWS_* variables."""

import re

from data_registry.store.s3_settings import resolve

S3_URL = re.compile(r"\bs3://[^\s,\"'/]+")


def s3_variables(text: str) -> dict[str, str]:
    """Return the variables with endpoint, region and credentials of the user; none if ``text`` has no s3 URL.

    Raises UsageError for an invalid profile, SourceRefused where its credentials cannot be obtained.
    """
    if not (match := S3_URL.search(text)):
        return {}
    settings = resolve("of sources.csv", {"url": match[0]})
    variables = {"AWS_ENDPOINT_URL": settings.endpoint}
    if settings.region:
        variables["AWS_REGION"] = settings.region
    if settings.provider:
        keys = settings.provider.retrieve()
        variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"] = keys.access_key, keys.secret_key
        variables["AWS_SESSION_TOKEN"] = keys.session_token or ""
    return variables
