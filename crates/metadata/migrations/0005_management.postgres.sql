-- Management: versions of what can be changed, invitations, changes that happen once, and the audit log.

ALTER TABLE users ADD COLUMN version bigint NOT NULL DEFAULT 1;
ALTER TABLE namespaces ADD COLUMN version bigint NOT NULL DEFAULT 1;
ALTER TABLE robots ADD COLUMN version bigint NOT NULL DEFAULT 1;
ALTER TABLE repositories ADD COLUMN settings_version bigint NOT NULL DEFAULT 1;

CREATE INDEX users_site_admin ON users (id) WHERE site_admin = 1;
CREATE INDEX grants_subject ON grants (subject_kind, subject_id);
CREATE INDEX user_tokens_expiry ON user_tokens (expires_at) WHERE kind = 'refresh';

-- Each works once.
CREATE TABLE invitations (
    secret_hash  bytea  NOT NULL PRIMARY KEY,
    site_admin   bigint NOT NULL CHECK (site_admin IN (0, 1)),
    expires_at   bigint NOT NULL,
    created_by   text COLLATE "C" NOT NULL,
    created_at   bigint NOT NULL
);

-- Changes that were asked for under a key, and are not made again.
CREATE TABLE once_keys (
    principal    text COLLATE "C" NOT NULL,
    key          text COLLATE "C" NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint  bytea  NOT NULL,
    created_at   bigint NOT NULL,
    PRIMARY KEY (principal, key)
);
CREATE INDEX once_keys_age ON once_keys (created_at);

CREATE SEQUENCE audit_ids AS bigint;
CREATE TABLE audit_log (
    id          bigint NOT NULL DEFAULT nextval('audit_ids') PRIMARY KEY,
    at          bigint NOT NULL,
    by          text COLLATE "C" NOT NULL,
    action      text COLLATE "C" NOT NULL,
    target      text COLLATE "C" NOT NULL,
    namespace   text COLLATE "C",
    outcome     text COLLATE "C" NOT NULL CHECK (outcome IN ('done', 'denied', 'refused')),
    address     text COLLATE "C",
    request_id  text COLLATE "C",
    detail      text COLLATE "C" NOT NULL
) PARTITION BY RANGE (id);
ALTER SEQUENCE audit_ids OWNED BY audit_log.id;
CREATE INDEX audit_log_namespace ON audit_log (namespace, id);
CREATE INDEX audit_log_by ON audit_log (by, id);
CREATE TABLE audit_log_default PARTITION OF audit_log DEFAULT;
CREATE TABLE audit_partitions (
    first_id  bigint NOT NULL PRIMARY KEY,
    past_id   bigint NOT NULL CHECK (past_id > first_id)
);

-- Nothing that is written is changed, and only what is older than this moment may go.
CREATE TABLE audit_horizon (
    only_row  boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (only_row),
    before    bigint  NOT NULL
);
INSERT INTO audit_horizon (before) VALUES (0);
CREATE FUNCTION keep_audit_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND OLD.at < (SELECT before FROM audit_horizon) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the audit log is only ever added to';
END $$;
CREATE TRIGGER audit_log_kept BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION keep_audit_log();

-- As for events: see make_room_for_events.
CREATE FUNCTION make_room_for_audit(size bigint, ahead bigint) RETURNS bigint
LANGUAGE plpgsql SET lock_timeout = '1s' AS $$
DECLARE
    given  bigint;
    past   bigint;
    made   bigint := 0;
BEGIN
    SELECT CASE WHEN is_called THEN last_value ELSE -1 END INTO given FROM audit_ids;
    SELECT coalesce(max(past_id), 0) INTO past FROM audit_partitions;
    IF past > given + ahead THEN
        RETURN 0;
    END IF;
    LOCK TABLE ONLY audit_log IN ACCESS EXCLUSIVE MODE;
    SELECT CASE WHEN is_called THEN last_value ELSE -1 END INTO given FROM audit_ids;
    past := greatest(past, given + 1);
    WHILE past <= given + ahead LOOP
        EXECUTE format('CREATE TABLE audit_log_%s PARTITION OF audit_log FOR VALUES FROM (%s) TO (%s)',
                       past, past, past + size);
        INSERT INTO audit_partitions (first_id, past_id) VALUES (past, past + size);
        past := past + size;
        made := made + 1;
    END LOOP;
    RETURN made;
END $$;

-- Drops the oldest partition if the first record behind it is from before the moment: then all in it are older.
CREATE FUNCTION drop_oldest_audit(older_than bigint) RETURNS bigint
LANGUAGE plpgsql SET lock_timeout = '1s' AS $$
DECLARE
    oldest  record;
    behind  bigint;
BEGIN
    SELECT first_id, past_id INTO oldest FROM audit_partitions ORDER BY first_id LIMIT 1;
    SELECT at INTO behind FROM audit_log WHERE id >= oldest.past_id ORDER BY id LIMIT 1;
    IF behind IS NULL OR behind > older_than THEN
        RETURN 0;
    END IF;
    EXECUTE format('DROP TABLE audit_log_%s', oldest.first_id);
    DELETE FROM audit_partitions WHERE first_id = oldest.first_id;
    RETURN 1;
END $$;

SELECT make_room_for_audit(10000000, 20000000);
