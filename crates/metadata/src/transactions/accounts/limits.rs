//! How much of each kind one account may make.

use wharf_core::metadata::{
    MOST_GRANTS, MOST_MEMBERS, MOST_ORGANIZATIONS, MOST_ROBOTS, MOST_TEAMS, MOST_TOKENS,
};

use crate::engine::{Result, Statements, arguments};

/// What is counted, each by an index. What a namespace or its teams have is counted while that is held, and what a user
/// administers while they are; of tokens, those made at once may be a few more.
#[derive(Clone, Copy)]
pub(super) enum Limited {
    /// Organizations that a user administers by a grant of their own.
    Organizations,
    /// Teams of a namespace.
    Teams,
    /// Members of a team.
    Members,
    /// Grants of a namespace.
    Grants,
    /// Robots of a namespace.
    Robots,
    /// Personal tokens of a user.
    Tokens,
}

/// Whether the row `of` has as many of a kind as it may have.
pub(super) async fn is_full(on: &mut dyn Statements, limited: Limited, of: i64) -> Result<bool> {
    let (sql, most) = match limited {
        Limited::Organizations => (
            "SELECT count(*) FROM grants g JOIN namespaces n ON n.id = g.namespace_id
             WHERE g.subject_kind = 'user' AND g.subject_id = $1 AND g.role = 'admin'
                 AND g.pattern = '' AND n.kind = 'organization'",
            MOST_ORGANIZATIONS,
        ),
        Limited::Teams => ("SELECT count(*) FROM teams WHERE namespace_id = $1", MOST_TEAMS),
        Limited::Members => ("SELECT count(*) FROM team_members WHERE team_id = $1", MOST_MEMBERS),
        Limited::Grants => ("SELECT count(*) FROM grants WHERE namespace_id = $1", MOST_GRANTS),
        Limited::Robots => ("SELECT count(*) FROM robots WHERE namespace_id = $1", MOST_ROBOTS),
        Limited::Tokens => (
            "SELECT count(*) FROM user_tokens WHERE user_id = $1 AND kind = 'personal'",
            MOST_TOKENS,
        ),
    };
    let rows = on.query(sql, arguments![of]).await?;
    Ok(rows.first().map_or(Ok(0), |row| row.size(0))? >= most as u64)
}
