-- Other registries' stores that are taken over where they lie: the one under way, or the last one, and what it left out.

CREATE TABLE adoptions (
    id                  INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    source              TEXT    NOT NULL,
    -- A pattern of repositories; empty is all of them.
    pattern             TEXT    NOT NULL,
    state               TEXT    NOT NULL CHECK (state IN ('running', 'finished', 'stopped')),
    -- Rises with each record: who names an older one is too late.
    version             INTEGER NOT NULL,
    started_at          INTEGER NOT NULL,
    updated_at          INTEGER NOT NULL,
    repositories_total  INTEGER,
    repositories        INTEGER NOT NULL DEFAULT 0,
    manifests           INTEGER NOT NULL DEFAULT 0,
    tags                INTEGER NOT NULL DEFAULT 0,
    blobs               INTEGER NOT NULL DEFAULT 0,
    bytes               INTEGER NOT NULL DEFAULT 0,
    left_out            INTEGER NOT NULL DEFAULT 0,
    done_up_to          TEXT,
    -- The blob that is half-way: all four, or none.
    hashing_digest      BLOB,
    hashing_begun       INTEGER,
    hashing_offset      INTEGER,
    hashing_state       BLOB
) STRICT;
-- One at a time.
CREATE UNIQUE INDEX adoptions_running ON adoptions (state) WHERE state = 'running';

CREATE TABLE adoption_findings (
    adoption_id  INTEGER NOT NULL REFERENCES adoptions (id) ON DELETE CASCADE,
    repository   TEXT    NOT NULL,
    subject      TEXT    NOT NULL,
    reason       TEXT    NOT NULL,
    PRIMARY KEY (adoption_id, repository, subject)
) STRICT, WITHOUT ROWID;
