"""The rows that every judge looks at: one conversion, in which one thing at a time is otherwise.

A row's name says what is special about it: `phone.de.national`. The people are invented.
"""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]

PLAIN: Row = {
    "event_name": "Purchase",
    "event_time": "2026-05-31T10:00:00Z",
    "order_id": "1001",
    "value": "99.99",
    "currency": "EUR",
    "email": "jane.doe@shop.example",
    "phone": "+1 415 555 2671",
    "first_name": "jane",
    "last_name": "doe",
    "date_of_birth": "19970216",
    "gender": "f",
    "city": "portland",
    "state": "or",
    "postal_code": "97201",
    "country": "us",
    "external_id": "u-77",
    "mobile_ad_id": "6d92078a-8246-4ba4-ae5b-76104861e7dc",
    "client_ip": "8.8.4.4",
    "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "event_source_url": "https://www.shop.example/thanks",
    "action_source": "website",
    "fbc": "fb.1.1554763741205.IwAR0abc",
    "fbp": "fb.1.1558571054389.1098115397",
    "gclid": "Cj0KCQjwAbC",
    "sc_click_id": "c5b2a1",
    "epik": "dj0yJnU9",
    "contents": [{"id": "sku-1", "quantity": 2, "price": "9.5"}],
    "content_ids": ["sku-1"],
    "num_items": 2,
}
"""What no judge objects to: everything is in its normal form already."""

EMAILS = {
    "upper": "Jane.DOE@Shop.Example",
    "spaces": "  jane.doe@shop.example ",
    "no_break_space": "\u00a0jane.doe@shop.example",
    "zero_width": "\u200bjane.doe@shop.example",
    "mailto": "mailto:jane.doe@shop.example",
    "named": "Jane Doe <jane.doe@shop.example>",
    "gmail_dots": "jane.m.doe@gmail.com",
    "gmail_tag": "janedoe+shop@gmail.com",
    "googlemail": "Jane.Doe+Shop@GoogleMail.com",
    "gmail_subdomain": "jane.doe@mail.gmail.com",
    "gmail_only_tag": "+shop@gmail.com",
    "tag": "jane.doe+shop@shop.example",
    "apostrophe": "o'brien@shop.example",
    "underscore": "jane_doe@shop.example",
    "umlaut": "jürgen@shop.example",
    "umlaut_domain": "info@müller.example",
    "turkish_i": "İREM@shop.example",
    "inner_space": "jane doe@shop.example",
    "two_ats": "jane@doe@shop.example",
    "no_at": "jane.doe.shop.example",
    "no_top_level": "jane@localhost",
    "final_dot": "jane@shop.example.",
    "sha256": "542d240129883c019e106e3b1b2d3f3cb3537c43c425364de8e951d5a3083345",
    "md5": "c160f8cc69a4f0bf2b0362752353d060",
    "placeholder": "noreply@shop.example",
}

PHONES = {
    "de": ("+49 30 123456", "030 123456"),
    "gb": ("+44 121 234 5678", "0121 234 5678"),
    "fr": ("+33 1 23 45 67 89", "01 23 45 67 89"),
    "us": ("+1 201-555-0123", "(201) 555-0123"),
    "mx": ("+52 222 123 4567", "222 123 4567"),
    "br": ("+55 11 96123-4567", "(11) 96123-4567"),
    "tr": ("+90 501 234 56 78", "0501 234 56 78"),
    "in": ("+91 81234 56789", "081234 56789"),
    "jp": ("+81 90-1234-5678", "090-1234-5678"),
    "it": ("+39 02 1234 5678", "02 1234 5678"),
}
"""Country -> a number with its code, and the same number as people of that country write it."""

ODD_PHONES = {
    "mx_mobile_1": ("mx", "+52 1 222 123 4567"),
    "ar_mobile_9": ("ar", "+54 9 11 2345-6789"),
    "plain_e164": ("us", "+14155552671"),
    "digits": ("us", "14155552671"),
    "double_zero": ("de", "0049 30 123456"),
    "trunk_zero": ("de", "+49 (0)30 123456"),
    "extension": ("us", "+1 415 555 2671 x123"),
    "letters": ("us", "1-800-FLOWERS"),
    "float": ("us", "14155552671.0"),
    "right_to_left": ("us", "\u202a+1 415 555 2671\u202c"),
    "wide_digits": ("jp", "＋８１９０１２３４５６７８"),
    "arabic_digits": ("sa", "+٩٦٦٥١٢٣٤٥٦٧٨"),
    "too_short": ("us", "+1 415"),
}

