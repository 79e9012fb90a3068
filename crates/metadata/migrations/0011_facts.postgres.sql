-- The facts of a decision, as functions: planning such a statement takes ten times as long as running it, and what is
-- planned inside a function is kept by the server's session, through PgBouncer as well. See transactions/accounts/facts.rs.

CREATE FUNCTION access_facts_of_user(of_repository text, of_user text, of_namespace text)
RETURNS TABLE (kind text, one bigint, two bigint, role_or_visibility text, pattern_of_grant text, through text)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT 'repository', CAST(0 AS bigint), CAST(0 AS bigint), visibility, '', ''
    FROM repositories WHERE name = of_repository
    UNION ALL
    SELECT 'principal', site_admin, 0, '', '', '' FROM users
    WHERE name = of_user AND disabled_at IS NULL
    UNION ALL
    SELECT 'namespace', n.create_on_push, CASE WHEN u.id IS NULL THEN 0 ELSE 1 END, '', '', ''
    FROM namespaces n LEFT JOIN users u ON u.namespace_id = n.id AND u.name = of_user
    WHERE n.name = of_namespace
    UNION ALL
    SELECT 'grant', g.id, 0, g.role, g.pattern, '' FROM users u
    JOIN namespaces n ON n.name = of_namespace
    JOIN grants g ON g.namespace_id = n.id AND g.subject_kind = 'user' AND g.subject_id = u.id
    WHERE u.name = of_user
    UNION ALL
    SELECT 'grant', g.id, 0, g.role, g.pattern, t.name FROM users u
    JOIN team_members m ON m.user_id = u.id
    JOIN teams t ON t.id = m.team_id
    JOIN namespaces n ON n.id = t.namespace_id AND n.name = of_namespace
    JOIN grants g ON g.namespace_id = n.id AND g.subject_kind = 'team' AND g.subject_id = t.id
    WHERE u.name = of_user
    UNION
    SELECT 'grant', g.id, 0, g.role, g.pattern, t.name FROM users u
    JOIN user_groups m ON m.user_id = u.id
    JOIN team_groups f ON f.provider = m.provider AND f.group_name = m.group_name
    JOIN teams t ON t.id = f.team_id
    JOIN namespaces n ON n.id = t.namespace_id AND n.name = of_namespace
    JOIN grants g ON g.namespace_id = n.id AND g.subject_kind = 'team' AND g.subject_id = t.id
    WHERE u.name = of_user;
END
$$;

CREATE FUNCTION access_facts_of_robot(of_repository text, of_robot text, of_namespace text, of_now bigint)
RETURNS TABLE (kind text, one bigint, two bigint, role_or_visibility text, pattern_of_grant text, through text)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT 'repository', CAST(0 AS bigint), CAST(0 AS bigint), visibility, '', ''
    FROM repositories WHERE name = of_repository
    UNION ALL
    SELECT 'principal', 0, 0, '', '', '' FROM robots r JOIN namespaces n ON n.id = r.namespace_id
    WHERE r.name = of_robot AND n.name = of_namespace AND r.disabled_at IS NULL
        AND (r.expires_at IS NULL OR r.expires_at > of_now)
        AND (n.kind = 'organization' OR EXISTS (
            SELECT 1 FROM users o WHERE o.namespace_id = n.id AND o.disabled_at IS NULL))
    UNION ALL
    SELECT 'namespace', create_on_push, 0, '', '', '' FROM namespaces WHERE name = of_namespace
    UNION ALL
    SELECT 'grant', g.id, 0, g.role, g.pattern, '' FROM robots r
    JOIN namespaces n ON n.id = r.namespace_id
    JOIN grants g ON g.namespace_id = n.id AND g.subject_kind = 'robot' AND g.subject_id = r.id
    WHERE r.name = of_robot AND n.name = of_namespace;
END
$$;

-- Personal tokens that expired long ago are found to be forgotten.
CREATE INDEX user_tokens_end ON user_tokens (expires_at) WHERE kind = 'personal' AND expires_at IS NOT NULL;
