"""Recognise badges, which show the state of a service, by the host and path of their URL."""

import re
from typing import Final

URL: Final = re.compile(r"\s*<?(?:https?:)?//(?:[^/?#\s@]*@)?(?P<host>[^/?#:\s]+)(?::\d+)?(?P<path>[^?#\s\"'>]*)", re.I)
MAX_URL: Final = 2000  # characters
# Hosts that serve badges, and their subdomains.
HOSTS: Final = (
    "shields.io",
    "badge.fury.io",
    "badgen.net",
    "badges.gitter.im",
    "travis-ci.org",
    "travis-ci.com",
    "codecov.io",
    "coveralls.io",
    "ci.appveyor.com",
    "api.codacy.com",
    "api.codeclimate.com",
    "pepy.tech",
    "david-dm.org",
    "isitmaintained.com",
    "hits.seeyoufarm.com",
    "komarev.com",
    "api.securityscorecards.dev",
    "api.scorecard.dev",
    "bestpractices.coreinfrastructure.org",
)
# Paths of badges on hosts that also serve other images.
PATHS: Final = (
    re.compile(r"github\.com/[^/]+/[^/]+/(?:actions/)?workflows/.+/badge\.svg"),
    re.compile(r"[^/]+/.+/badges/.*(?:pipeline|coverage|release)\.svg"),  # GitLab on any host
    re.compile(r"(?:[^/]+\.)?circleci\.com/.+\.(?:svg|png)"),
    re.compile(r"sonarcloud\.io/api/project_badges/.*"),
    re.compile(r"dev\.azure\.com/.*/_apis/build/status.*"),
    re.compile(r"api\.netlify\.com/api/v1/badges/.*"),
    re.compile(r"(?:readthedocs\.org/projects|[^/]+\.readthedocs\.io)/.*badge.*"),
    re.compile(r"(?:zenodo\.org|goreportcard\.com|pkg\.go\.dev|bestpractices\.dev/projects/\d+)/badge.*"),
    re.compile(r"colab\.research\.google\.com/assets/colab-badge\.svg"),
    re.compile(r"mybinder\.org/badge.*\.svg"),
    re.compile(r"(?:www\.)?repostatus\.org/badges/.*"),
    re.compile(r"[^/]+/.+/badge\.svg"),  # of most other services
)


def is_badge(url: str) -> bool:
    """Return whether an image at this URL is a badge; a path within the repository never is."""
    match = URL.match(url)
    if not match or len(url) > MAX_URL:
        return False
    host = match["host"].lower()
    if any(host == name or host.endswith(f".{name}") for name in HOSTS):
        return True
    return any(path.fullmatch(host + match["path"]) for path in PATHS)
