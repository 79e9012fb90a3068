-- Repositories that were deleted: until the grace ends they keep all that they hold, and can be brought back.

-- The row of such a repository has the name `~deleted/<its number>`, which no request can say and which is behind all names that one can.
-- A node of the version before passes over none of them: while there is one, it answers no list of all repositories and collects nothing.
-- `purging`: some of what it held is gone. `purged`: all of it; the rows go when no event tells of the repository any more.
CREATE TABLE deleted_repositories (
    repository_id  bigint NOT NULL PRIMARY KEY REFERENCES repositories (id),
    name           text COLLATE "C" NOT NULL,
    namespace      text COLLATE "C" NOT NULL,
    visibility     text COLLATE "C" NOT NULL,
    deleted_by     text COLLATE "C" NOT NULL,
    deleted_at     bigint NOT NULL,
    state          text COLLATE "C" NOT NULL DEFAULT 'whole' CHECK (state IN ('whole', 'purging', 'purged')),
    purged_at      bigint,
    CHECK ((purged_at IS NULL) = (state <> 'purged'))
);
CREATE INDEX deleted_repositories_namespace ON deleted_repositories (namespace, repository_id);
CREATE INDEX deleted_repositories_age ON deleted_repositories (deleted_at) WHERE state <> 'purged';
CREATE INDEX deleted_repositories_purged ON deleted_repositories (purged_at) WHERE state = 'purged';

-- The events of a repository are looked for in none of the indexes, so that the end of its row would read all of them. That row goes
-- only when the oldest event is younger.
ALTER TABLE events DROP CONSTRAINT events_repository_id_fkey;
