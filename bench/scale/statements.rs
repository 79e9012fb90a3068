//! The statements behind each request, cut out of the product's source so that they are the ones it runs.

use anyhow::{Context, Result, ensure};
use wharf_oci::{Digest, TagOrder};

use crate::images::{MANIFEST, Manifest};
use crate::requests::pushed;
use crate::rows::{self, PRINCIPAL, Rows, repository_id, repository_name};
use crate::shape::{LARGE, Place};

const EVENTS: &str = include_str!("../../crates/metadata/src/transactions/events.rs");
const COMMITS: &str =
    include_str!("../../crates/metadata/src/transactions/manifests/committing.rs");
const MANIFESTS: &str = include_str!("../../crates/metadata/src/transactions/manifests.rs");
const REFERRERS: &str =
    include_str!("../../crates/metadata/src/transactions/manifests/referrers.rs");
const REPOSITORIES: &str = include_str!("../../crates/metadata/src/transactions/repositories.rs");
const CHANGES: &str = include_str!("../../crates/metadata/src/transactions/tags/changing.rs");
const STORED: &str = include_str!("../../crates/metadata/src/transactions/manifests/storing.rs");
const TAGS: &str = include_str!("../../crates/metadata/src/transactions/tags.rs");
const TOUCHES: &str = include_str!("../../crates/metadata/src/transactions/manifests/touching.rs");
const WRITES: &str = include_str!("../../crates/metadata/src/transactions/writes.rs");

/// An argument.
#[derive(Debug, Clone)]
pub enum Value {
    /// A number.
    Int(i64),
    /// A text, or nothing in its place.
    Text(Option<String>),
    /// Bytes, or nothing in their place.
    Bytes(Option<Vec<u8>>),
    /// A JSON document.
    Json(String),
}

/// A statement with its arguments.
pub struct Statement {
    /// As it stands in the source.
    pub sql: &'static str,
    /// In the order of their numbers.
    pub arguments: Vec<Value>,
    /// Whether PostgreSQL is asked to lock the rows.
    pub locks: bool,
}

/// A request and all its statements, in their order.
pub struct Operation {
    /// Its name, good for a file.
    pub name: &'static str,
    /// What it runs, each kind once.
    pub statements: Vec<Statement>,
}

/// The statements of all requests that are measured.
pub fn operations(rows: &Rows) -> Result<Vec<Operation>> {
    let repository = 1 + rows.shape.repositories() / 2;
    let middle = |repository| Place { repository, number: rows.shape.size(repository) / 2 };
    Ok(vec![
        Operation { name: "tag-resolve", statements: resolve(middle(repository))? },
        Operation { name: "tag-page-large", statements: tag_page(middle(LARGE))? },
        Operation { name: "tag-page-small", statements: tag_page(middle(repository))? },
        Operation { name: "referrers-large", statements: referrers(LARGE)? },
        Operation { name: "referrers-small", statements: referrers(repository)? },
        Operation { name: "push", statements: push(rows, middle(repository))? },
    ])
}

fn resolve(place: Place) -> Result<Vec<Statement>> {
    let arguments = vec![repository_name(place.repository).into(), rows::tag(place).into()];
    Ok(vec![statement(MANIFESTS, "AND t.name = $2", arguments)?])
}

fn tag_page(place: Place) -> Result<Vec<Statement>> {
    let arguments =
        vec![repository_id(place.repository).into(), rows::tag(place).into(), 101.into()];
    Ok(vec![find_repository(place)?, statement(TAGS, "ORDER BY name LIMIT $3", arguments)?])
}

/// The first batch of a page, and one behind its last.
fn referrers(repository: u64) -> Result<Vec<Statement>> {
    let subject = rows::manifest(rows::subject(repository, 0)).digest;
    let last = rows::referrers(repository, 0).map(|place| rows::manifest(place).digest).max();
    let batch = |after: Option<Digest>| {
        let arguments = vec![
            subject.into(),
            Value::Text(None),
            Value::Bytes(after.as_ref().map(Digest::to_binary)),
            repository_name(repository).into(),
            16.into(),
        ];
        statement(REFERRERS, "m.subject = $1", arguments)
    };
    Ok(vec![batch(None)?, batch(last)?])
}

