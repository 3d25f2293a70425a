"""Countries: ISO 3166 codes from whatever people write.

`country_names.json` is made by `scripts/country_names.py` from CLDR and ISO 3166.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pycountry

from connector.arrow.dictionary import map_distinct, remembered

_TABLE = Path(__file__).parent / "country_names.json"

_INITIALS = re.compile(r"[A-Za-z](?:\.\s*[A-Za-z])+\.?\Z")
"""`U.S.A.`, `U. K.`, `U.S`."""


def country_alpha2(countries: pa.Array) -> pa.Array:
    """ISO 3166 alpha-2 in lower case; null for anything that is not certainly one country.

    Reads alpha-2, alpha-3, and names in English and the languages of CLDR. Kosovo is `xk`, the code
    that ISO 3166 leaves to users and CLDR uses.
    """
    return map_distinct(countries, _country)


def country_alpha2_upper(countries: pa.Array) -> pa.Array:
    """As `country_alpha2`, in upper case. Source: Google Data Manager (`regionCode`)."""
    return pc.ascii_upper(country_alpha2(countries))


@remembered(4096)
def _country(text: str) -> str | None:
    name = re.sub(r"[.\s]", "", text) if _INITIALS.match(text) else text
    code = name.strip().upper()
    known = pycountry.countries.get(alpha_2=code) or pycountry.countries.get(alpha_3=code)
    return str(known.alpha_2).lower() if known is not None else _names().get(folded(name))


@functools.cache
def _names() -> dict[str, str]:
    """Folded name -> alpha-2 in lower case."""
    names: dict[str, str] = orjson.loads(
        (Path(__file__).parent / "country_names.json").read_bytes()
    )
    return names


def folded(name: str) -> str:
    """A name without accents, case, punctuation, `the` in front; `&` is `and`, `St.` `Saint`."""
    plain = "".join(
        letter
        for letter in unicodedata.normalize("NFKD", name.casefold())
        if not unicodedata.combining(letter)
    )
    plain = plain.replace("&", " and ").replace("'", "").replace("\u2019", "")
    words = re.findall(r"\w+", plain.replace("st.", "saint"))
    return " ".join(words[1:] if words[:1] == ["the"] else words)
