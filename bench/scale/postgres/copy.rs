//! Binary COPY into all tables side by side, a connection each: what one table cannot take yet is not made.

use std::error::Error;
use std::pin::Pin;

use anyhow::{Context, Result};
use bytes::BytesMut;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, CopyInSink};
use wharf_oci::Digest;

use super::Database;
use crate::images::MANIFEST;
use crate::progress::Progress;
use crate::rows::{PRINCIPAL, Pushed, Rows, repository_id, repository_name};

/// A COPY under way into each table.
pub struct Copies {
    manifests: Copy,
    repository_manifests: Copy,
    tags: Copy,
    tag_history: Copy,
    blob_references: Copy,
    repository_blobs: Copy,
    events: Copy,
}

/// A COPY under way. It is one transaction.
struct Copy {
    writer: Pin<Box<BinaryCopyInWriter>>,
    /// The connection lives as long as this.
    _client: Client,
}

const INT: Type = Type::INT8;
const TEXT: Type = Type::TEXT;
const BYTES: Type = Type::BYTEA;
const JSON: Type = Type::JSONB;

impl Copies {
    /// Loads all rows.
    pub async fn run(database: &Database, rows: &Rows) -> Result<()> {
        let columns = "repositories (id, name, created_at)";
        let mut repositories = Copy::begin(database, columns, &[INT, TEXT, INT]).await?;
        for repository in 0..rows.shape.repositories() {
            let (id, name) = (repository_id(repository), repository_name(repository));
            repositories.row(&[&id, &name, &rows.made_at()]).await?;
        }
        repositories.finish().await?;
        let mut copies = Self::begin(database).await?;
        let mut progress = Progress::new(rows.shape.manifests());
        for nth in 0..rows.shape.manifests() {
            copies.push(&rows.push(nth)).await?;
            progress.step();
        }
        copies.finish().await
    }

    async fn begin(database: &Database) -> Result<Self> {
        let begin = async |columns: &str, types: &[Type]| {
            Copy::begin(database, columns, types).await.with_context(|| columns.to_owned())
        };
        Ok(Self {
            manifests: begin(
                "manifests (digest, media_type, artifact_type, subject, annotations, size, payload, created_at)",
                &[BYTES, TEXT, TEXT, BYTES, JSON, INT, BYTES, INT],
            )
            .await?,
            repository_manifests: begin(
                "repository_manifests (repository_id, digest, pushed_by, pushed_at)",
                &[INT, BYTES, TEXT, INT],
            )
            .await?,
            tags: begin(
                "tags (repository_id, name, manifest_digest, version, updated_by, updated_at)",
                &[INT, TEXT, BYTES, INT, TEXT, INT],
            )
            .await?,
            tag_history: begin(
                "tag_history (repository_id, name, version, action, to_digest, changed_by, changed_at)",
                &[INT, TEXT, INT, TEXT, BYTES, TEXT, INT],
            )
            .await?,
            blob_references: begin(
                "blob_references (manifest_digest, blob_digest)",
                &[BYTES, BYTES],
            )
            .await?,
            repository_blobs: begin(
                "repository_blobs (repository_id, blob_digest, touched_at)",
                &[INT, BYTES, INT],
            )
            .await?,
            events: begin(
                "events (repository_id, kind, payload, created_at)",
                &[INT, TEXT, JSON, INT],
            )
            .await?,
        })
    }

    async fn push(&mut self, pushed: &Pushed) -> Result<()> {
        let (repository, at, manifest) = (pushed.repository_id(), pushed.at, &pushed.manifest);
        let (digest, payload) = (manifest.digest.to_binary(), manifest.payload.as_bytes());
        let subject = manifest.subject.as_ref().map(Digest::to_binary);
        self.manifests
            .row(&[
                &digest,
                &MANIFEST,
                &manifest.artifact_type,
                &subject,
                &Json(&manifest.annotations),
                &(payload.len() as i64),
                &payload,
                &at,
            ])
            .await?;
        self.repository_manifests.row(&[&repository, &digest, &PRINCIPAL, &at]).await?;
        let (tag, version) = (&pushed.tag, 1_i64);
        self.tags.row(&[&repository, tag, &digest, &version, &PRINCIPAL, &at]).await?;
        self.tag_history
            .row(&[&repository, tag, &version, &"create", &digest, &PRINCIPAL, &at])
            .await?;
        for blob in &manifest.blobs {
            self.blob_references.row(&[&digest, &blob.to_binary()]).await?;
        }
        for blob in &pushed.new_blobs {
            self.repository_blobs.row(&[&repository, &blob.to_binary(), &at]).await?;
        }
        if pushed.has_events {
            for (kind, payload) in pushed.events() {
                self.events.row(&[&repository, &kind, &Json(&payload), &at]).await?;
            }
        }
        Ok(())
    }

    async fn finish(self) -> Result<()> {
        let Self {
            manifests,
            repository_manifests,
            tags,
            tag_history,
            blob_references,
            repository_blobs,
            events,
        } = self;
        let all = [
            manifests,
            repository_manifests,
            tags,
            tag_history,
            blob_references,
            repository_blobs,
            events,
        ];
        for copy in all {
            copy.finish().await?;
        }
        Ok(())
    }
}

impl Copy {
    async fn begin(database: &Database, columns: &str, types: &[Type]) -> Result<Self> {
        let client = database.connect().await?;
        let sink: CopyInSink<_> =
            client.copy_in(&format!("COPY {columns} FROM STDIN BINARY")).await?;
        Ok(Self { writer: Box::pin(BinaryCopyInWriter::new(sink, types)), _client: client })
    }

    async fn row(&mut self, values: &[&(dyn ToSql + Sync)]) -> Result<()> {
        Ok(self.writer.as_mut().write(values).await?)
    }

    async fn finish(mut self) -> Result<()> {
        self.writer.as_mut().finish().await?;
        Ok(())
    }
}

/// A JSON document.
#[derive(Debug)]
struct Json<'a>(&'a str);

impl ToSql for Json<'_> {
    /// The version of the binary form, then the text.
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&[1]);
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::JSONB
    }

    to_sql_checked!();
}
