-- What must not be as it was when the backup was made.

-- Nothing that any cache kept is served.
UPDATE cache_epoch SET epoch = abs(random() >> 2) * 2, since = unixepoch() * 1000000;
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
-- What the store has is not what it had then: it is looked at from the beginning.
DELETE FROM scrub_passes;
-- The audit log and the events tell of it: what was told behind the backup is not so any more.
INSERT INTO audit_log (at, by, action, target, outcome, detail)
VALUES (unixepoch() * 1000000, 'system', 'database.restore', 'site', 'done', '');
INSERT INTO events (kind, payload, created_at)
VALUES ('database.restored', '{"by": "system"}', unixepoch() * 1000000);
