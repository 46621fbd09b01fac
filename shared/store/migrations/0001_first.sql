-- The first schema. Times are timestamptz (microseconds, UTC); a StatusCode is kept as
-- the int4 with the same bits. Tables that are records of what happened (gap, block,
-- configuration, audit) are appended to; `gap.until` alone may be filled in later.

create table configuration (
    version     int primary key,
    sha256      text not null,
    text        text not null,
    applied_at  timestamptz not null,
    actor       text not null
);

create table server (
    name        text primary key,
    site        text not null,
    url         text not null,
    simulated   boolean not null,
    heartbeat   int not null
);

create table vessel (
    name        text primary key,
    site        text not null,
    area        text not null,
    server      text not null,
    partition   int not null,
    batch_tag   int,
    phase_tag   int,
    product_tag int,
    client_tag  int,
    retired     boolean not null default false
);

-- One row for every version of a tag's attributes; the latest valid_from holds now.
create table tag (
    id          int not null,
    valid_from  timestamptz not null,
    name        text not null,
    vessel      text,
    server      text not null,
    node        text not null,
    type        text not null,
    unit        text not null,
    low         double precision,
    high        double precision,
    stepped     boolean not null,
    report      text not null,
    description text not null,
    provisional boolean not null default false,
    retired     boolean not null default false,
    primary key (id, valid_from)
);

create table reading (
    time        timestamptz not null,
    value       double precision,
    received    timestamptz not null,
    generation  bigint not null,
    tag         int not null,
    tie         int not null,
    status      int not null,
    server      int not null,
    text        text
);
create unique index reading_key on reading (tag, time, tie);

-- Where each stored reading came from: one row per archived transaction and partition.
create table block (
    generation    bigint primary key generated always as identity,
    stored_at     timestamptz not null default clock_timestamp(),
    topic         text not null,
    partition     int not null,
    epoch         text not null,
    first_offset  bigint not null,
    next_offset   bigint not null,
    rows          int not null,
    duplicates    int not null
);

-- The archiver's place in the log, moved in the transaction that stores the readings.
create table position (
    topic       text not null,
    partition   int not null,
    epoch       text not null,
    next_offset bigint not null,
    primary key (topic, partition)
) with (fillfactor = 50);

create table gap (
    id          bigint primary key generated always as identity,
    server      text not null,
    cause       text not null,
    since       timestamptz not null,
    until       timestamptz,
    tags        int[],
    count       bigint,
    detail      text not null,
    declared_at timestamptz not null default clock_timestamp()
);
create unique index gap_key on gap (server, cause, since, coalesce(tags, '{}'));
create index gap_range on gap (since, until);

-- Readings counted by hop, minute of source time and tag, one row per transaction that
-- counted (later one per hour): counts[i] readings of tags[i] in minutes[i]. Minutes are
-- since 1970. Rows are only added up, never replaced.
create table ledger_part (
    id           bigint primary key generated always as identity,
    hop          text not null,
    first_minute int not null,
    last_minute  int not null,
    tags         int[] not null,
    minutes      int[] not null,
    counts       int[] not null,
    sealed       boolean not null default false
);
create index ledger_part_range on ledger_part (last_minute, first_minute);
create index ledger_part_open on ledger_part (last_minute) where not sealed;

create view ledger as
select coalesce(
           (select tag.vessel from tag where tag.id = cell.tag
            order by valid_from desc limit 1), '') as vessel,
       to_timestamp(cell.minute * 60.0) as minute,
       cell.hop, cell.tag, cell.count
from (
    select part.hop, counted.minute, counted.tag, sum(counted.count)::bigint as count
    from ledger_part part,
         unnest(part.tags, part.minutes, part.counts) as counted (tag, minute, count)
    group by part.hop, counted.minute, counted.tag
) as cell;

create table batch (
    vessel      text not null,
    batch       text not null,
    product     text,
    client      text,
    first_seen  timestamptz not null,
    primary key (vessel, batch)
);

create table subscription (
    tag     int primary key,
    server  text not null,
    desired text not null,
    actual  text not null,
    since   timestamptz not null,
    error   text not null
);

-- The newest reading of each tag, written every 10 s so that a restart need not search.
create table latest (
    tag      int primary key,
    time     timestamptz not null,
    value    double precision,
    text     text,
    status   int not null,
    received timestamptz not null
) with (fillfactor = 50);

-- What could not be stored as it came; the bytes stay in the dead-letter topic.
create table quarantine (
    id          bigint primary key generated always as identity,
    topic       text not null,
    partition   int not null,
    epoch       text not null,
    record      bigint not null,
    reason      text not null,
    rows        int,
    detected_at timestamptz not null default clock_timestamp(),
    unique (topic, partition, epoch, record, reason)
);
