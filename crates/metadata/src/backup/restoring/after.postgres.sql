-- What must not be as it was when the backup was made.

-- Nothing that any cache kept is served.
UPDATE cache_epoch SET epoch = floor(random() * 2305843009213693952)::bigint * 2,
    since = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
-- What was staged for uploads is gone or stale; what is left of it in the store is collected as leftovers.
DELETE FROM blob_reservations;
DELETE FROM uploads;
DELETE FROM pushes_under_way;
-- What was ended since would live again.
DELETE FROM sessions;
DELETE FROM device_logins;
DELETE FROM workload_tokens;
DELETE FROM user_tokens WHERE kind = 'refresh';
-- Whoever ran a job ran it elsewhere.
UPDATE jobs SET leased = 0, claims = claims + 1 WHERE leased = 1;
-- Transactions are numbered anew. What was written before has none, and comes first in the order of its numbers; a
-- reader stands before the first thing that it had not read, and so may read some again.
UPDATE event_readers r SET transaction_id = 0, event_id = coalesce(
    (SELECT min(e.id) - 1 FROM events e WHERE (e.transaction_id, e.id) > (r.transaction_id, r.event_id)),
    (SELECT max(e.id) FROM events e), 0);
UPDATE audit_readers r SET transaction_id = 0, record_id = coalesce(
    (SELECT min(a.id) - 1 FROM audit_log a WHERE (a.transaction_id, a.id) > (r.transaction_id, r.record_id)),
    (SELECT max(a.id) FROM audit_log a), 0);
-- Not by updates, which the triggers of the audit log refuse.
ALTER TABLE events ALTER COLUMN transaction_id TYPE bigint USING 0;
ALTER TABLE audit_log ALTER COLUMN transaction_id TYPE bigint USING 0;
-- What the store has is not what it had then: it is looked at from the beginning.
DELETE FROM scrub_passes;
-- The audit log and the events tell of it: what was told behind the backup is not so any more.
INSERT INTO audit_log (at, by, action, target, outcome, detail)
VALUES ((extract(epoch FROM clock_timestamp()) * 1000000)::bigint, 'system', 'database.restore', 'site', 'done', '');
INSERT INTO events (kind, payload, created_at)
VALUES ('database.restored', '{"by": "system"}', (extract(epoch FROM clock_timestamp()) * 1000000)::bigint);
