"""What an HTTP answer other than success asks of us: wait, try again, look elsewhere, or give up."""

import re
import time
from datetime import UTC
from email.utils import parsedate_to_datetime

from stage.errors import SourceRefused
from stage.redaction import safe_url

from fetcher.failures import Absent, Conflict, Transient
from fetcher.http import Response

SECONDARY_LIMIT = 60.0  # https://docs.github.com/rest/using-the-rest-api: wait at least one minute
HUB_LIMIT = re.compile(r"\br=0\b.*\bt=(\d{1,6})\b")  # https://huggingface.co/docs/hub/rate-limits: seconds to wait
S3_CODE = re.compile(r"<Code>(\w+)</Code>")


def refusal(response: Response, url: str, where: str) -> Exception:
    """Return the exception that an answer without the file means, and hang up."""
    status, said = response.status, response.excerpt()
    code = S3_CODE.search(said)
    what = f"{safe_url(url)} answered {status}" + (f" {code[1]}" if code else "")
    wait = _retry_after(response.header("Retry-After"))
    limited = status in {403, 429} and (limit := _rate_limit(response, said, wait)) is not None
    response.close()
    if limited:
        return Transient(f"{what} (rate limit)", limit)
    if status in {408, 425, 429} or status >= 500:
        return Transient(what, wait)
    if status in {404, 410}:
        return Absent(where, what, "correct the URL, or ask whoever keeps the source")
    if status == 409:
        return Conflict(where, what, "look at its state where it is kept")
    fix = "check the clock of this machine (date)" if code and "Time" in code[1] else "check the URL and your access"
    return SourceRefused(where, what, fix)


def _rate_limit(response: Response, said: str, wait: float | None) -> float | None:
    """Return how long a 403 or 429 that is a rate limit, as GitHub's are, asks us to wait; None if it is none."""
    if wait is not None:
        return wait
    reset = response.header("x-ratelimit-reset") or ""
    if response.header("x-ratelimit-remaining") == "0":
        return max(0.0, int(reset) - time.time()) + 1 if re.fullmatch(r"\d{1,15}", reset) else SECONDARY_LIMIT
    if hub := HUB_LIMIT.search(response.header("RateLimit") or ""):
        return float(hub[1])
    return SECONDARY_LIMIT if "rate limit" in said.lower() else None


def _retry_after(value: str | None) -> float | None:
    """Return the seconds that a Retry-After header means; None for none and for garbage."""
    if value and re.fullmatch(r"\d{1,15}", value.strip()):
        return float(value)
    try:
        moment = parsedate_to_datetime(value or "")
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, moment.timestamp() - time.time())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
