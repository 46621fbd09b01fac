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
    tag         int not null,
    tie         int not null,
    status      int not null,
    server      int not null,
    generation  int not null,
    text        text
);
create unique index reading_key on reading (tag, time, tie);

-- Where each stored reading came from: one row per archived transaction and partition.
create table block (
    generation    int primary key generated always as identity,
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
);

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

-- Readings counted per vessel, minute of source time and hop.
create table ledger (
    vessel  text not null,
    minute  timestamptz not null,
    hop     text not null,
    tag     int not null,
    count   bigint not null,
    primary key (vessel, minute, hop, tag)
);

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
);

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
