-- How far each has come who exports the audit log. Here its numbers are in the order of commits, and transactions have none.
CREATE TABLE audit_readers (
    name            TEXT    NOT NULL PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 128),
    transaction_id  INTEGER NOT NULL,
    record_id       INTEGER NOT NULL
) STRICT;
