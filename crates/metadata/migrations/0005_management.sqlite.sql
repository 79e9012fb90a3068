-- Management: versions of what can be changed, invitations, changes that happen once, and the audit log.

ALTER TABLE users ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE namespaces ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE robots ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE repositories ADD COLUMN settings_version INTEGER NOT NULL DEFAULT 1;

CREATE INDEX users_site_admin ON users (id) WHERE site_admin = 1;
CREATE INDEX grants_subject ON grants (subject_kind, subject_id);
CREATE INDEX user_tokens_expiry ON user_tokens (expires_at) WHERE kind = 'refresh';

-- Each works once.
CREATE TABLE invitations (
    secret_hash  BLOB    NOT NULL PRIMARY KEY,
    site_admin   INTEGER NOT NULL CHECK (site_admin IN (0, 1)),
    expires_at   INTEGER NOT NULL,
    created_by   TEXT    NOT NULL,
    created_at   INTEGER NOT NULL
) STRICT;

-- Changes that were asked for under a key, and are not made again.
CREATE TABLE once_keys (
    principal    TEXT    NOT NULL,
    key          TEXT    NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint  BLOB    NOT NULL,
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (principal, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX once_keys_age ON once_keys (created_at);

CREATE TABLE audit_log (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    at          INTEGER NOT NULL,
    by          TEXT    NOT NULL,
    action      TEXT    NOT NULL,
    target      TEXT    NOT NULL,
    namespace   TEXT,
    outcome     TEXT    NOT NULL CHECK (outcome IN ('done', 'denied', 'refused')),
    address     TEXT,
    request_id  TEXT,
    detail      TEXT    NOT NULL
) STRICT;
CREATE INDEX audit_log_namespace ON audit_log (namespace, id);
CREATE INDEX audit_log_by ON audit_log (by, id);

-- Nothing that is written is changed, and only what is older than this moment may go.
CREATE TABLE audit_horizon (
    only_row  INTEGER PRIMARY KEY CHECK (only_row = 1),
    before    INTEGER NOT NULL
) STRICT;
INSERT INTO audit_horizon (only_row, before) VALUES (1, 0);
CREATE TRIGGER audit_log_unchanged BEFORE UPDATE ON audit_log BEGIN
    SELECT RAISE(ABORT, 'the audit log is only ever added to');
END;
CREATE TRIGGER audit_log_kept BEFORE DELETE ON audit_log
    WHEN OLD.at >= (SELECT before FROM audit_horizon) BEGIN
    SELECT RAISE(ABORT, 'the audit log is only ever added to');
END;
