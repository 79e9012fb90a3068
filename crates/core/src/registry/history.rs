//! The history of tags: listed, asked for a time, and gone back in.

use wharf_oci::{Reference, RepositoryName, Tag};

use crate::cache::Kind;
use crate::clock::Timestamp;
use crate::error::Gone;
use crate::metadata::{
    AsOf, ChangePlace, KnownTag, ListChanges, Once, RollBackOutcome, RollBackTag, RollBackTo,
    Stood, TagChange, TagThen, Then,
};
use crate::operation::{ListTagHistory, PullManifest, RollBackTag as RollBack};
use crate::permissions::Permitted;
use crate::registry::{Listing, PulledManifest, Registry};
use crate::{Error, Missing, Result};

/// Which changes of tags are asked for.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// From this moment on.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub before: Option<Timestamp>,
    /// Behind this one.
    pub after: Option<ChangePlace>,
    /// How many.
    pub limit: usize,
}

/// Where to, and under which conditions, a tag goes back.
#[derive(Clone, Debug)]
pub struct BackTo {
    /// Where it is to stand.
    pub to: RollBackTo,
    /// What its last change must be; any without it.
    pub expected: Option<KnownTag>,
    /// Whether it is to happen once.
    pub once: Option<Once>,
}

impl Registry {
    /// Lists changes of a tag or of all tags of a repository, the newest first.
    ///
    /// # Errors
    /// [`Missing::Repository`]; [`Missing::Manifest`] for a tag that never was.
    pub async fn list_changes(
        &self,
        operation: &Permitted<ListTagHistory>,
        asked: Changes,
    ) -> Result<Listing<TagChange>> {
        let ListTagHistory { repository, tag } = &**operation;
        let Changes { from, before, after, limit } = asked;
        let is_all = from.is_none() && before.is_none() && after.is_none() && limit > 0;
        let query = ListChanges {
            repository: repository.clone(),
            tag: tag.clone(),
            from,
            before,
            after,
            limit: limit + 1,
        };
        let found = self.parts.metadata.list_changes(query).await?;
        let mut items = found.ok_or_else(|| Missing::Repository(repository.clone()))?;
        if let (Some(tag), true, true) = (tag, is_all, items.is_empty()) {
            return Err(missing(repository, tag));
        }
        let more = items.len() > limit;
        items.truncate(limit);
        Ok(Listing { items, more })
    }

    /// What a tag stood at, at a time: also where the repository does not hold that any more.
    ///
    /// # Errors
    /// [`Missing::Manifest`] where there was no such tag; [`Gone::Forgotten`] where that is not known any more;
    /// [`Error::Unfit`] for a time to come.
    pub async fn tag_as_of(
        &self,
        operation: &Permitted<ListTagHistory>,
        tag: &Tag,
        at: Timestamp,
    ) -> Result<Then> {
        self.stood(&operation.repository, tag, at).await
    }

    /// The tags that there were at a time, after `after` in byte order, `limit` of them.
    ///
    /// # Errors
    /// [`Missing::Repository`]; [`Error::Unfit`] for a time to come.
    pub async fn tags_as_of(
        &self,
        operation: &Permitted<ListTagHistory>,
        at: Timestamp,
        after: Option<String>,
        limit: usize,
    ) -> Result<Listing<TagThen>> {
        let repository = &operation.repository;
        let found = self.parts.metadata.tags_as_of(repository.clone(), at, after, limit + 1);
        match found.await? {
            AsOf::NoRepository => Err(Missing::Repository(repository.clone()).into()),
            AsOf::ToCome(now) => Err(to_come(at, now)),
            AsOf::Known(mut items) => {
                let more = items.len() > limit;
                items.truncate(limit);
                Ok(Listing { items, more })
            }
        }
    }

