-- What came of asking a server's history about a gap. `filled` is when all of it was
-- stored; from then on the gap hides nothing but the tags in `missing`. `fill_parts` are
-- the partitions whose share is stored, `fill_of` all that have one.
alter table gap add column filled timestamptz;
alter table gap add column missing int[];
alter table gap add column fill_rows bigint;
alter table gap add column fill_detail text not null default '';
alter table gap add column fill_parts int[] not null default '{}';
alter table gap add column fill_of int[] not null default '{}';
