//! Operations: what is asked of the registry, as typed values that say which rights they need.

use wharf_oci::{Digest, Reference, RepositoryName, Tag};

use crate::UploadId;
use crate::access::Role;
use crate::metadata::PinName;
use crate::permissions::AccountName;

/// What may be done with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Read manifests, blobs, tags, referrers.
    Pull,
    /// Add blobs and manifests, move tags.
    Push,
    /// Remove tags, manifests, blobs.
    Delete,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pull, Self::Push, Self::Delete];

    /// Its name in scopes and tokens.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
        }
    }
}

/// A right that an operation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement<'a> {
    /// Nothing but being allowed in.
    Access,
    /// To see which repositories there are.
    Catalog,
    /// An action on a repository.
    Repository(&'a RepositoryName, Action),
    /// A role on a repository.
    Role(&'a RepositoryName, Role),
    /// A role on a namespace as a whole; `Read` is to be of it in any way.
    Namespace(&'a AccountName, Role),
    /// To see which teams a namespace has: to be a member of it, which a grant on a part of it makes nobody, or to
    /// administer something there.
    Teams(&'a AccountName),
    /// To be a user, with a secret that is good for a role on all of theirs, or an administrator of everything.
    Own(&'a AccountName, Role),
    /// To be an administrator of everything.
    Site,
}

/// What is asked of the registry.
pub trait Operation: Send + Sync {
    /// Its name in logs and metrics.
    const NAME: &'static str;
    /// Whether it changes anything.
    const MUTATES: bool;

    /// The right that it needs. A right that only widens what it finds (a mount's source) is asked for apart.
    fn requirement(&self) -> Requirement<'_>;
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident, $text:literal, $mutates:literal, $requirement:tt
        { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug)]
            pub struct $name {
                $($(#[$field_doc])* pub $field: $type,)*
            }

            impl Operation for $name {
                const NAME: &'static str = $text;
                const MUTATES: bool = $mutates;

                fn requirement(&self) -> Requirement<'_> {
                    operations!(@requirement self $requirement)
                }
            }
        )*
    };
    (@requirement $self:ident Access) => {{ let _ = $self; Requirement::Access }};
    (@requirement $self:ident Catalog) => {{ let _ = $self; Requirement::Catalog }};
    (@requirement $self:ident Admin) => { Requirement::Role(&$self.repository, Role::Admin) };
    (@requirement $self:ident AdminOfNamespace) => {
        Requirement::Namespace(&$self.namespace, Role::Admin)
    };
    (@requirement $self:ident $action:ident) => {
        Requirement::Repository(&$self.repository, Action::$action)
    };
}

operations! {
    /// Asks whether this is a registry (end-1).
    CheckSupport, "check_support", false, Access {}
    /// Asks for the extensions (`_oci/ext/discover`).
    DiscoverExtensions, "discover_extensions", false, Access {}
    /// Asks for the names of repositories (`_catalog`).
    ListRepositories, "list_repositories", false, Catalog {}
    /// Reads a manifest (end-3).
    PullManifest, "pull_manifest", false, Pull {
        /// Where.
        repository: RepositoryName,
        /// Which.
        reference: Reference,
    }
    /// Stores a manifest and moves tags to it (end-7).
    PutManifest, "push_manifest", true, Push {
        /// Where.
        repository: RepositoryName,
        /// By tag or by digest.
        reference: Reference,
        /// More tags to move (end-7b).
        tags: Vec<Tag>,
    }
    /// Removes a tag, or a manifest with all tags on it (end-9).
    DeleteManifest, "delete_manifest", true, Delete {
        /// Where.
        repository: RepositoryName,
        /// Which.
        reference: Reference,
    }
    /// Reads a blob (end-2).
    PullBlob, "pull_blob", false, Pull {
        /// Where.
        repository: RepositoryName,
        /// Which.
        digest: Digest,
    }
    /// Asks for a blob (end-2) before what needs it is pushed: the repository is to hold it until then.
    KeepBlob, "keep_blob", true, Push {
        /// Where.
        repository: RepositoryName,
        /// Which.
        digest: Digest,
    }
    /// Removes a blob from a repository (end-10).
    DeleteBlob, "delete_blob", true, Delete {
        /// Where.
        repository: RepositoryName,
        /// Which.
        digest: Digest,
    }
    /// Begins an upload (end-4).
    StartUpload, "start_upload", true, Push {
        /// Where.
        repository: RepositoryName,
    }
    /// Adds a blob that another repository holds (end-11).
    MountBlob, "mount_blob", true, Push {
        /// Where it is added.
        repository: RepositoryName,
        /// Which.
        digest: Digest,
        /// Where it is; any repository that may be read when `None`.
        from: Option<RepositoryName>,
    }
    /// Asks how far an upload is (end-13).
    GetUpload, "get_upload", false, Push {
        /// Where.
        repository: RepositoryName,
        /// Which.
        upload: UploadId,
    }
    /// Adds bytes to an upload (end-5).
    AppendUpload, "append_upload", true, Push {
        /// Where.
        repository: RepositoryName,
        /// Which.
        upload: UploadId,
    }
    /// Ends an upload with its digest (end-6).
    FinishUpload, "finish_upload", true, Push {
        /// Where.
        repository: RepositoryName,
        /// Which.
        upload: UploadId,
        /// What its content must be.
        digest: Digest,
    }
    /// Ends an upload without a blob (end-14).
    CancelUpload, "cancel_upload", true, Push {
        /// Where.
        repository: RepositoryName,
        /// Which.
        upload: UploadId,
    }
    /// Begins a direct upload (docs/direct-upload.md).
    StartDirectUpload, "start_direct_upload", true, Push {
        /// Where.
        repository: RepositoryName,
    }
    /// Asks how a direct upload is cut and which parts have come.
    GetDirectUpload, "get_direct_upload", false, Push {
        /// Where.
        repository: RepositoryName,
        /// Which.
        upload: UploadId,
    }
    /// Asks where parts of a direct upload are to be sent.
    AddressParts, "address_parts", true, Push {
        /// Where.
        repository: RepositoryName,
        /// Which.
        upload: UploadId,
    }
    /// Sends a part of a direct upload.
    PutPart, "put_part", true, Push {
        /// Where.
        repository: RepositoryName,
        /// Which.
        upload: UploadId,
    }
    /// Ends a direct upload with its digest and its parts.
    FinishDirectUpload, "finish_direct_upload", true, Push {
        /// Where.
        repository: RepositoryName,
        /// Which.
        upload: UploadId,
        /// What its content must be.
        digest: Digest,
    }
    /// Ends a direct upload without a blob.
    CancelDirectUpload, "cancel_direct_upload", true, Push {
        /// Where.
        repository: RepositoryName,
        /// Which.
        upload: UploadId,
    }
    /// Lists changes of a tag, or of all tags.
    ListTagHistory, "list_tag_history", false, Pull {
        /// Where.
        repository: RepositoryName,
        /// Which; all of them without it.
        tag: Option<Tag>,
    }
    /// Has a tag stand again where it stood.
    RollBackTag, "roll_back_tag", true, Push {
        /// Where.
        repository: RepositoryName,
        /// Which.
        tag: Tag,
    }
    /// Lists what was deleted and can be brought back.
    ListDeleted, "list_deleted", false, Push {
        /// Where.
        repository: RepositoryName,
    }
    /// Brings back what was deleted.
    RestoreDeleted, "restore_deleted", true, Push {
        /// Where.
        repository: RepositoryName,
        /// A manifest with the tags that went with it, or a tag.
        what: Reference,
    }
    /// Deletes a repository with all that it holds.
    DeleteRepository, "delete_repository", true, Admin {
        /// Which.
        repository: RepositoryName,
    }
    /// Lists the repositories of a namespace that were deleted and can be brought back.
    ListDeletedRepositories, "list_deleted_repositories", false, AdminOfNamespace {
        /// Which namespace.
        namespace: AccountName,
    }
    /// Brings a repository back. Where it goes to another name, who asks needs to administer that as well.
    RestoreRepository, "restore_repository", true, Admin {
        /// What it was called.
        repository: RepositoryName,
        /// Its number, where several had that name; else the one that was deleted last.
        number: Option<i64>,
        /// What it shall be called, if not the same.
        to: Option<RepositoryName>,
    }
    /// Pins a manifest.
    PutPin, "put_pin", true, Push {
        /// Where.
        repository: RepositoryName,
        /// What the pin is called.
        name: PinName,
    }
    /// Takes a pin away, so that what it kept may be deleted.
    RemovePin, "delete_pin", true, Delete {
        /// Where.
        repository: RepositoryName,
        /// Which.
        name: PinName,
    }
    /// Lists pins.
    ListPins, "list_pins", false, Pull {
        /// Where.
        repository: RepositoryName,
    }
    /// Lists tags (end-8).
    ListTags, "list_tags", false, Pull {
        /// Where.
        repository: RepositoryName,
    }
    /// Lists the manifests about a manifest (end-12).
    ListReferrers, "list_referrers", false, Pull {
        /// Where.
        repository: RepositoryName,
        /// What they are about.
        subject: Digest,
    }
}
