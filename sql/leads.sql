-- Leads and sign-ups; both count as leads at this platform (see `events` in the YAML).
select
    conversion_id,
    updated_at,
    event_name,
    event_time,
    customer_email as email,
    customer_phone as phone,
    customer_no    as external_id,
    country
from conversions
where event_name in ('Lead', 'Signup')
