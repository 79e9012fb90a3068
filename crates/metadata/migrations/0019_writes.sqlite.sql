-- Read-only mode and draining: what may be written, in each repository and everywhere. The stricter of the two holds.

ALTER TABLE repositories ADD COLUMN write_mode TEXT NOT NULL DEFAULT 'writable'
    CHECK (write_mode IN ('writable', 'draining', 'read-only'));
ALTER TABLE repositories ADD COLUMN write_reason TEXT;
ALTER TABLE repositories ADD COLUMN write_mode_since INTEGER NOT NULL DEFAULT 0;
CREATE INDEX repositories_draining ON repositories (id) WHERE write_mode = 'draining';

-- One row. Every transaction that changes content reads it.
CREATE TABLE site_writes (
    only_row  INTEGER NOT NULL PRIMARY KEY DEFAULT 1 CHECK (only_row = 1),
    mode      TEXT    NOT NULL CHECK (mode IN ('writable', 'draining', 'read-only')),
    reason    TEXT,
    since     INTEGER NOT NULL
) STRICT;
INSERT INTO site_writes (mode, since) VALUES ('writable', 0);

-- Who may go on with a push while its repository is drained (`of_all` = 0), or everything is (1), and when they last did.
CREATE TABLE pushes_under_way (
    of_all         INTEGER NOT NULL CHECK (of_all IN (0, 1)),
    repository_id  INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    principal      TEXT    NOT NULL,
    seen_at        INTEGER NOT NULL,
    PRIMARY KEY (of_all, repository_id, principal)
) STRICT, WITHOUT ROWID;
