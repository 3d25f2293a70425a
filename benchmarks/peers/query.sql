-- What both rivals read: the columns they send, as Meta wants them, but for e-mail and hashing.
select conversion_id, updated_at, event_name, epoch(event_time)::bigint as event_time, email,
    case when length(digits) = 10 then '1' || digits else digits end as phone,
    user_agent, split_part(event_source_url, '?', 1) as event_source_url,
    value::double as value, upper(currency) as currency, order_id, action_source
from (select *, regexp_replace(phone, '[^0-9]', '', 'g') as digits from conversions)
