-- What the monitor says and what people commanded. Everything but `alarm` is a record:
-- appended to, never changed, which triggers and the services' role enforce.
-- `topic_at` is `<epoch>/<partition>/<offset>` on topic `events`; `identity` is a digest
-- of the event, so that one that was published twice is recorded once.

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
    identity    text not null unique,
    alarm       text not null,
    check_name  text not null,
    vessel      text not null,
    priority    int not null,
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
create index alarm_transition_time on alarm_transition (time, id);

create table detection (
    id          bigint primary key generated always as identity,
    topic_at    text not null unique,
    identity    text not null unique,
    check_name  text not null,
    vessel      text not null,
    tag         text not null,
    time        timestamptz not null,
    score       double precision not null,
    body        jsonb not null,
    stored_at   timestamptz not null default clock_timestamp()
);
create index detection_time on detection (time, id);

create table batch_event (
    id          text primary key,
    topic_at    text not null unique,
    vessel      text not null,
    batch       text not null,
    phase       text,
    began       boolean not null,
    time        timestamptz not null,
    body        jsonb not null,
    stored_at   timestamptz not null default clock_timestamp()
);
create index batch_event_time on batch_event (time, id);

create table change (
    id          bigint primary key generated always as identity,
    topic_at    text not null unique,
    identity    text not null unique,
    what        text not null,
    time        timestamptz not null,
    actor       text not null,
    body        jsonb not null,
    stored_at   timestamptz not null default clock_timestamp()
);
create index change_time on change (time, id);

-- Nobody changes a record, not even the tables' owner (as whom the embedded default
-- connects), and not in a replica's session either.
create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% of %.%: expected INSERT only, records are never changed',
        tg_op, tg_table_schema, tg_table_name
        using errcode = 'insufficient_privilege';
end
$$;

do $$
declare
    record_table text;
begin
    foreach record_table in array
        array['alarm_transition', 'detection', 'batch_event', 'change', 'configuration']
    loop
        execute format(
            'create trigger records_stay before update or delete or truncate on %I'
            ' for each statement execute function refuse_change()', record_table);
        execute format(
            'alter table %I enable always trigger records_stay', record_table);
    end loop;
end
$$;

-- The role that the services' database users are made members of: `<schema>_services`.
-- It may add to the records and change everything else, but owns nothing. Without the
-- right to create roles it is left out, and the triggers alone stand guard.
do $$
declare
    services text := left(current_schema, 54) || '_services';
begin
    begin
        execute format('create role %I nologin', services);
    exception
        when duplicate_object then null;
    end;
    execute format('grant usage on schema %I to %I', current_schema, services);
    execute format(
        'grant select, insert, update, delete on all tables in schema %I to %I',
        current_schema, services);
    execute format(
        'alter default privileges in schema %I'
        ' grant select, insert, update, delete on tables to %I',
        current_schema, services);
    execute format(
        'revoke insert, update, delete on schema_version from %I', services);
    execute format(
        'revoke update, delete on alarm_transition, detection, batch_event, change,'
        ' configuration from %I', services);
exception
    when insufficient_privilege then
        raise notice 'no role for the services: %', sqlerrm;
end
$$;