NAMES = {
    "capitals": ("Jane", "DOE"),
    "apostrophe": ("D'Arcy", "O'Connor"),
    "typographic_apostrophe": ("D\u2019Arcy", "O\u2019Connor"),
    "hyphen": ("Mary-Ann", "Smith-Jones"),
    "umlaut": ("Jürgen", "Müller"),
    "sharp_s": ("Änne", "Groß"),
    "turkish_i": ("İpek", "YILDIZ"),
    "accent": ("Valéry", "Gauthier"),
    "decomposed": ("Vale\u0301ry", "Gauthier"),
    "greek": ("ΣΟΦΙΑ", "ΠΑΠΠΑΣ"),
    "cyrillic": ("Анна", "Иванова"),
    "korean": ("정", "김"),
    "japanese": ("裕貴", "佐藤"),
    "arabic": ("محمد", "علي"),
    "two_words": ("Anna Maria", "van der Berg"),
    "initials": ("J. R.", "Tolkien"),
    "suffix": ("John", "Doe, Jr."),
    "outer_spaces": ("  Jane ", "\tDoe"),
    "no_break_space": ("Anna\u00a0Maria", "Doe"),
    "zero_width": ("Ja\u200bne", "Doe"),
    "emoji": ("Jane😀", "Doe"),
    "digits": ("Jane2", "Doe3"),
    "only_punctuation": ("-.", "'"),
}

BIRTH_DATES = {
    "iso": "1997-02-16",
    "slashes_us": "2/16/1997",
    "slashes_eu": "16/02/1997",
    "dots": "16.02.1997",
    "timestamp": "1997-02-16T00:00:00Z",
    "words": "Feb 16 1997",
    "no_such_day": "1997-02-30",
    "placeholder": "1900-01-01",
    "future": "2099-01-01",
}

GENDERS = {
    "upper": "F",
    "female": "female",
    "male": "Male",
    "woman": "Woman",
    "mrs": "Mrs",
    "n": "n",
    "divers": "divers",
    "digit": "1",
}

CITIES = {
    "space": ("us", "San Francisco"),
    "dot": ("us", "St. Louis"),
    "hyphen": ("us", "Winston-Salem"),
    "umlaut": ("de", "München"),
    "accent": ("fr", "Saint-Étienne"),
    "apostrophe": ("nl", "'s-Hertogenbosch"),
    "turkish_i": ("tr", "İzmir"),
    "japanese": ("jp", "東京"),
    "brackets": ("de", "Frankfurt (Oder)"),
    "digits": ("fr", "Paris 10"),
}

STATES = {
    "upper": ("us", "OR"),
    "dots": ("us", "D.C."),
    "name": ("us", "California"),
    "name_of_two_words": ("us", "New York"),
    "canada": ("ca", "Québec"),
    "canada_code": ("ca", "QC"),
    "germany": ("de", "Bayern"),
    "france": ("fr", "Île-de-France"),
    "brazil": ("br", "São Paulo"),
    "australia": ("au", "NSW"),
}

POSTAL_CODES = {
    "zip_plus_4": ("us", "97201-1234"),
    "nine_digits": ("us", "972011234"),
    "leading_zero": ("us", "01067"),
    "gb": ("gb", "SW1A 1AA"),
    "gb_lower": ("gb", "m1 1ae"),
    "ca": ("ca", "K1A 0B1"),
    "nl": ("nl", "1012 AB"),
    "jp": ("jp", "100-0001"),
    "br": ("br", "01310-100"),
    "pl": ("pl", "00-950"),
    "spaces": ("de", " 10115 "),
}

COUNTRIES = {
    "upper": "US",
    "alpha_3": "DEU",
    "name": "Germany",
    "uk": "UK",
    "usa": "USA",
    "own_name": "Deutschland",
    "with_accent": "Türkiye",
    "unknown": "XX",
}

EXTERNAL_IDS = {
    "upper": "U-77",
    "spaces": " U 77 ",
    "integer": 77,
    "sha256": "542d240129883c019e106e3b1b2d3f3cb3537c43c425364de8e951d5a3083345",
}

CONTEXT: dict[str, Row] = {
    "ip.v6": {"client_ip": "2001:4860:4860::8888"},
    "ip.v6_upper": {"client_ip": "2001:4860:4860:0:0:0:0:88AB"},
    "ip.mapped": {"client_ip": "::ffff:8.8.4.4"},
    "ip.private": {"client_ip": "10.0.0.1"},
    "ip.list": {"client_ip": "8.8.4.4, 10.0.0.1"},
    "ip.none": {"client_ip": "0.0.0.0"},
    "url.query": {"event_source_url": "https://www.shop.example/thanks?email=a%40b.example#top"},
    "url.upper": {"event_source_url": "HTTPS://www.shop.example/thanks"},
    "url.none": {"event_source_url": "thanks.html"},
    "agent.two_lines": {"user_agent": "Mozilla/5.0\n(X11)"},
    "maid.upper": {"mobile_ad_id": "6D92078A-8246-4BA4-AE5B-76104861E7DC"},
    "maid.zero": {"mobile_ad_id": "00000000-0000-0000-0000-000000000000"},
    "source.app": {"action_source": "app"},
    "source.store": {"action_source": "physical_store"},
    "source.phone": {"action_source": "phone_call"},
    "source.chat": {"action_source": "chat"},
    "source.messaging": {"action_source": "business_messaging"},
    "source.system": {"action_source": "system_generated"},
}

