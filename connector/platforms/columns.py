"""The canonical columns: every name that a query may alias to, and what each may hold."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["text", "time", "money", "number", "currency", "integer", "json", "flag", "choice"]
EXTRA = "extra."
"""Prefix of table columns that a destination adds under `extra`."""


class Column(NamedTuple):
    """A canonical column.

    Attributes:
        group: What it is about.
        kind: What it is coerced to.
        rule: What it may hold, for people.
        example: A value.
        personal: Its plain values do not leave the process.
        choices: Of a choice, the words that it may be.
    """

    group: str
    kind: Kind
    rule: str
    example: str
    personal: bool = False
    choices: tuple[str, ...] = ()


ACTION_SOURCES = (
    "website",
    "app",
    "physical_store",
    "phone_call",
    "email",
    "chat",
    "business_messaging",
    "system_generated",
    "other",
)

SYSTEMS = ("ios", "android")
"""Values of `mobile_os`."""

MESSAGING_CHANNELS = ("whatsapp", "messenger", "instagram")
"""Values of `messaging_channel`."""

PAGE_TYPES = ("home", "searchresults", "category", "product", "cart", "purchase", "other")
"""Values of `page_type`."""

ITEM_FIELDS = ("id", "quantity", "price", "name", "category", "brand", "group_id")
"""Keys of an entry of `contents`."""

_ATTRIBUTION: tuple[tuple[str, Kind, str, str], ...] = (
    ("ad_callback", "text", "the callback that the click brought", "E.C.P.callback"),
    ("campaign_id", "text", "the campaign", "1771234567890"),
    ("ad_id", "text", "the ad", "1779876543210"),
    ("creative_id", "text", "the creative", "1775555555555"),
    ("attributed", "flag", "true where it was ascribed to this platform", "true"),
    ("retargeting", "flag", "true where it was a retargeting campaign", "false"),
    ("attribution_type", "text", "by what rule", "click_through"),
    ("attribution_provider", "text", "who ascribed it", "AppsFlyer"),
)

COLUMNS: dict[str, Column] = {
    "event_name": Column(
        "event", "text", "what happened; required; mapped by `events` in the YAML", "Purchase"
    ),
    "event_time": Column(
        "event",
        "time",
        "when it happened; a timestamp, or ISO 8601 text; naive ones need `time_zone`",
        "2026-04-13T14:30:00Z",
    ),
    "event_id": Column(
        "event",
        "text",
        "only to share an id with a browser pixel; otherwise made from the key",
        "order-1001",
    ),
    "order_id": Column("event", "text", "the shop's order number", "1001"),
    "value": Column(
        "event",
        "money",
        "major units, not negative, at most 1e9; rounded to the currency's digits, half to even",
        "99.99",
    ),
    "currency": Column("event", "currency", "ISO 4217", "USD"),
    "email": Column(
        "identity",
        "text",
        "an address, or an array of up to three; hashed as each platform asks",
        "Jane.Doe@example.org",
        True,
    ),
    "phone": Column(
        "identity",
        "text",
        "E.164, or national: read by the row's `country`, by `default_region` where it has none; "
        "or an array of up to three",
        "+1 415 555 2671",
        True,
    ),
    **{
        f"{name}_{number}": Column(
            "identity", "text", f"another {what} of the same person", example, True
        )
        for name, what, examples in (
            ("email", "address", ("jane@work.example", "jane@old.example")),
            ("phone", "number", ("+1 415 555 2672", "+1 415 555 2673")),
        )
        for number, example in enumerate(examples, 2)
    },
    "first_name": Column("identity", "text", "given name", "Jane", True),
    "last_name": Column("identity", "text", "family name", "Doe", True),
    "date_of_birth": Column(
        "identity",
        "text",
        "a date, ISO 8601 text, 31.12.1990 or 1990/12/31; 03/04/1990 needs `date_order`",
        "1990-12-31",
        True,
    ),
    "gender": Column("identity", "text", "f, m, female or male", "f", True),
    "street": Column("identity", "text", "street and number", "1 Main St", True),
    "city": Column("identity", "text", "city", "San Francisco", True),
    "state": Column("identity", "text", "state or province; two letters in the US", "CA", True),
    "postal_code": Column("identity", "text", "text, so that leading zeros stay", "94105", True),
    "country": Column(
        "identity",
        "text",
        "ISO 3166 alpha-2 or alpha-3, or the name in English or a language of CLDR",
        "US",
        True,
    ),
    "guid": Column("identity", "text", "a UUID, version 4", "85b04ded-09dd-4015-ad30-581e45452dd9"),
    "first_party_id": Column(
        "identity", "text", "your own id of the customer; text or an integer", "customer_12345"
    ),
    "external_id": Column(
        "identity",
        "text",
        "an id shared with the platform; text or an integer, or an array of up to three",
        "u-77",
    ),
    **{
        f"external_id_{number}": Column(
            "identity", "text", "another id of the same person", f"u-7{number}"
        )
        for number in (2, 3)
    },
    "mobile_ad_id": Column(
        "identity",
        "text",
        "IDFA or GAID, a UUID; most platforms need `mobile_os` to know which",
        "6d92078a-8246-4ba4-ae5b-76104861e7dc",
    ),
    "mobile_os": Column(
        "identity", "choice", f"system of the device: {' or '.join(SYSTEMS)}", "ios", False, SYSTEMS
    ),
    "idfa": Column(
        "identity",
        "text",
        "Apple's advertising id, a UUID, as `mobile_ad_id` of ios",
        "6d92078a-8246-4ba4-ae5b-76104861e7dc",
    ),
    "gaid": Column(
        "identity",
        "text",
        "Google's advertising id, a UUID, as `mobile_ad_id` of android",
        "cdda802e-fb9c-47ad-9866-0794d394c912",
    ),
    "lead_id": Column(
        "identity", "text", "the platform's id of a lead of its own form", "1234567890123456"
    ),
    "subscription_id": Column(
        "identity", "text", "the platform's id of a subscription", "sub-1234567"
    ),
    "ga_client_id": Column(
        "identity", "text", "Google Analytics: client id of the browser", "1234567890.1700000000"
    ),
    "ga_app_instance_id": Column(
        "identity",
        "text",
        "Google Analytics: id of the app's installation",
        "8a9e8c0d4c3f4b1e9d2a7f6b5c4d3e2f",
    ),
    "company": Column("identity", "text", "the person's employer", "Acme Ltd", True),
    "job_title": Column("identity", "text", "the person's position", "Engineer", True),
    "email_sha256": Column(
        "identity", "text", "hex SHA-256 of the trimmed, lower-case address", "973dfe46...813b"
    ),
    "phone_sha256": Column(
        "identity",
        "text",
        "hex SHA-256 of the digits with country code, no plus",
        "e323ec62...3176",
    ),
    "phone_e164_sha256": Column(
        "identity", "text", "hex SHA-256 of E.164 with the plus", "c59475d9...390e"
    ),
    "first_name_sha256": Column(
        "identity", "text", "hex SHA-256 of the trimmed, lower-case name", "69157771...f4ec"
    ),
    "last_name_sha256": Column(
        "identity", "text", "hex SHA-256 of the trimmed, lower-case name", "799ef92a...9d6e"
    ),
    "external_id_sha256": Column("identity", "text", "hex SHA-256 of the id", "0a1b...ff"),
    "client_ip": Column(
        "context", "text", "IPv4 or IPv6 of the customer; never a private one", "8.8.8.8", True
    ),
    "user_agent": Column(
        "context",
        "text",
        "the browser's User-Agent header",
        "Mozilla/5.0 (Macintosh; ...) Chrome/124.0",
        True,
    ),
    "event_source_url": Column(
        "context",
        "text",
        "page of the conversion; query and fragment are cut off",
        "https://shop.example/thanks",
    ),
    "referrer_url": Column(
        "context",
        "text",
        "page before that; query and fragment are cut off",
        "https://shop.example/cart",
    ),
    "page_title": Column("context", "text", "title of that page", "Thank you"),
    "page_type": Column(
        "context",
        "choice",
        f"what kind of page: {', '.join(PAGE_TYPES)}",
        "purchase",
        False,
        PAGE_TYPES,
    ),
    "page_category": Column("context", "text", "category of products on that page", "tea"),
    "page_keywords": Column("context", "text", "keywords of that page", "tea, green tea"),
    "page_load_id": Column(
        "context",
        "text",
        "a UUID that the events of one page view share",
        "3f2b6f0e-7f0b-4a55-9d0c-0a5b1f6f6c11",
    ),
    "description": Column("context", "text", "what happened, in words", "spring sale"),
    "messaging_channel": Column(
        "context",
        "choice",
        f"of a conversation: {', '.join(MESSAGING_CHANNELS)}",
        "whatsapp",
        False,
        MESSAGING_CHANNELS,
    ),
    "lead_source": Column("context", "text", "the CRM that a lead's stage comes from", "HubSpot"),
    "app_id": Column("app", "text", "the store's or bundle's id of the app", "com.shop.example"),
    "app_name": Column("app", "text", "name of the app", "Shop"),
    "app_version": Column("app", "text", "its version", "4.2.1"),
    "os_version": Column("app", "text", "version of the device's system", "17.5"),
    "device_model": Column("app", "text", "model of the device", "iPhone15,2"),
    "device_brand": Column("app", "text", "maker of the device", "Apple"),
    "device_type": Column("app", "text", "kind of device", "phone"),
    "device_carrier": Column("app", "text", "the device's mobile network", "Acme Mobile"),
    "screen_width": Column("app", "integer", "of the device's screen, in pixels", "1179"),
    "screen_height": Column("app", "integer", "of the device's screen, in pixels", "2556"),
    "wifi": Column("app", "flag", "true where the device was in a Wi-Fi", "true"),
    "locale": Column("app", "text", "language and country of the device", "en_US"),
    "ad_tracking": Column(
        "app", "flag", "true where the person lets apps track, as the device says", "true"
    ),
    **{
        name: Column("attribution", kind, f"of an event that is ascribed to an ad: {what}", example)
        for name, kind, what, example in _ATTRIBUTION
    },
    "action_source": Column(
        "context",
        "choice",
        f"where it happened: {', '.join(ACTION_SOURCES)}",
        "website",
        False,
        ACTION_SOURCES,
    ),
    **{
        name: Column("click ids", "text", f"{what}; case-sensitive, passed on as it is", example)
        for name, what, example in (
            ("gclid", "Google click id", "Cj0KCQjw"),
            ("gbraid", "Google app click id", "0AAAAAo"),
            ("wbraid", "Google web-to-app click id", "Cl8KCQ"),
            ("fbc", "Meta click cookie", "fb.1.1554763741205.AbCdEf"),
            ("fbp", "Meta browser cookie", "fb.1.1558571054389.1098115397"),
            ("fbclid", "Meta click id", "IwAR0abc"),
            ("ttclid", "TikTok click id", "E.C.P.abc"),
            ("ttp", "TikTok cookie", "94e2a4j9"),
            ("sc_click_id", "Snapchat click id", "c5b2a1"),
            ("sc_cookie", "Snapchat cookie", "65a6a8"),
            ("epik", "Pinterest click id", "dj0yJnU9"),
            ("rdt_cid", "Reddit click id", "38299"),
            ("li_fat_id", "LinkedIn click id", "85b04ded-09dd"),
            ("msclkid", "Microsoft click id", "0a1b2c3d4e5f60718293a4b5c6d7e8f9"),
            ("twclid", "X click id", "23opevjt"),
            ("dclid", "Campaign Manager 360 click id", "CJqzq5vZ"),
            ("impression_id", "Campaign Manager 360 impression id", "imp_0b1c2d"),
            ("match_id", "Campaign Manager 360 match id", "match_77"),
            ("session_attributes", "Google's session attributes, from its tag", "CAESBgoE"),
            ("ctwa_clid", "Meta click id of an ad that opens WhatsApp", "ARAkLkA8rmlF"),
            ("oppref", "OpenAI click id", "op_abc"),
            ("obref", "OpenAI browser cookie", "ob_abc"),
            ("rdt_uuid", "Reddit browser cookie", "1677712978045.b8f7d2c1"),
            ("aref", "Amazon click id", "b3f1a7c2"),
            ("tblci", "Taboola click id", "GiDxLZcEVjwEqkGf"),
            ("ttd_impression_id", "The Trade Desk impression id", "7e5c1a90"),
            ("tdid", "The Trade Desk cookie", "6d92078a-8246-4ba4-ae5b-76104861e7dc"),
            ("uid2", "UID2 of the person, from a UID2 operator", "AKaNkgRC4TY="),
            ("click_id", "click id of a network that you added yourself", "kc_8f2a"),
            ("browser_id", "browser cookie of such a network", "kb_77"),
        )
    },
    "contents": Column(
        "commerce",
        "json",
        f"list of {{{', '.join(ITEM_FIELDS)}}}, as JSON or nested columns",
        '[{"id":"sku-1","quantity":2,"price":9.5}]',
    ),
    "content_ids": Column(
        "commerce", "json", "list of product ids, as JSON or an array", '["sku-1","sku-2"]'
    ),
    "predicted_ltv": Column(
        "commerce", "number", "what the person is expected to spend, in `currency`", "420.5"
    ),
    "num_items": Column("commerce", "integer", "number of items", "2"),
    "event_parameters": Column(
        "commerce", "json", "object of further parameters (GA4), as JSON", '{"session_id":"17"}'
    ),
    "custom_variables": Column(
        "commerce", "json", "object of Google's custom variables, as JSON", '{"tier":"gold"}'
    ),
    "hotel_id": Column("travel", "text", "the hotel, as the ad platform knows it", "h-123"),
    "check_in": Column("travel", "text", "day of arrival, ISO 8601", "2026-07-01"),
    "check_out": Column("travel", "text", "day of departure, ISO 8601", "2026-07-05"),
    "nights": Column("travel", "integer", "length of the stay", "4"),
    "hotel_price": Column("travel", "number", "price of the stay, in `currency`", "640.00"),
    "hotel_base_price": Column("travel", "number", "the same without taxes and fees", "560.00"),
    "booking_url": Column("travel", "text", "page of the booking", "https://hotel.example/b"),
    "consent": Column("consent", "flag", "true where the person agreed to ad measurement", "true"),
    "opt_out": Column("consent", "flag", "true where the person opted out", "false"),
    "limited_data_use": Column(
        "consent", "flag", "true where the platform may use the data only in a limited way", "false"
    ),
}


SEVERAL = ("email", "phone", "external_id")
"""Columns that may be arrays, or have numbered ones beside them."""

MAX_VALUES = 3
"""Values of such a column that are read of one row."""


def numbered(name: str) -> tuple[str, ...]:
    """The columns that hold further values of a column: `email_2` and `email_3` of `email`."""
    return (
        tuple(f"{name}_{number}" for number in range(2, MAX_VALUES + 1)) if name in SEVERAL else ()
    )


def column_table() -> str:
    """The canonical columns as a Markdown table, for `docs/columns.md`."""
    lines = ["| column | group | type | rule | example |", "|---|---|---|---|---|"]
    lines += [
        f"| `{name}` | {column.group} | {column.kind} | {column.rule} | `{column.example}` |"
        for name, column in COLUMNS.items()
    ]
    return "\n".join(lines)
