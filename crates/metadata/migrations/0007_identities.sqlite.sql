-- External identities: who users are by the word of identity providers, and which of their groups fill which teams.
-- Then what people log in with who have a browser: sessions, and devices that they let in.

-- signed_in_at is written with every change of its user's groups, so that two sign-ins at once do not mix theirs.
CREATE TABLE identities (
    provider      TEXT    NOT NULL,
    subject       TEXT    NOT NULL,
    user_id       INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at    INTEGER NOT NULL,
    signed_in_at  INTEGER,
    PRIMARY KEY (provider, subject)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX identities_user ON identities (user_id, provider);

-- The groups of users as their providers named them at the last sign-in there, all of them: which of them matter,
-- team_groups says, whenever that changes.
CREATE TABLE user_groups (
    user_id     INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    provider    TEXT    NOT NULL,
    group_name  TEXT    NOT NULL,
    PRIMARY KEY (user_id, provider, group_name)
) STRICT, WITHOUT ROWID;
CREATE INDEX user_groups_group ON user_groups (provider, group_name);

-- Members by hand are in team_members; those by a group are in both of these.
CREATE TABLE team_groups (
    team_id     INTEGER NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    provider    TEXT    NOT NULL,
    group_name  TEXT    NOT NULL,
    PRIMARY KEY (team_id, provider, group_name)
) STRICT, WITHOUT ROWID;
CREATE INDEX team_groups_group ON team_groups (provider, group_name);

-- Sessions of browsers. Times of use are written every few minutes; `idle` is in microseconds.
CREATE TABLE sessions (
    secret_hash   BLOB    NOT NULL PRIMARY KEY,
    user_id       INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    provider      TEXT,
    idle          INTEGER NOT NULL,
    code_tries    INTEGER NOT NULL DEFAULT 0,
    last_used_at  INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_user ON sessions (user_id, last_used_at);

-- Programs that wait for a person to let them in (RFC 8628). `poll_interval` is in microseconds.
CREATE TABLE device_logins (
    device_hash    BLOB    NOT NULL PRIMARY KEY,
    user_code      TEXT    NOT NULL UNIQUE,
    client         TEXT    NOT NULL,
    address        TEXT    NOT NULL,
    state          TEXT    NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'approved', 'denied')),
    user_id        INTEGER REFERENCES users (id) ON DELETE CASCADE,
    poll_interval  INTEGER NOT NULL,
    polled_at      INTEGER,
    expires_at     INTEGER NOT NULL,
    created_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX device_logins_expiry ON device_logins (expires_at);
CREATE INDEX device_logins_address ON device_logins (address);
