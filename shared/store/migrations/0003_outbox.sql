-- Who has to be told of an alarm. A push is put here by the transaction that stores the
-- transition, so that there is never one without the other; see decision 11.

create table push_target (
    name    text primary key,
    added   timestamptz not null default clock_timestamp(),
    active  boolean not null default true
);

-- One row for each transition and target; `outcome` stays null while it waits, and is
-- then delivered, expired (waited too long) or withdrawn (its target was taken away).
create table push (
    target      text not null references push_target,
    transition  bigint not null references alarm_transition,
    put_at      timestamptz not null default clock_timestamp(),
    not_before  timestamptz not null default clock_timestamp(),
    attempts    int not null default 0,
    tried_at    timestamptz,
    error       text not null default '',
    outcome     text check (outcome in ('delivered', 'expired', 'withdrawn')),
    ended_at    timestamptz,
    primary key (target, transition)
);
create index push_waiting on push (target, transition) where outcome is null;

create view push_state as
select name as target, active,
       count(push.target) filter (where outcome is null) as waiting,
       min(put_at) filter (where outcome is null) as waiting_since,
       coalesce(max(attempts) filter (where outcome is null), 0) as attempts,
       coalesce((array_agg(error order by tried_at desc)
                 filter (where outcome is null and error <> ''))[1], '') as error,
       max(ended_at) filter (where outcome = 'delivered') as delivered_at,
       count(*) filter (where outcome = 'delivered') as delivered,
       count(*) filter (where outcome = 'expired') as expired
from push_target left join push on push.target = push_target.name
group by name, active;

-- An alarm that was raised while it was shelved is told when the shelf ends.
create function put_push() returns trigger language plpgsql as $$
begin
    insert into push (target, transition)
    select name, new.id from push_target where active;
    return null;
end
$$;

create trigger transition_is_pushed after insert on alarm_transition
for each row when (
    new.priority <= 2
    and new.after not in ('shelved', 'suppressed-by-design', 'out-of-service')
    and (new.cause in ('raised', 'returned')
         or (new.cause = 'shelf-expired' and new.after = 'unacknowledged'))
) execute function put_push();
