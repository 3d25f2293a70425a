-- Conversions of the shop. The aliases are the mapping: see the table of canonical columns in the README.
select
    conversion_id,
    updated_at,
    event_name,
    event_time,
    customer_email   as email,
    customer_phone   as phone,
    visitor_uuid     as guid,
    customer_no      as first_party_id,
    order_no         as order_id,
    amount           as value,
    currency,
    user_agent
from conversions
