-- Retention: the policy of a repository, what its last run did, and what is reported to run.

-- The document is a text, so that one which cannot be read is kept as it came. A policy that was taken away leaves its row,
-- since versions go on where another one is made.
CREATE TABLE retention_policies (
    repository_id  bigint NOT NULL PRIMARY KEY REFERENCES repositories (id),
    document       text COLLATE "C" NOT NULL,
    version        bigint NOT NULL CHECK (version > 0),
    state          text COLLATE "C" NOT NULL CHECK (state IN ('draft', 'previewed', 'enabled', 'removed')),
    updated_by     text COLLATE "C" NOT NULL,
    updated_at     bigint NOT NULL
);
CREATE INDEX retention_policies_enabled ON retention_policies (repository_id) WHERE state = 'enabled';

CREATE TABLE retention_runs (
    repository_id  bigint NOT NULL PRIMARY KEY REFERENCES repositories (id),
    version        bigint NOT NULL,
    ended_at       bigint NOT NULL,
    kept           bigint NOT NULL,
    dropped        bigint NOT NULL,
    problem        text COLLATE "C"
);

-- Until when somebody says that a manifest runs there.
CREATE TABLE running_manifests (
    repository_id  bigint NOT NULL REFERENCES repositories (id),
    digest         bytea  NOT NULL CHECK (octet_length(digest) IN (33, 65)),
    reporter       text COLLATE "C" NOT NULL,
    ends_at        bigint NOT NULL,
    PRIMARY KEY (repository_id, digest, reporter)
);
CREATE INDEX running_manifests_end ON running_manifests (ends_at);