CLICKS: dict[str, Row] = {
    "fbc.short_appendix": {"fbc": "fb.1.1554763741205.IwAR0abc.Ag"},
    "fbc.long_appendix": {"fbc": "fb.1.1554763741205.IwAR0abc.AQICAQMC"},
    "fbc.unknown_appendix": {"fbc": "fb.1.1554763741205.IwAR0abc.xyz"},
    "fbc.three_parts": {"fbc": "fb.1.1554763741205"},
    "fbc.from_click": {"fbc": None, "fbclid": "IwAR0_xYz-9"},
    "fbc.from_click_with_dots": {"fbc": None, "fbclid": "IwAR0.xYz"},
    "fbp.short_appendix": {"fbp": "fb.1.1558571054389.1098115397.BA"},
    "fbp.unknown_appendix": {"fbp": "fb.1.1558571054389.1098115397.zz"},
    "fbp.three_parts": {"fbp": "fb.1.1558571054389"},
    "gclid.all_three": {"gbraid": "0AAAAAoXyZ", "wbraid": "Cl8KCQjw"},
    "gclid.gbraid": {"gclid": None, "gbraid": "0AAAAAoXyZ"},
    "gclid.wbraid": {"gclid": None, "wbraid": "Cl8KCQjw"},
    "gclid.unfilled": {"gclid": "{gclid}"},
}

EVENTS: dict[str, Row] = {
    "event.lead": {"event_name": "Lead"},
    "event.custom": {"event_name": "Newsletter opened"},
    "time.fraction": {"event_time": "2026-05-31T10:00:00.999999Z"},
    "time.offset": {"event_time": "2026-05-31T19:00:00+09:00"},
    "money.whole": {"value": "100"},
    "money.many_digits": {"value": "99.995"},
    "money.zero": {"value": "0"},
    "money.lower_currency": {"currency": "eur"},
    "money.yen": {"value": "1250", "currency": "JPY"},
    "money.dinar": {"value": "1.2345", "currency": "BHD"},
    "money.no_such_currency": {"currency": "XYZ"},
    "contents.text": {"contents": [{"id": 7, "quantity": "2", "price": 9}]},
    "contents.no_price": {"contents": [{"id": "sku-1", "quantity": 1}]},
    "contents.named": {
        "contents": [{"id": "sku-1", "price": "3", "name": "Tea, green", "category": "Drinks"}]
    },
    "contents.brand": {"contents": [{"id": "sku-1", "price": "3", "brand": "Acme"}]},
    "consent.given": {"consent": True},
    "consent.opted_out": {"opt_out": True},
    "consent.limited": {"limited_data_use": True},
    "identity.mail_alone": {
        **dict.fromkeys(set(PLAIN) & {"phone", "first_name", "last_name", "external_id", "gclid"}),
        "date_of_birth": None,
        "client_ip": None,
    },
}


def _people() -> dict[str, Row]:
    rows: dict[str, Row] = {f"email.{name}": {"email": text} for name, text in EMAILS.items()}
    for country, (international, national) in PHONES.items():
        place = {"country": country, "state": None}
        rows[f"phone.{country}"] = {**place, "phone": international}
        rows[f"phone.{country}.national"] = {**place, "phone": national}
    for name, (country, text) in ODD_PHONES.items():
        rows[f"phone.{name}"] = {"country": country, "state": None, "phone": text}
    for name, (first, last) in NAMES.items():
        rows[f"name.{name}"] = {"first_name": first, "last_name": last}
    return rows


def _places() -> dict[str, Row]:
    rows: dict[str, Row] = {
        f"born.{name}": {"date_of_birth": text} for name, text in BIRTH_DATES.items()
    }
    rows |= {f"gender.{name}": {"gender": text} for name, text in GENDERS.items()}
    for name, (country, text) in CITIES.items():
        rows[f"city.{name}"] = {"country": country, "state": None, "city": text}
    for name, (country, text) in STATES.items():
        rows[f"state.{name}"] = {"country": country, "state": text}
    for name, (country, text) in POSTAL_CODES.items():
        rows[f"zip.{name}"] = {"country": country, "state": None, "postal_code": text}
    rows |= {f"country.{name}": {"country": text} for name, text in COUNTRIES.items()}
    rows |= {f"id.{name}": {"external_id": text} for name, text in EXTERNAL_IDS.items()}
    return rows


ROWS: dict[str, Row] = {
    name: {**PLAIN, "conversion_id": name, "event_id": name, **changes}
    for name, changes in {
        "plain": {},
        **_people(),
        **_places(),
        **CONTEXT,
        **CLICKS,
        **EVENTS,
    }.items()
}
"""Name -> canonical row."""
