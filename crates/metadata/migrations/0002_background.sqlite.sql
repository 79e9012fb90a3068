-- Background work, the readers of the event log, and the epoch of the caches.

-- The queue. A job is due at `due_at`; while a runner holds it that is when its lease ends, and NULL is a job that
-- was set aside. `claims` counts how often it was claimed: the proof of whose it is. Numbers are never used again.
CREATE TABLE jobs (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    kind        TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    payload     TEXT    NOT NULL,
    due_at      INTEGER,
    leased      INTEGER NOT NULL DEFAULT 0 CHECK (leased IN (0, 1)),
    attempts    INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    claims      INTEGER NOT NULL DEFAULT 0,
    last_error  TEXT,
    UNIQUE (kind, key),
    CHECK (due_at IS NOT NULL OR leased = 0)
) STRICT;
CREATE INDEX jobs_due ON jobs (kind, due_at, id) WHERE due_at IS NOT NULL;

-- How far each reader of the event log has come. One writer at a time writes here, so no transaction has a number.
CREATE TABLE event_readers (
    name            TEXT    NOT NULL PRIMARY KEY,
    transaction_id  INTEGER NOT NULL,
    event_id        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row. Whatever was cached under another number is not served; while it is odd, nothing shared is.
CREATE TABLE cache_epoch (
    only_row  INTEGER NOT NULL PRIMARY KEY DEFAULT 1 CHECK (only_row = 1),
    epoch     INTEGER NOT NULL,
    since     INTEGER NOT NULL
) STRICT;
INSERT INTO cache_epoch (epoch, since) VALUES (0, 0);
