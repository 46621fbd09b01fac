-- What the monitor says and what people commanded. Everything but `alarm` is a record:
-- appended to, never changed, which the services' roles enforce.

-- The latest state of each occurrence, made again from alarm_transition at any time.
create table alarm (
    alarm       text primary key,
    check_name  text not null,
    vessel      text not null,
    priority    int not null,
    state       text not null,
    raised      timestamptz not null,
    changed     timestamptz not null,
    batch       text,
    phase       text,
    simulated   boolean not null,
    body        jsonb not null
);
create index alarm_state on alarm (state, priority, raised);

create table alarm_transition (
    id          bigint primary key generated always as identity,
    topic_at    text not null unique,
    alarm       text not null,
    check_name  text not null,
    vessel      text not null,
    cause       text not null,
    before      text not null,
    after       text not null,
    time        timestamptz not null,
    known       timestamptz not null,
    actor       text,
    body        jsonb not null,
    stored_at   timestamptz not null default clock_timestamp()
);
create index alarm_transition_alarm on alarm_transition (alarm, id);
create index alarm_transition_time on alarm_transition (time);

create table detection (
    id          bigint primary key generated always as identity,
    topic_at    text not null unique,
    check_name  text not null,
    vessel      text not null,
    tag         text not null,
    time        timestamptz not null,
    score       double precision not null,
    body        jsonb not null
);
create index detection_time on detection (vessel, time);

create table batch_event (
    id          text primary key,
    vessel      text not null,
    batch       text not null,
    phase       text,
    began       boolean not null,
    time        timestamptz not null,
    body        jsonb not null
);

create table change (
    id          bigint primary key generated always as identity,
    topic_at    text not null unique,
    what        text not null,
    time        timestamptz not null,
    actor       text not null,
    body        jsonb not null
);
