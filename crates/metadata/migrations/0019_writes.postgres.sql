-- Read-only mode and draining: what may be written, in each repository and everywhere. The stricter of the two holds.

ALTER TABLE repositories ADD COLUMN write_mode text COLLATE "C" NOT NULL DEFAULT 'writable'
    CHECK (write_mode IN ('writable', 'draining', 'read-only'));
ALTER TABLE repositories ADD COLUMN write_reason text COLLATE "C" CHECK (length(write_reason) <= 200);
ALTER TABLE repositories ADD COLUMN write_mode_since bigint NOT NULL DEFAULT 0;
CREATE INDEX repositories_draining ON repositories (id) WHERE write_mode = 'draining';

-- One row. Every transaction that changes content reads it. Every transaction that writes holds a ROW SHARE lock of the
-- table from before its snapshot to its end: whoever has changed a mode waits for those that hold one by then, and
-- knows that none commits any more which has not seen the change. Readers and backups hold other locks.
CREATE TABLE site_writes (
    only_row  boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (only_row),
    mode      text COLLATE "C" NOT NULL CHECK (mode IN ('writable', 'draining', 'read-only')),
    reason    text COLLATE "C" CHECK (length(reason) <= 200),
    since     bigint NOT NULL
);
INSERT INTO site_writes (mode, since) VALUES ('writable', 0);

-- Who may go on with a push while its repository is drained (`of_all` = 0), or everything is (1), and when they last did.
CREATE TABLE pushes_under_way (
    of_all         bigint NOT NULL CHECK (of_all IN (0, 1)),
    repository_id  bigint NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    principal      text COLLATE "C" NOT NULL,
    seen_at        bigint NOT NULL,
    PRIMARY KEY (of_all, repository_id, principal)
) WITH (fillfactor = 70);
