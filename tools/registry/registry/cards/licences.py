"""Licences of SPDX and the Hugging Face Hub (https://huggingface.co/docs/hub/repositories-licenses)."""

# The Hub writes these in lower case.
SAME = (
    *("Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "BSD-3-Clause-Clear", "MPL-2.0", "Unlicense", "CC0-1.0"),
    *("CC-BY-2.0", "CC-BY-2.5", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC-BY-ND-4.0"),
    *("CC-BY-NC-2.0", "CC-BY-NC-3.0", "CC-BY-NC-4.0", "CC-BY-NC-ND-3.0", "CC-BY-NC-ND-4.0"),
    *("CC-BY-NC-SA-2.0", "CC-BY-NC-SA-3.0", "CC-BY-NC-SA-4.0"),
    *("CDLA-Sharing-1.0", "CDLA-Permissive-1.0", "CDLA-Permissive-2.0", "etalab-2.0"),
    *("AFL-3.0", "Artistic-2.0", "BSL-1.0", "ECL-2.0", "EPL-1.0", "EPL-2.0", "EUPL-1.1", "ISC", "LPPL-1.3c", "MS-PL"),
    *("NCSA", "OFL-1.1", "OSL-3.0", "PostgreSQL", "WTFPL", "Zlib"),
)
GNU = ("GPL-2.0", "GPL-3.0", "LGPL-2.1", "LGPL-3.0", "AGPL-3.0")
HUB = {
    **{name: name.lower() for name in SAME},
    **{"ODbL-1.0": "odbl", "ODC-By-1.0": "odc-by", "PDDL-1.0": "pddl", "C-UDA-1.0": "c-uda", "LGPLLR": "lgpl-lr"},
    **{f"{name}-{which}": name.lower() for name in GNU for which in ("only", "or-later")},
    **{f"GFDL-{version}-{which}": "gfdl" for version in ("1.1", "1.2", "1.3") for which in ("only", "or-later")},
}


def spdx_id(licence: str) -> str:
    """Return the SPDX identifier of a licence, or nothing if the Hub does not know it."""
    return next((name for name in HUB if name.lower() == licence.lower()), "")


def spdx_url(licence: str) -> str:
    """Return the URL of a licence, or its text if the Hub does not know it."""
    known = spdx_id(licence)
    return f"https://spdx.org/licenses/{known}.html" if known else licence
