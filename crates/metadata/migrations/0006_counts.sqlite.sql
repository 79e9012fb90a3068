-- How often manifests were pulled and pushed, in buckets of an hour.

-- `kind` is 0 for a pull, 1 for a push, 2 for a pull of an index. The rows with an empty digest are the sums of the
-- repository, so that nobody adds up its manifests. Each process writes its own shard. Where a repository is deleted
-- its counts go along: its id may be given again.
CREATE TABLE counts (
    repository_id  INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    digest         BLOB    NOT NULL,
    bucket         INTEGER NOT NULL,
    kind           INTEGER NOT NULL CHECK (kind IN (0, 1, 2)),
    shard          INTEGER NOT NULL,
    count          INTEGER NOT NULL CHECK (count > 0),
    PRIMARY KEY (repository_id, digest, bucket, kind, shard)
) STRICT, WITHOUT ROWID;
CREATE INDEX counts_bucket ON counts (bucket);

-- The batches that were added, so that none is added twice.
CREATE TABLE count_batches (
    id        BLOB    NOT NULL PRIMARY KEY,
    added_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX count_batches_added ON count_batches (added_at);
