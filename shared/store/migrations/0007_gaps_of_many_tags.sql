-- A gap may name thousands of tags; an index holds no row beyond 2.7 kB, so that such a
-- gap was refused and with it the word on what was lost. Its key has a digest of them.
drop index gap_key;
create unique index gap_key
    on gap (server, cause, since, hash_array_extended(coalesce(tags, '{}'), 0));
