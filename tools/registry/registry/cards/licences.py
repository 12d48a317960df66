"""Licences, as SPDX and the Hugging Face Hub call them (https://huggingface.co/docs/hub/repositories-licenses)."""

# Those that data and its code are often under; the Hub writes them in small letters.
SAME = (
    *("Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "MPL-2.0", "Unlicense", "CC0-1.0"),
    *("CC-BY-2.0", "CC-BY-2.5", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC-BY-ND-4.0"),
    *("CC-BY-NC-2.0", "CC-BY-NC-3.0", "CC-BY-NC-4.0", "CC-BY-NC-ND-3.0", "CC-BY-NC-ND-4.0"),
    *("CC-BY-NC-SA-2.0", "CC-BY-NC-SA-3.0", "CC-BY-NC-SA-4.0"),
    *("CDLA-Sharing-1.0", "CDLA-Permissive-1.0", "CDLA-Permissive-2.0"),
)
HUB = {
    **{name: name.lower() for name in SAME},
    **{"ODbL-1.0": "odbl", "ODC-By-1.0": "odc-by", "PDDL-1.0": "pddl"},
    **{"GPL-3.0-only": "gpl-3.0", "LGPL-3.0-only": "lgpl-3.0", "AGPL-3.0-only": "agpl-3.0"},
}


def spdx_id(licence: str) -> str:
    """Return the SPDX identifier that a licence is written as, or nothing for other words."""
    return next((name for name in HUB if name.lower() == licence.lower()), "")


def spdx_url(licence: str) -> str:
    """Return the page of a licence, or its words where they are no SPDX identifier."""
    known = spdx_id(licence)
    return f"https://spdx.org/licenses/{known}.html" if known else licence
