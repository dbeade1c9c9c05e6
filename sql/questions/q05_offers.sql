-- question: What became of the offers?
-- grain: one row per realm in which an offer was made or refused
-- counted: offers made, by how they ended; offers that were refused, and so never open, beside them; the share that
--          was accepted is of those that ended, since open ones may still be
-- parameters: none
-- order: realm
with offers as (
    select
        realm,
        count_if(status = 'made') as made,
        count_if(status = 'accepted') as accepted,
        count_if(status = 'declined') as declined,
        count_if(status = 'cancelled') as cancelled,
        count_if(status = 'expired') as expired,
        count_if(status = 'rejected') as refused,
        count_if(status in ('accepted', 'declined', 'cancelled', 'expired')) as ended
    from lake.haggle.offers
    group by realm
)

select
    realm,
    made,
    accepted,
    declined,
    cancelled,
    expired,
    refused,
    made - ended as still_open,
    coalesce(round(100e0 * accepted / nullif(ended, 0), 1), 0) as accepted_percent
from offers
order by realm
