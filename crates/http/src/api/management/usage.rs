//! Usage and quotas: how much namespaces and repositories hold, and may hold.

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use wharf_core::access::Role;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{
    self, RegistryUsage, Scope, ScopeUsage, SetNamespaceQuota, SetRepositoryQuota,
};
use wharf_core::operation::{Action, Requirement};
use wharf_core::permissions::AccountName;
use wharf_oci::RepositoryName;

use super::answer::{Done, Plain, Versioned};
use super::ask::{Ask, Json, Nothing, Version};
use super::pages::{PageOf, PageQuery, limit, page, shown};
use super::problem::Problem;
use super::values::Text;

/// How much may be held; as much as one likes of what is absent.
#[derive(Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Quota {
    /// Bytes of blobs, each blob once, and of manifests.
    #[serde(default, deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    /// Manifests.
    #[serde(default, deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    manifests: Option<u64>,
    /// Tags.
    #[serde(default, deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    tags: Option<u64>,
}

/// JSON knows no whole numbers: 3.0 is 3.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is whole and in range"
)]
fn whole<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let Some(number) = Option::<serde_json::Number>::deserialize(from)? else { return Ok(None) };
    let float = || {
        let float = number.as_f64().filter(|it| it.fract() == 0.0 && (0.0..9e15).contains(it))?;
        Some(float as u64)
    };
    let wrong = || D::Error::custom(format!("{number} must be a whole number from 0"));
    number.as_u64().or_else(float).map(Some).ok_or_else(wrong)
}

impl From<metadata::Quota> for Quota {
    fn from(quota: metadata::Quota) -> Self {
        Self { bytes: quota.bytes, manifests: quota.manifests, tags: quota.tags }
    }
}

impl Quota {
    /// The limits, each within what can be counted to.
    fn read(&self) -> Result<metadata::Quota, Problem> {
        let limits = [("bytes", self.bytes), ("manifests", self.manifests), ("tags", self.tags)];
        for (field, limit) in limits {
            if limit.is_some_and(|limit| limit > metadata::Quota::LARGEST) {
                let most = metadata::Quota::LARGEST;
                return Err(Problem::unfit(field, format!("a limit is at most {most}")));
            }
        }
        Ok(metadata::Quota { bytes: self.bytes, manifests: self.manifests, tags: self.tags })
    }
}

/// How much a namespace or a repository holds.
#[derive(Serialize, JsonSchema)]
pub(super) struct Usage {
    /// Its name.
    name: String,
    /// Bytes that its manifests name, however often the same, and their own.
    referenced_bytes: u64,
    /// Bytes of blobs, each blob once, and of manifests.
    bytes: u64,
    /// Bytes of uploads under way, and of blobs that no manifest needs yet.
    reserved_bytes: u64,
    /// Bytes that it would hold besides, if nothing were shared.
    saved_bytes: u64,
    /// Manifests.
    manifests: u64,
    /// Tags.
    tags: u64,
    /// How much it may hold.
    quota: Quota,
    /// Whether all that was there before usage was counted is in it by now.
    complete: bool,
}

fn usage(name: String, found: &ScopeUsage) -> Usage {
    let held = &found.usage;
    Usage {
        name,
        referenced_bytes: held.referenced,
        bytes: held.bytes,
        reserved_bytes: held.reserved,
        saved_bytes: held.referenced.saturating_sub(held.bytes),
        manifests: held.manifests,
        tags: held.tags,
        quota: found.quota.into(),
        complete: found.is_complete,
    }
}

/// How much all of the registry holds.
#[derive(Serialize, JsonSchema)]
pub(super) struct AllUsage {
    /// Bytes that manifests name, however often the same, and their own.
    referenced_bytes: u64,
    /// Bytes with each blob once in each namespace.
    namespace_bytes: u64,
    /// Bytes that are stored of that, each blob once, when they were last counted.
    stored_bytes: u64,
    /// Bytes that would be stored besides, if nothing were shared.
    saved_bytes: u64,
    /// Different blobs.
    blobs: u64,
    /// Manifests, each once in each repository.
    manifests: u64,
    /// Tags.
    tags: u64,
    /// When what is stored was last counted; absent before the first time.
    #[serde(skip_serializing_if = "Option::is_none")]
    counted_at: Option<Text<Timestamp>>,
}

impl From<RegistryUsage> for AllUsage {
    fn from(all: RegistryUsage) -> Self {
        let is_counted = all.counted_at.is_some();
        Self {
            referenced_bytes: all.referenced,
            namespace_bytes: all.once_each_namespace,
            stored_bytes: all.stored,
            saved_bytes: if is_counted { all.referenced.saturating_sub(all.stored) } else { 0 },
            blobs: all.blobs,
            manifests: all.manifests,
            tags: all.tags,
            counted_at: all.counted_at.map(|at| Text(Timestamp(at))),
        }
    }
}

/// A namespace, as its members see it.
async fn of_namespace<Q, B>(
    ask: &Ask<Q, B>,
    name: &AccountName,
) -> Result<(ScopeUsage, Version), Problem> {
    let stores = ask.may(Requirement::Namespace(name, Role::Read)).await?;
    let found = stores.directory.find_namespace(name.clone()).await?;
    let found = found.ok_or_else(|| Problem::not_found(format!("namespace {name}")))?;
    let usage = stores.usage.find_usage(Scope::Namespace(name.clone())).await?;
    let usage = usage.unwrap_or_default();
    Ok((usage, Version { number: usage.version, created_at: found.created_at }))
}