    /// Reads the manifest that a tag stood at, at a time. The cache is asked for it by its digest alone, so that what was
    /// is never answered for what is.
    ///
    /// # Errors
    /// As [`tag_as_of`](Self::tag_as_of), and [`Gone::Collected`] where the repository does not hold it any more.
    pub async fn pull_manifest_as_of(
        &self,
        operation: &Permitted<PullManifest>,
        at: Timestamp,
    ) -> Result<PulledManifest> {
        let PullManifest { repository, reference } = &**operation;
        let Reference::Tag(tag) = reference else {
            let message = format!("a time is for a tag; {reference} is the same at all times");
            return Err(Error::Unfit { field: "as_of", message });
        };
        let then = self.stood(repository, tag, at).await?;
        let gone = || Gone::Collected { repository: repository.clone(), digest: then.digest };
        if !then.is_held {
            return Err(gone().into());
        }
        let reference = Reference::Digest(then.digest);
        let by_digest = PullManifest { repository: repository.clone(), reference };
        match self.manifest(&by_digest).await {
            // Deleted since.
            Err(Error::NotFound(_)) => Err(gone().into()),
            found => found,
        }
    }

    async fn stood(&self, repository: &RepositoryName, tag: &Tag, at: Timestamp) -> Result<Then> {
        match self.parts.metadata.tag_as_of(repository.clone(), tag.clone(), at).await? {
            AsOf::ToCome(now) => Err(to_come(at, now)),
            AsOf::Known(Stood::At(then)) => Ok(then),
            AsOf::Known(Stood::Forgotten(since)) => {
                Err(Gone::Forgotten { tag: tag.clone(), since }.into())
            }
            AsOf::Known(Stood::Nowhere) | AsOf::NoRepository => Err(missing(repository, tag)),
        }
    }

    /// Has a tag stand again where it stood. Returns the change, or `None` where nothing changed: it stands there, or the
    /// same was done before under the same key.
    ///
    /// # Errors
    /// [`Missing::Manifest`] for a tag that never was; [`Error::Stale`]; [`Error::Unfit`] where it stood at no such
    /// place; [`Error::Gone`] where the manifest, or what it needs, is not held any more.
    pub async fn roll_back_tag(
        &self,
        operation: &Permitted<RollBack>,
        back: BackTo,
    ) -> Result<Option<TagChange>> {
        let RollBack { repository, tag } = &**operation;
        let BackTo { to, expected, once } = back;
        let asked = RollBackTag {
            repository: repository.clone(),
            tag: tag.clone(),
            to,
            expected,
            once,
            by: operation.actor(),
        };
        let outcome = self.parts.metadata.roll_back_tag(asked).await;
        match self.invalidated(repository, Kind::Manifest, outcome).await? {
            RollBackOutcome::Done(change) => Ok(Some(change)),
            RollBackOutcome::Unchanged | RollBackOutcome::Again => Ok(None),
            RollBackOutcome::KeyReused => Err(Error::Unfit {
                field: "Idempotency-Key",
                message: "the key was used for another request; take a new one".into(),
            }),
            RollBackOutcome::NotFound => Err(missing(repository, tag)),
            RollBackOutcome::Frozen(frozen) => Err(Error::Immutable(frozen)),
            RollBackOutcome::Stale(version) => Err(Error::Stale { tag: tag.clone(), version }),
            RollBackOutcome::NoPlace(reason) => {
                Err(Error::Unfit { field: "to", message: reason.to_string() })
            }
            RollBackOutcome::Forgotten(since) => {
                Err(Gone::Forgotten { tag: tag.clone(), since }.into())
            }
            RollBackOutcome::Gone(digest) => {
                Err(Gone::Collected { repository: repository.clone(), digest }.into())
            }
        }
    }
}

fn missing(repository: &RepositoryName, tag: &Tag) -> Error {
    Missing::Manifest(repository.clone(), Reference::Tag(tag.clone())).into()
}

fn to_come(at: Timestamp, now: Timestamp) -> Error {
    let message = format!("{at} is still to come: it is {now} here");
    Error::Unfit { field: "as_of", message }
}
