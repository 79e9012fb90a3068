-- Trust in workloads: which tokens of which issuers stand for a robot. Conditions are lines `CLAIM=PATTERN`.

CREATE TABLE trust_rules (
    id          INTEGER PRIMARY KEY,
    robot_id    INTEGER NOT NULL REFERENCES robots (id) ON DELETE CASCADE,
    issuer      TEXT NOT NULL,
    audience    TEXT NOT NULL,
    conditions  TEXT NOT NULL,
    created_by  TEXT NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX trust_rules_robot ON trust_rules (robot_id, id);

-- What gets a workload new access tokens, for as long as its rule is there.
CREATE TABLE workload_tokens (
    secret_hash  BLOB   NOT NULL PRIMARY KEY,
    rule_id      INTEGER NOT NULL REFERENCES trust_rules (id) ON DELETE CASCADE,
    subject      TEXT NOT NULL,
    expires_at   INTEGER NOT NULL,
    created_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX workload_tokens_rule ON workload_tokens (rule_id);
CREATE INDEX workload_tokens_expiry ON workload_tokens (expires_at);
