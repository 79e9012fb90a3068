-- Who exports the audit log follows it in the order of commits, as readers of events do: see `events`. What was written before this step
-- has committed, and comes first.
ALTER TABLE audit_log ADD COLUMN transaction_id bigint NOT NULL DEFAULT 0;
ALTER TABLE audit_log ALTER COLUMN transaction_id SET DEFAULT (pg_current_xact_id()::text::bigint);
CREATE INDEX audit_log_in_order ON audit_log (transaction_id, id);

-- How far each of them has come.
CREATE TABLE audit_readers (
    name            text COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 128),
    transaction_id  bigint NOT NULL,
    record_id       bigint NOT NULL
);
