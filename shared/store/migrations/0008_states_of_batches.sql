-- The tag that says the state of a vessel's batch: Running, Held, Aborted (ISA-88).
alter table vessel add column state_tag integer;
