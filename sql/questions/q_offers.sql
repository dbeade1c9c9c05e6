-- question: What became of the offers?
-- family: trades
-- grain: one row per realm in which an offer was made or refused
-- counted: offers made, by how they ended; offers that were refused, and so never open, beside them; the share that was
--          accepted is of those that ended, since open ones may still be. An answer is an acceptance or a refusal by
--          the player that was asked; the median of the time until it is by nearest rank, as in q_price
-- parameters: none
-- order: realm
-- column realm varchar: the unit of atomicity
-- column made bigint: offers that were made
-- column accepted bigint: of them, those that became a trade
-- column declined bigint: those that the player that was asked refused
-- column cancelled bigint: those that were taken back
-- column expired bigint: those that nobody answered in time
-- column account_closed bigint: those that ended since one of the players was forgotten
-- column refused bigint: offers that were refused, beside those that were made
-- column still_open bigint: offers that have not ended
-- column accepted_percent double: percent of the ended ones that were accepted
-- column median_seconds_to_answer double: median seconds from an offer to its answer; null if none was answered
with statuses as (
    select
        realm,
        sum(made) as made,
        sum(accepted) as accepted,
        sum(declined) as declined,
        sum(cancelled) as cancelled,
        sum(expired) as expired,
        sum(account_closed) as account_closed,
        sum(refused) as refused,
        round(to_unixtime(max(answered_at)) - to_unixtime(max(made_at)), 6) as seconds
    from lake.haggle.offer_days
    group by realm, offer_id
),

funnel as (
    select
        realm,
        sum(made) as made,
        sum(accepted) as accepted,
        sum(declined) as declined,
        sum(cancelled) as cancelled,
        sum(expired) as expired,
        sum(account_closed) as account_closed,
        sum(refused) as refused,
        sum(accepted + declined + cancelled + expired + account_closed) as ended,
        count(seconds) as answered,
        array_sort(array_agg(seconds) filter (where seconds is not null)) as waits
    from statuses
    group by realm
)

select
    realm,
    made,
    accepted,
    declined,
    cancelled,
    expired,
    account_closed,
    refused,
    made - ended as still_open,
    coalesce(round(100e0 * accepted / nullif(ended, 0), 1), 0) as accepted_percent,
    element_at(waits, cast(ceil(answered / 2e0) as integer)) as median_seconds_to_answer
from funnel
order by realm
