-- See the file for PostgreSQL.

CREATE TABLE blob_marks_with_quarantined (
    digest       BLOB    NOT NULL,
    incarnation  INTEGER NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('marked', 'condemned', 'deleted', 'quarantined')),
    marked_at    INTEGER NOT NULL,
    PRIMARY KEY (digest, incarnation)
) STRICT, WITHOUT ROWID;
INSERT INTO blob_marks_with_quarantined SELECT digest, incarnation, state, marked_at FROM blob_marks;
DROP TABLE blob_marks;
ALTER TABLE blob_marks_with_quarantined RENAME TO blob_marks;
CREATE INDEX blob_marks_age ON blob_marks (state, marked_at);
CREATE INDEX blob_marks_condemned ON blob_marks (digest, incarnation) WHERE state = 'condemned';
CREATE INDEX blob_marks_quarantined ON blob_marks (digest, incarnation) WHERE state = 'quarantined';

CREATE TABLE scrub_findings (
    id             INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    kind           TEXT    NOT NULL,
    digest         BLOB    NOT NULL,
    incarnation    INTEGER NOT NULL CHECK (incarnation >= 0),
    repository_id  INTEGER NOT NULL,
    needed_by      BLOB    NOT NULL,
    detail         TEXT    NOT NULL,
    found_at       INTEGER NOT NULL,
    seen_at        INTEGER NOT NULL,
    resolved_at    INTEGER,
    UNIQUE (kind, digest, incarnation, repository_id, needed_by)
) STRICT;
CREATE INDEX scrub_findings_open ON scrub_findings (digest, incarnation) WHERE resolved_at IS NULL;

CREATE TABLE scrub_passes (
    pass            TEXT    NOT NULL PRIMARY KEY,
    begun_at        INTEGER NOT NULL,
    ended_at        INTEGER,
    looked_at       INTEGER NOT NULL DEFAULT 0,
    bytes           INTEGER NOT NULL DEFAULT 0,
    found           INTEGER NOT NULL DEFAULT 0,
    repository_id   INTEGER,
    digest          BLOB,
    hashing_digest  BLOB,
    hashing_offset  INTEGER,
    hashing_state   BLOB,
    is_doubted      INTEGER NOT NULL DEFAULT 0 CHECK (is_doubted IN (0, 1))
) STRICT, WITHOUT ROWID;