/// In the order of `CommitManifest`, for a tag that is not there yet; without what counts usage.
fn push(rows: &Rows, place: Place) -> Result<Vec<Statement>> {
    let manifest = pushed(place, "planned");
    let Manifest { digest, payload, blobs, artifact_type, annotations, .. } = &manifest;
    let (repository, now) = (repository_id(place.repository), rows.newest);
    let by = || Value::from(PRINCIPAL.to_owned());
    let tag = || Value::from("planned".to_owned());
    let event = |kind: &str| {
        let payload = Value::Json(format!("{{\"by\":\"{PRINCIPAL}\",\"digest\":\"{digest}\"}}"));
        let (none, kind) = (Value::Text(None), kind.to_owned().into());
        let arguments = vec![repository.into(), none, kind, payload, now.into()];
        statement(EVENTS, "INSERT INTO events", arguments)
    };
    let standing =
        statement(CHANGES, "SELECT manifest_digest, version", vec![repository.into(), tag()])?;
    let stored = vec![
        (*digest).into(),
        MANIFEST.to_owned().into(),
        (*artifact_type).to_owned().into(),
        Value::Bytes(None),
        Value::Json(annotations.clone()),
        (payload.len() as i64).into(),
        Value::Bytes(Some(payload.as_bytes().to_vec())),
        now.into(),
    ];
    let held = vec![repository.into(), (*digest).into(), by(), now.into()];
    let TagOrder { is_pre_release, key } = TagOrder::of(&"planned".parse()?);
    let tagged = vec![
        repository.into(),
        tag(),
        (*digest).into(),
        1.into(),
        by(),
        now.into(),
        i64::from(is_pre_release).into(),
        Value::Bytes(Some(key)),
    ];
    let remembered = vec![
        repository.into(),
        tag(),
        1.into(),
        "create".to_owned().into(),
        Value::Bytes(None),
        (*digest).into(),
        by(),
        now.into(),
        "pushed".to_owned().into(),
        Value::Text(None),
    ];
    let touched = vec![now.into(), repository.into(), blobs[0].into()];
    let last_versions = vec![repository.into(), Value::Json("[\"planned\"]".to_owned())];
    let entered = vec![repository_name(place.repository).into()];
    Ok(vec![
        statement(WRITES, "LEFT JOIN repositories r ON r.name = $1", entered)?,
        Statement { locks: true, ..standing },
        statement(TOUCHES, "UPDATE repository_blobs", touched)?,
        statement(STORED, "INSERT INTO manifests", stored)?,
        statement(STORED, "INSERT INTO blob_references", vec![(*digest).into(), blobs[0].into()])?,
        statement(COMMITS, "INSERT INTO repository_manifests", held)?,
        event("manifest.pushed")?,
        statement(CHANGES, "FROM jsonb_array_elements_text($2) n (name)", last_versions)?,
        statement(CHANGES, "INSERT INTO tags", tagged)?,
        statement(CHANGES, "INSERT INTO tag_history", remembered)?,
        event("tag.created")?,
    ])
}

fn find_repository(place: Place) -> Result<Statement> {
    let arguments = vec![repository_name(place.repository).into()];
    statement(REPOSITORIES, "SELECT id FROM repositories", arguments)
}

/// The one statement in `source` that has `part` in it.
fn statement(source: &'static str, part: &str, arguments: Vec<Value>) -> Result<Statement> {
    let lost = || format!("no statement of the product has {part:?} in it");
    let at = source.find(part).with_context(lost)?;
    let begin = source[..at].rfind('"').with_context(lost)? + 1;
    let end = at + source[at..].find('"').with_context(lost)?;
    ensure!(!source[end..].contains(part), "two statements have {part:?} in them");
    Ok(Statement { sql: &source[begin..end], arguments, locks: false })
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<Digest> for Value {
    fn from(digest: Digest) -> Self {
        Self::Bytes(Some(digest.to_binary()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::shape::Shape;

    #[test]
    fn the_source_has_every_statement_with_as_many_parameters_as_arguments() {
        let rows = Rows { shape: Shape::new(10_000), newest: 0 };
        for operation in operations(&rows).unwrap() {
            for Statement { sql, arguments, .. } in operation.statements {
                let known = ["SELECT ", "INSERT ", "UPDATE "].iter().any(|it| sql.starts_with(it));
                assert!(known, "{sql}");
                for number in 1..=9 {
                    let has = sql.contains(&format!("${number}"));
                    assert_eq!(has, number <= arguments.len(), "${number} of {sql}");
                }
            }
        }
    }
}
