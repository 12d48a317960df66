"""Tell a badge, which shows the state of a service, from an image: by where it comes from, not by a word in a path."""

import re
from typing import Final

URL: Final = re.compile(r"\s*<?(?:https?:)?//(?:[^/?#\s@]*@)?(?P<host>[^/?#:\s]+)(?::\d+)?(?P<path>[^?#\s\"'>]*)", re.I)
MOST: Final = 2000  # characters of a URL
# Hosts that serve badges, themselves and their subdomains.
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
# Of hosts that serve other images too, the paths of their badges.
PATHS: Final = (
    re.compile(r"github\.com/[^/]+/[^/]+/(?:actions/)?workflows/.+/badge\.svg"),
    re.compile(r"[^/]+/.+/badges/.*(?:pipeline|coverage|release)\.svg"),  # GitLab, wherever it is installed
    re.compile(r"(?:[^/]+\.)?circleci\.com/.+\.(?:svg|png)"),
    re.compile(r"sonarcloud\.io/api/project_badges/.*"),
    re.compile(r"dev\.azure\.com/.*/_apis/build/status.*"),
    re.compile(r"api\.netlify\.com/api/v1/badges/.*"),
    re.compile(r"(?:readthedocs\.org/projects|[^/]+\.readthedocs\.io)/.*badge.*"),
    re.compile(r"(?:zenodo\.org|goreportcard\.com|pkg\.go\.dev|bestpractices\.dev/projects/\d+)/badge.*"),
    re.compile(r"colab\.research\.google\.com/assets/colab-badge\.svg"),
    re.compile(r"mybinder\.org/badge.*\.svg"),
    re.compile(r"(?:www\.)?repostatus\.org/badges/.*"),
    re.compile(r"[^/]+/.+/badge\.svg"),  # what most other services call theirs
)


def is_badge(url: str) -> bool:
    """Return whether an image at this URL is a badge. A path within the repository never is."""
    match = URL.match(url)
    if not match or len(url) > MOST:
        return False
    host = match["host"].lower()
    if any(host == name or host.endswith(f".{name}") for name in HOSTS):
        return True
    return any(path.fullmatch(host + match["path"]) for path in PATHS)