/// A repository, as those see it who may push to it.
async fn of_repository<Q, B>(
    ask: &Ask<Q, B>,
    name: &RepositoryName,
) -> Result<(ScopeUsage, Version), Problem> {
    let stores = ask.may(Requirement::Repository(name, Action::Push)).await?;
    let not_found = || Problem::not_found(format!("repository {name}"));
    let found = stores.directory.find_repository(name.clone()).await?.ok_or_else(not_found)?;
    let usage = stores.usage.find_usage(Scope::Repository(name.clone())).await?;
    let usage = usage.ok_or_else(not_found)?;
    Ok((usage, Version { number: usage.version, created_at: found.created_at }))
}

fn quota<Q, B>(ask: &Ask<Q, B>, (found, version): (ScopeUsage, Version)) -> Versioned<Quota> {
    Versioned { value: found.quota.into(), version, known: ask.has_version(version) }
}

pub(super) async fn namespace_usage(ask: Ask) -> Result<Plain<Usage>, Problem> {
    let name: AccountName = ask.named("namespace")?;
    let (found, _) = of_namespace(&ask, &name).await?;
    Ok(Plain(usage(name.to_string(), &found)))
}

pub(super) async fn namespace_quota(ask: Ask) -> Result<Versioned<Quota>, Problem> {
    let name: AccountName = ask.named("namespace")?;
    Ok(quota(&ask, of_namespace(&ask, &name).await?))
}

/// The version that a change expects, where it says any.
async fn expected_of_namespace<B>(
    ask: &Ask<Nothing, B>,
    name: &AccountName,
) -> Result<Option<i64>, Problem> {
    ask.expected_of(async { Ok(of_namespace(ask, name).await?.1.created_at) }).await
}

pub(super) async fn set_namespace_quota(
    ask: Ask<Nothing, Json<Quota>>,
) -> Result<Versioned<Quota>, Problem> {
    let namespace: AccountName = ask.named("namespace")?;
    let (quota, expected) = (ask.body.0.read()?, expected_of_namespace(&ask, &namespace).await?);
    ask.change(SetNamespaceQuota { namespace: namespace.clone(), quota, expected }).await?;
    Ok(Versioned { known: false, ..self::quota(&ask, of_namespace(&ask, &namespace).await?) })
}

pub(super) async fn remove_namespace_quota(ask: Ask) -> Result<Done, Problem> {
    let namespace: AccountName = ask.named("namespace")?;
    let expected = expected_of_namespace(&ask, &namespace).await?;
    let quota = metadata::Quota::default();
    ask.change(SetNamespaceQuota { namespace, quota, expected }).await?;
    Ok(Done)
}

pub(super) async fn repository_usage(ask: Ask) -> Result<Plain<Usage>, Problem> {
    let name: RepositoryName = ask.named("repository")?;
    let (found, _) = of_repository(&ask, &name).await?;
    Ok(Plain(usage(name.to_string(), &found)))
}

pub(super) async fn repository_quota(ask: Ask) -> Result<Versioned<Quota>, Problem> {
    let name: RepositoryName = ask.named("repository")?;
    Ok(quota(&ask, of_repository(&ask, &name).await?))
}

/// The change of a repository's quota, which its namespace's administrators make.
async fn change_of_repository<B>(
    ask: &Ask<Nothing, B>,
    quota: metadata::Quota,
) -> Result<SetRepositoryQuota, Problem> {
    let repository: RepositoryName = ask.named("repository")?;
    let namespace = repository.namespace().parse().map_err(|error| {
        Problem::not_found(format!("the namespace of {repository} is nobody's: {error}"))
    })?;
    let expected =
        ask.expected_of(async { Ok(of_repository(ask, &repository).await?.1.created_at) }).await?;
    Ok(SetRepositoryQuota { repository, namespace, quota, expected })
}

pub(super) async fn set_repository_quota(
    ask: Ask<Nothing, Json<Quota>>,
) -> Result<Versioned<Quota>, Problem> {
    let change = change_of_repository(&ask, ask.body.0.read()?).await?;
    let repository = change.repository.clone();
    ask.change(change).await?;
    Ok(Versioned { known: false, ..quota(&ask, of_repository(&ask, &repository).await?) })
}

pub(super) async fn remove_repository_quota(ask: Ask) -> Result<Done, Problem> {
    let change = change_of_repository(&ask, metadata::Quota::default()).await?;
    ask.change(change).await?;
    Ok(Done)
}

pub(super) async fn list(ask: Ask<PageQuery>) -> Result<PageOf<Usage>, Problem> {
    let namespace: AccountName = ask.named("namespace")?;
    let stores = ask.may(Requirement::Namespace(&namespace, Role::Admin)).await?;
    let limit = limit(ask.query.limit.as_ref());
    let page = page(limit, ask.query.after.as_ref());
    let found = stores.usage.list_usage(Some(namespace.clone()), page.after, page.limit).await?;
    let name = |(name, _): &(RepositoryName, ScopeUsage)| name.to_string();
    Ok(shown(found, limit, name, |(name, found)| usage(name.to_string(), &found)))
}

pub(super) async fn all(ask: Ask) -> Result<Plain<AllUsage>, Problem> {
    let stores = ask.may(Requirement::Site).await?;
    Ok(Plain(stores.usage.registry_usage().await?.into()))
}
