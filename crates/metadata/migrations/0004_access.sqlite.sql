-- Access: who there is, what they were granted, and who may read without a grant. Nothing here matters where
-- access control is off. Passwords are argon2id's texts, machine secrets SHA-256 of so much chance that no more is needed.

ALTER TABLE repositories ADD COLUMN visibility TEXT NOT NULL DEFAULT 'private'
    CHECK (visibility IN ('private', 'internal', 'public'));
CREATE INDEX repositories_public ON repositories (id) WHERE visibility = 'public';

-- The first component of repositories' names. Users and organizations share them, so no two are called the same.
CREATE TABLE namespaces (
    id                  INTEGER PRIMARY KEY,
    name                TEXT    NOT NULL UNIQUE,
    kind                TEXT    NOT NULL CHECK (kind IN ('user', 'organization')),
    default_visibility  TEXT    NOT NULL DEFAULT 'private'
        CHECK (default_visibility IN ('private', 'internal', 'public')),
    create_on_push      INTEGER NOT NULL DEFAULT 1 CHECK (create_on_push IN (0, 1)),
    created_at          INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
    id             INTEGER PRIMARY KEY,
    name           TEXT    NOT NULL UNIQUE,
    namespace_id   INTEGER NOT NULL UNIQUE REFERENCES namespaces (id),
    email          TEXT,
    password_hash  TEXT,
    site_admin     INTEGER NOT NULL DEFAULT 0 CHECK (site_admin IN (0, 1)),
    disabled_at    INTEGER,
    created_at     INTEGER NOT NULL
) STRICT;

CREATE TABLE teams (
    id            INTEGER PRIMARY KEY,
    namespace_id  INTEGER NOT NULL REFERENCES namespaces (id),
    name          TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    UNIQUE (namespace_id, name)
) STRICT;

CREATE TABLE team_members (
    team_id  INTEGER NOT NULL REFERENCES teams (id),
    user_id  INTEGER NOT NULL REFERENCES users (id),
    PRIMARY KEY (user_id, team_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX team_members_team ON team_members (team_id);

CREATE TABLE robots (
    id            INTEGER PRIMARY KEY,
    namespace_id  INTEGER NOT NULL REFERENCES namespaces (id),
    name          TEXT    NOT NULL,
    secret_hash   BLOB    NOT NULL UNIQUE,
    expires_at    INTEGER,
    disabled_at   INTEGER,
    created_by    TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    UNIQUE (namespace_id, name)
) STRICT;

-- A pattern of '' is the whole namespace.
CREATE TABLE grants (
    id            INTEGER PRIMARY KEY,
    namespace_id  INTEGER NOT NULL REFERENCES namespaces (id),
    subject_kind  TEXT    NOT NULL CHECK (subject_kind IN ('user', 'team', 'robot')),
    subject_id    INTEGER NOT NULL,
    role          TEXT    NOT NULL CHECK (role IN ('read', 'write', 'maintain', 'admin')),
    pattern       TEXT    NOT NULL,
    created_by    TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    UNIQUE (namespace_id, subject_kind, subject_id, pattern)
) STRICT;

-- Users' tokens. Each gives no more than its role on what its pattern covers, and nothing that its user has not.
CREATE TABLE user_tokens (
    id            INTEGER PRIMARY KEY,
    user_id       INTEGER NOT NULL REFERENCES users (id),
    kind          TEXT    NOT NULL CHECK (kind IN ('personal', 'refresh')),
    name          TEXT    NOT NULL,
    secret_hash   BLOB    NOT NULL UNIQUE,
    role          TEXT    NOT NULL CHECK (role IN ('read', 'write', 'maintain', 'admin')),
    pattern       TEXT    NOT NULL,
    expires_at    INTEGER,
    last_used_at  INTEGER,
    created_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX user_tokens_user ON user_tokens (user_id, id);
