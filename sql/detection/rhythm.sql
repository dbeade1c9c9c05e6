-- detection: who acts like a clock?
-- grain: one row per player and eight days (every four anew) with 25 pauses, per length up to which actions are one, of
--        all it does (item 0), of what it asks for itself (item -1), and of its sales of one item alone
-- counted: trades asked for or taken part in, offers made, and adjustments; pauses of two hours at most
-- parameters: none
-- order: player_id, since, within_s, item_id
with actions as (
    -- of player 1 or of whom it is about, of player 2, and of who asks; one pass over the events
    select
        events.realm,
        if(
            parts.part = 2, events.player_2.player_id, coalesce(events.player_1.player_id, events.player_id)
        ) as player_id,
        if(parts.part = 3, -1, 0) as item_id,
        events.occurred_at
    from lake.haggle.events
    cross join (values (1), (2), (3)) as parts (part)
    where
        (events.event_type in ('trade_accepted', 'trade_rejected') and (parts.part < 3 or events.offer_id is null))
        or (events.event_type = 'offer_made' and parts.part <> 2)
        or (events.event_type = 'player_adjusted' and parts.part = 1)
    union all
    select
        trades.realm,
        lines.player_id,
        lines.item_id,
        trades.occurred_at
    from lake.haggle.trades
    inner join lake.haggle.trade_lines as lines
        on trades.realm = lines.realm and trades.sequence = lines.sequence
    where
        trades.status = 'accepted'
        and trades.player_1_lines + trades.player_2_lines = 1
        -- gold came for the goods, and none with them
        and if(trades.player_1_lines = 1, trades.player_1_gold, trades.player_2_gold) = 0
        and trades.player_1_gold + trades.player_2_gold > 0
),

windows as (
    -- every action is in two
    select
        actions.realm,
        actions.player_id,
        actions.item_id,
        actions.occurred_at,
        cast(floor(to_unixtime(actions.occurred_at) / (4 * 86400)) as bigint) - earlier.windows as since
    from actions
    cross join (values (0), (1)) as earlier (windows)
),

followed as (
    select
        realm,
        player_id,
        item_id,
        since,
        occurred_at,
        to_unixtime(occurred_at) as at_s,
        to_unixtime(occurred_at) - lag(to_unixtime(occurred_at)) over (
            partition by realm, player_id, item_id, since order by occurred_at
        ) as pause_s
    from windows
),

lengths as (
    select
        followed.*,
        within.within_s
    from followed
    cross join (values (2), (20)) as within (within_s)
),

starts as (
    select
        realm,
        player_id,
        item_id,
        since,
        within_s,
        at_s,
        at_s - lag(at_s) over (partition by realm, player_id, item_id, since, within_s order by occurred_at) as pause_s
    from lengths
    where pause_s is null or pause_s > within_s
),

pauses as (
    select
        realm,
        player_id,
        item_id,
        since,
        within_s,
        at_s,
        pause_s,
        pause_s / lag(pause_s) over (partition by realm, player_id, item_id, since, within_s order by at_s) as ratio
    from starts
    where pause_s <= 7200
),

medians as (
    select
        realm,
        player_id,
        item_id,
        since,
        within_s,
        count(*) as pauses,
        element_at(array_sort(array_agg(pause_s)), cast(floor((count(*) + 1) / 2e0) as integer)) as median_s
    from pauses
    group by realm, player_id, item_id, since, within_s
    having count(*) >= 25
),

stretches as (
    select
        pauses.realm,
        pauses.player_id,
        pauses.item_id,
        pauses.since,
        pauses.within_s,
        medians.pauses,
        medians.median_s,
        pauses.pause_s,
        if(pauses.ratio between 0.75 and 1.33, 1, 0) as is_even,
        sum(if(pauses.ratio between 0.75 and 1.33, 0, 1)) over (
            partition by pauses.realm, pauses.player_id, pauses.item_id, pauses.since, pauses.within_s
            order by pauses.at_s
        ) as stretch
    from pauses
    inner join medians
        on
            pauses.realm = medians.realm
            and pauses.player_id = medians.player_id
            and pauses.item_id = medians.item_id
            and pauses.since = medians.since
            and pauses.within_s = medians.within_s
),

stretched as (
    select
        realm,
        player_id,
        item_id,
        since,
        within_s,
        pauses,
        median_s,
        stretch,
        sum(is_even) as even,
        count_if(pause_s between 0.75 * median_s and 1.25 * median_s) as near_median
    from stretches
    group by realm, player_id, item_id, since, within_s, pauses, median_s, stretch
),

sat as (
    select
        realm,
        player_id,
        item_id,
        since,
        within_s,
        at_s,
        sum(if(pause_s > 3600, 1, 0)) over (
            partition by realm, player_id, item_id, since, within_s order by at_s
        ) as sitting
    from starts
),

sittings as (
    select
        realm,
        player_id,
        item_id,
        since,
        within_s,
        sitting,
        (max(at_s) - min(at_s)) / 3600 as hours
    from sat
    group by realm, player_id, item_id, since, within_s, sitting
),

longest as (
    select
        realm,
        player_id,
        item_id,
        since,
        within_s,
        max(hours) as longest_h
    from sittings
    group by realm, player_id, item_id, since, within_s
),

evenness as (
    select
        realm,
        player_id,
        item_id,
        since,
        within_s,
        pauses,
        median_s,
        max(even) as longest_even,
        cast(sum(near_median) as double) / pauses as near_median_share
    from stretched
    group by realm, player_id, item_id, since, within_s, pauses, median_s
),

days as (
    select
        realm,
        player_id,
        since,
        date_trunc('day', occurred_at) as active_on,
        count(distinct date_trunc('hour', occurred_at)) as active_hours
    from windows
    where item_id = 0
    group by realm, player_id, since, date_trunc('day', occurred_at)
),

hours as (
    select
        realm,
        player_id,
        since,
        -- of the third busiest day: anybody may be up for a day or two
        if(
            count(*) >= 3,
            element_at(array_sort(array_agg(active_hours)), cast(count(*) - 2 as integer)),
            0
        ) as active_hours
    from days
    group by realm, player_id, since
)

select
    evenness.player_id,
    evenness.since,
    evenness.within_s,
    evenness.item_id,
    evenness.pauses,
    evenness.median_s,
    evenness.longest_even,
    evenness.near_median_share,
    longest.longest_h,
    hours.active_hours
from evenness
inner join longest
    on
        evenness.realm = longest.realm
        and evenness.player_id = longest.player_id
        and evenness.item_id = longest.item_id
        and evenness.since = longest.since
        and evenness.within_s = longest.within_s
inner join hours
    on
        evenness.realm = hours.realm
        and evenness.player_id = hours.player_id
        and evenness.since = hours.since
order by evenness.player_id, evenness.since, evenness.within_s, evenness.item_id
