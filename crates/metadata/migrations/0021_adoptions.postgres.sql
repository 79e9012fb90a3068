-- Other registries' stores that are taken over where they lie: the one under way, or the last one, and what it left out.

CREATE TABLE adoptions (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source              text COLLATE "C" NOT NULL,
    -- A pattern of repositories; empty is all of them.
    pattern             text COLLATE "C" NOT NULL,
    state               text COLLATE "C" NOT NULL CHECK (state IN ('running', 'finished', 'stopped')),
    -- Rises with each record: who names an older one is too late.
    version             bigint NOT NULL,
    started_at          bigint NOT NULL,
    updated_at          bigint NOT NULL,
    repositories_total  bigint,
    repositories        bigint NOT NULL DEFAULT 0,
    manifests           bigint NOT NULL DEFAULT 0,
    tags                bigint NOT NULL DEFAULT 0,
    blobs               bigint NOT NULL DEFAULT 0,
    bytes               bigint NOT NULL DEFAULT 0,
    left_out            bigint NOT NULL DEFAULT 0,
    done_up_to          text COLLATE "C",
    -- The blob that is half-way: all four, or none.
    hashing_digest      bytea,
    hashing_begun       bigint,
    hashing_offset      bigint,
    hashing_state       bytea
);
-- One at a time.
CREATE UNIQUE INDEX adoptions_running ON adoptions (state) WHERE state = 'running';

CREATE TABLE adoption_findings (
    adoption_id  bigint NOT NULL REFERENCES adoptions (id) ON DELETE CASCADE,
    repository   text COLLATE "C" NOT NULL,
    subject      text COLLATE "C" NOT NULL,
    reason       text COLLATE "C" NOT NULL,
    PRIMARY KEY (adoption_id, repository, subject)
);
