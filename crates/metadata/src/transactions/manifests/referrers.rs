//! Referrers: the manifests of a repository about a subject.

use async_trait::async_trait;
use wharf_core::metadata::{ListReferrers, Referrer};

use super::media_type;
use crate::engine::{Reads, Result, Row, Statements, Transaction, arguments};

#[async_trait]
impl Transaction for ListReferrers {
    type Output = Vec<Referrer>;

    const READS: Reads = Reads::Replica;

    /// Reads a few at a time, so that no more than one such batch lies past `max_bytes`.
    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        const BATCH: usize = 16;
        let mut found: Vec<Referrer> = Vec::new();
        let mut bytes = 0;
        while found.len() < self.limit && bytes <= self.max_bytes {
            let after = found.last().map(|referrer| referrer.digest).or(self.after);
            let most = BATCH.min(self.limit - found.len());
            // The membership is asked for row by row, by a subquery that a planner leaves where it is: as a join,
            // PostgreSQL reads every manifest of the repository first.
            let rows = on
                .query(
                    "SELECT m.digest, m.media_type, m.size, m.artifact_type, m.annotations
                     FROM manifests m
                     WHERE m.subject = $1
                       AND ($2 IS NULL OR m.artifact_type = $2)
                       AND ($3 IS NULL OR m.digest > $3)
                       AND (SELECT true FROM repositories r
                            JOIN repository_manifests h ON h.repository_id = r.id
                            WHERE r.name = $4 AND h.digest = m.digest)
                     ORDER BY m.digest LIMIT $5",
                    arguments![
                        self.subject,
                        self.artifact_type.as_deref(),
                        after,
                        self.repository.as_str(),
                        most,
                    ],
                )
                .await?;
            for row in &rows {
                bytes += row.text(4)?.len();
                found.push(referrer(row)?);
            }
            if rows.len() < most {
                break;
            }
        }
        Ok(found)
    }
}

fn referrer(row: &Row) -> Result<Referrer> {
    Ok(Referrer {
        digest: row.digest(0)?,
        media_type: media_type(row, 1)?,
        size: row.size(2)?,
        artifact_type: row.optional_text(3)?,
        annotations: row.text(4)?.to_owned(),
    })
}
