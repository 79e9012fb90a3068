//! Changes of accounts, as values that say what the audit log is told of them.

mod declaring;
mod subject;
mod told;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use wharf_oci::{Digest, NamePattern, RepositoryName};

use crate::access::{Narrowing, Role, Visibility};
use crate::clock::Timestamp;
use crate::immutability::{Policy, PolicyName, PolicyScope};
use crate::metadata::{
    Conditions, ExternalName, ProviderGroup, ProviderName, Quota, TokenId, in_words,
};
use crate::operation::{Operation, Requirement};
use crate::permissions::{AccountName, RobotName};
use crate::retention::{self, Age};
use crate::writes::{WriteMode, WriteReason, WriteScope};
use declaring::changes;
pub use subject::{Subject, TokenKind};
use told::{About, hexadecimal, policy_words, quota_words, role_and_pattern, word, words};

/// What changes of policies need: to administer what they hold in.
fn administration(of: &PolicyScope) -> Requirement<'_> {
    match of {
        PolicyScope::Namespace(name) => Requirement::Namespace(name, Role::Admin),
        PolicyScope::Repository(name) => Requirement::Role(name, Role::Admin),
    }
}

changes! {
    /// Makes a user, with the namespace of the same name.
    NewUser, "create_user", "user.create", |it| format!("user:{}", it.name), None,
    words!("site_admin" = it.site_admin.then_some(true)), requires Requirement::Site; {
        /// The name.
        name: AccountName,
        /// Where they are written to, if anywhere.
        email: Option<String>,
        /// The hash of their password, as a text that says how it was made; without one they log in otherwise.
        password_hash: Option<String>,
        /// Whether they may do everything everywhere.
        site_admin: bool,
    }
    /// Changes what is known of a user. Disabling ends all that gets new access tokens without a login.
    UpdateUser, "update_user", "user.update", |it| format!("user:{}", it.name), None,
    words!(
        "email" = it.email.as_ref().map(|_| "changed"), "disabled" = it.disabled, "site_admin" = it.site_admin,
    ), requires match it {
        Self { disabled: None, site_admin: None, name, .. } => Requirement::Own(name, Role::Admin),
        _ => Requirement::Site,
    }; {
        /// Who.
        name: AccountName,
        /// Another address, or none, where it changes.
        email: Option<Option<String>>,
        /// Whether they may do nothing, for now.
        disabled: Option<bool>,
        /// Whether they may do everything everywhere.
        site_admin: Option<bool>,
        /// The version that it changes; any without it.
        expected: Option<i64>,
    }
    /// Gives a user another password, and ends the sessions and refresh tokens that were got with the old one. Personal tokens
    /// stay, as they are not the password's: they are in the list of `Directory::list_tokens`. Where somebody else than the
    /// user makes the change, they end too.
    SetPassword, "set_password", "user.password", |it| format!("user:{}", it.name), None,
    String::new(), requires Requirement::Own(&it.name, Role::Admin); {
        /// Whose.
        name: AccountName,
        /// The hash of it.
        hash: String,
    }
    /// Takes a user away, with all that is theirs alone: tokens, grants, and the teams, robots and grants of their namespace,
    /// which must have no repositories. Its name stays theirs. Organizations must keep somebody who administers them.
    DeleteUser, "delete_user", "user.delete", |it| format!("user:{}", it.name), None,
    String::new(), requires Requirement::Site; {
        /// Who.
        name: AccountName,
    }
    /// Makes an organization: a namespace of its own, of which `owner` is an administrator.
    CreateOrganization, "create_organization", "organization.create", |it| format!("organization:{}", it.name),
    Some(it.name.to_string()), words!("owner" = Some(&it.owner)),
    requires Requirement::Own(&it.owner, Role::Admin); {
        /// Its name.
        name: AccountName,
        /// The user who administers it at first.
        owner: AccountName,
    }
    /// Takes an organization away, with its teams, robots and grants. It must be empty; its name stays taken.
    DeleteOrganization, "delete_organization", "organization.delete", |it| format!("organization:{}", it.name),
    Some(it.name.to_string()), String::new(), requires Requirement::Namespace(&it.name, Role::Admin); {
        /// Which.
        name: AccountName,
    }
    /// Sets who may read new repositories of a namespace, and whether pushes make any.
    UpdateNamespace, "update_namespace", "namespace.update", |it| format!("namespace:{}", it.name),
    Some(it.name.to_string()), words!(
        "default_visibility" = it.default_visibility.map(Visibility::name), "create_on_push" = it.create_on_push,
    ), requires Requirement::Namespace(&it.name, Role::Admin); {
        /// Which.
        name: AccountName,
        /// Who may read new repositories.
        default_visibility: Option<Visibility>,
        /// Whether a push may make a repository.
        create_on_push: Option<bool>,
        /// The version that it changes; any without it.
        expected: Option<i64>,
    }
    /// Makes a team.
    CreateTeam, "create_team", "team.create", |it| format!("team:{}/{}", it.namespace, it.team),
    Some(it.namespace.to_string()), String::new(), requires Requirement::Namespace(&it.namespace, Role::Admin); {
        /// Of which namespace.
        namespace: AccountName,
        /// Its name.
        team: AccountName,
    }
    /// Takes a team away, with what was granted to it. An organization must keep somebody who administers it.
    DeleteTeam, "delete_team", "team.delete", |it| format!("team:{}/{}", it.namespace, it.team),
    Some(it.namespace.to_string()), String::new(), requires Requirement::Namespace(&it.namespace, Role::Admin); {
        /// Of which namespace.
        namespace: AccountName,
        /// Which.
        team: AccountName,
    }
    /// Adds a user to a team.
    AddMember, "add_member", "team.add", |it| format!("team:{}/{}", it.namespace, it.team),
    Some(it.namespace.to_string()), words!("user" = Some(&it.user)),
    requires Requirement::Namespace(&it.namespace, Role::Admin); {
        /// Of which namespace the team is.
        namespace: AccountName,
        /// The team.
        team: AccountName,
        /// The user.
        user: AccountName,
    }
    /// Takes a user out of a team. An organization must keep somebody who administers it.
    RemoveMember, "remove_member", "team.remove", |it| format!("team:{}/{}", it.namespace, it.team),
    Some(it.namespace.to_string()), words!("user" = Some(&it.user)),
    requires Requirement::Namespace(&it.namespace, Role::Admin); {
        /// Of which namespace the team is.
        namespace: AccountName,
        /// The team.
        team: AccountName,
        /// The user.
        user: AccountName,
    }
    /// Says which groups of identity providers fill a team, all of them: [`MOST_TEAM_GROUPS`](crate::metadata::MOST_TEAM_GROUPS) at most.
    SetTeamGroups, "set_team_groups", "team.groups", |it| format!("team:{}/{}", it.namespace, it.team),
    Some(it.namespace.to_string()), words!("groups" = Some(in_words(it.groups.iter().cloned()))),
    requires Requirement::Namespace(&it.namespace, Role::Admin); {
        /// Of which namespace the team is.
        namespace: AccountName,
        /// The team.
        team: AccountName,
        /// The groups.
        groups: BTreeSet<ProviderGroup>,
    }
    /// Gives an identity of a provider to a user: who is called so there logs in as them from now on. [`Change::Taken`]
    /// where it is another's, or the user has another one of that provider.
    ///
    /// [`Change::Taken`]: crate::metadata::Change::Taken
    LinkIdentity, "link_identity", "identity.link", |it| format!("user:{}", it.user), Some(it.user.to_string()),
    words!("provider" = Some(&it.provider), "subject" = Some(it.subject.in_a_word())), requires Requirement::Site; {
        /// Whose it becomes.
        user: AccountName,
        /// Who says so.
        provider: ProviderName,
        /// Who it is there.
        subject: ExternalName,
    }
    /// Takes a provider's identity from a user, with the groups and sessions that came by it, and all that they let in
    /// and that has not asked since. Not by who it is: what was stolen from them would keep them out.
    UnlinkIdentity, "unlink_identity", "identity.unlink", |it| format!("user:{}", it.user), Some(it.user.to_string()),
    words!("provider" = Some(&it.provider)), requires Requirement::Site; {
        /// Whose.
        user: AccountName,
        /// Of which provider.
        provider: ProviderName,
    }
    /// Grants a role; a grant for the same subject and pattern is replaced.
    NewGrant, "put_grant", "grant.put", |it| format!("namespace:{}", it.namespace), Some(it.namespace.to_string()),
    words!("role" = Some(it.role.name()), "to" = Some(&it.subject), "on" = it.pattern.as_ref()),
    requires Requirement::Namespace(&it.namespace, Role::Admin); {
        /// In which namespace.
        namespace: AccountName,
        /// To whom.
        subject: Subject,
        /// What.
        role: Role,
        /// On which repositories of the namespace; all where there is none.
        pattern: Option<NamePattern>,
    }
    /// Takes a grant away.
    RemoveGrant, "remove_grant", "grant.remove", |it| format!("namespace:{}", it.namespace),
    Some(it.namespace.to_string()), words!("to" = Some(&it.subject), "on" = it.pattern.as_ref()),
    requires Requirement::Namespace(&it.namespace, Role::Admin); {
        /// In which namespace.
        namespace: AccountName,
        /// Whose.
        subject: Subject,
        /// On which repositories.
        pattern: Option<NamePattern>,
    }
    /// Makes a robot.
    NewRobot, "create_robot", "robot.create", |it| format!("robot:{}", it.name), Some(it.name.namespace.to_string()),
    words!("expires_at" = it.expires_at.map(|at| at.0)),
    requires Requirement::Namespace(&it.name.namespace, Role::Admin); {
        /// Its name.
        name: RobotName,
        /// The hash of its secret.
        secret_hash: [u8; 32],
        /// Until when it works; for ever where there is none.
        expires_at: Option<Timestamp>,
    }
    /// Gives a robot a new secret, and the old one works no more. One that is disabled stays so.
    RotateRobot, "rotate_robot", "robot.rotate", |it| format!("robot:{}", it.name),
    Some(it.name.namespace.to_string()), words!("expires_at" = it.expires_at.map(|at| at.0)),
    requires Requirement::Namespace(&it.name.namespace, Role::Admin); {
        /// Which.
        name: RobotName,
        /// The hash of its new secret.
        secret_hash: [u8; 32],
        /// Until when it works; for ever where there is none.
        expires_at: Option<Timestamp>,
    }
    /// Disables a robot, enables it again, or has it work until another time.
    UpdateRobot, "update_robot", "robot.update", |it| format!("robot:{}", it.name),
    Some(it.name.namespace.to_string()), words!(
        "disabled" = it.disabled, "expires_at" = it.expires_at.map(|at| at.map_or(0, |at| at.0)),
    ), requires Requirement::Namespace(&it.name.namespace, Role::Admin); {
        /// Which.
        name: RobotName,
        /// Whether it may do nothing, for now.
        disabled: Option<bool>,
        /// Until when it works, or for ever, where that changes.
        expires_at: Option<Option<Timestamp>>,
        /// The version that it changes; any without it.
        expected: Option<i64>,
    }
    /// Takes a robot away, with what was granted to it.
    RemoveRobot, "delete_robot", "robot.delete", |it| format!("robot:{}", it.name),
    Some(it.name.namespace.to_string()), String::new(),
    requires Requirement::Namespace(&it.name.namespace, Role::Admin); {
        /// Which.
        name: RobotName,
    }
    /// Has tokens of an issuer stand for a robot.
    NewTrustRule, "create_trust_rule", "trust.create", |it| format!("robot:{}", it.robot),
    Some(it.robot.namespace.to_string()), words!(
        "issuer" = Some(&it.issuer), "audience" = Some(&it.audience),
        "conditions" = Some(it.conditions.to_string().replace('\n', ",")),
    ), requires Requirement::Namespace(&it.robot.namespace, Role::Admin); {
        /// Which robot.
        robot: RobotName,
        /// Who signs them. Whether anybody of that name is trusted at all, the settings say.
        issuer: String,
        /// For whom they must be.
        audience: String,
        /// What they must say.
        conditions: Conditions,
    }
    /// Takes a trust rule away, and ends what workloads got by it.
    RemoveTrustRule, "delete_trust_rule", "trust.delete", |it| format!("robot:{}", it.robot),
    Some(it.robot.namespace.to_string()), words!("rule" = Some(it.id)),
    requires Requirement::Namespace(&it.robot.namespace, Role::Admin); {
        /// Of which robot.
        robot: RobotName,
        /// Its number.
        id: i64,
    }
    /// Makes a user's token.
    NewToken, "create_token", "token.create", |it| format!("user:{}", it.user), None,
    format!("{} kind={}", role_and_pattern(&it.most), match it.kind {
        TokenKind::Personal => "personal",
        TokenKind::Refresh => "refresh",
    }), requires Requirement::Own(&it.user, Role::Admin); {
        /// Whose.
        user: AccountName,
        /// What for.
        kind: TokenKind,
        /// What its user calls it.
        name: String,
        /// The hash of its secret.
        secret_hash: [u8; 32],
        /// The most that it gives.
        most: Narrowing,
        /// Until when it works.
        expires_at: Option<Timestamp>,
        /// The identity provider by whose word it is made: it ends with its user's identity there.
        provider: Option<ProviderName>,
    }
    /// Takes a user's token away.
    RemoveToken, "delete_token", "token.delete", |it| format!("user:{}", it.user), None,
    String::new(), requires Requirement::Own(&it.user, Role::Admin); {
        /// Whose.
        user: AccountName,
        /// Which.
        id: TokenId,
    }
    /// Sets who may read a repository without a grant.
    SetVisibility, "update_repository", "repository.visibility", |it| format!("repository:{}", it.repository),
    Some(it.repository.namespace().to_owned()), words!("visibility" = Some(it.visibility.name())),
    requires Requirement::Role(&it.repository, Role::Admin); {
        /// Which.
        repository: RepositoryName,
        /// Who.
        visibility: Visibility,
        /// The version that it changes; any without it.
        expected: Option<i64>,
    }
    /// Gives a repository another name, in the same namespace or in another: all that it holds goes along. Who asks
    /// needs to administer the namespace that it goes to as well.
    RenameRepository, "rename_repository", "repository.rename", |it| format!("repository:{}", it.from),
    Some(it.from.namespace().to_owned()), words!("to" = Some(&it.to)),
    requires Requirement::Role(&it.from, Role::Admin); {
        /// What it is called.
        from: RepositoryName,
        /// What it shall be called.
        to: RepositoryName,
    }
    /// Makes a policy by which tags freeze.
    NewImmutabilityPolicy, "create_immutability_policy", "immutability.create", |it| it.of.to_string(),
    Some(it.of.namespace().to_owned()), policy_words(&it.policy), requires administration(&it.of); {
        /// Where it holds.
        of: PolicyScope,
        /// What it says.
        policy: Policy,
    }
    /// Has a policy say something else.
    ChangeImmutabilityPolicy, "update_immutability_policy", "immutability.update", |it| it.of.to_string(),
    Some(it.of.namespace().to_owned()), policy_words(&it.policy), requires administration(&it.of); {
        /// Where it holds.
        of: PolicyScope,
        /// What it says, under the name that it has.
        policy: Policy,
        /// The version that it changes; any without it.
        expected: Option<i64>,
    }
    /// Takes a policy away.
    RemoveImmutabilityPolicy, "delete_immutability_policy", "immutability.delete", |it| it.of.to_string(),
    Some(it.of.namespace().to_owned()), words!("policy" = Some(&it.name)), requires administration(&it.of); {
        /// Where it holds.
        of: PolicyScope,
        /// Which.
        name: PolicyName,
        /// The version that is meant; any without it.
        expected: Option<i64>,
    }
    /// Sets the policy of retention of a repository, in place of the one before. It drops nothing until it is enabled.
    SetRetention, "set_retention", "retention.set", |it| format!("repository:{}", it.repository),
    Some(it.repository.namespace().to_owned()), words!("rules" = Some(it.policy.rules().len())),
    requires Requirement::Role(&it.repository, Role::Admin); {
        /// Of which.
        repository: RepositoryName,
        /// The policy.
        policy: retention::Policy,
        /// The version that it changes; any, or none, without it.
        expected: Option<i64>,
    }
    /// Says that somebody was shown what a version of a policy would drop.
    PreviewRetention, "preview_retention", "retention.preview", |it| format!("repository:{}", it.repository),
    Some(it.repository.namespace().to_owned()),
    words!("policy" = Some(it.version), "tags" = Some(it.tags), "dropped" = Some(it.dropped), "untagged" = Some(it.untagged)),
    requires Requirement::Role(&it.repository, Role::Admin); {
        /// Of which.
        repository: RepositoryName,
        /// The version of the policy.
        version: i64,
        /// How many tags there were.
        tags: u64,
        /// How many of them would go.
        dropped: u64,
        /// How many manifests would go that have no tag.
        untagged: u64,
    }
    /// Has a version of a policy, which was previewed, drop tags from now on.
    EnableRetention, "enable_retention", "retention.enable", |it| format!("repository:{}", it.repository),
    Some(it.repository.namespace().to_owned()), words!("policy" = Some(it.version)),
    requires Requirement::Role(&it.repository, Role::Admin); {
        /// Of which.
        repository: RepositoryName,
        /// The version of the policy.
        version: i64,
    }
    /// Takes the policy of a repository away. A run that is under way drops nothing more.
    RemoveRetention, "remove_retention", "retention.remove", |it| format!("repository:{}", it.repository),
    Some(it.repository.namespace().to_owned()), String::new(),
    requires Requirement::Role(&it.repository, Role::Admin); {
        /// Of which.
        repository: RepositoryName,
    }
    /// Says that a manifest runs somewhere, for a while from now.
    ReportRunning, "report_running", "running.report", |it| format!("repository:{}@{}", it.repository, it.digest),
    Some(it.repository.namespace().to_owned()), words!("reporter" = Some(&it.reporter), "for" = Some(it.lasts)),
    requires Requirement::Role(&it.repository, Role::Write); {
        /// Of which.
        repository: RepositoryName,
        /// What runs.
        digest: Digest,
        /// Where it runs, as who reports it calls that.
        reporter: String,
        /// For how long, unless it is reported again.
        lasts: Age,
    }
    /// Says whether a repository may be written to, or all of them. Once it is done, nothing that it rules out is
    /// committed any more, on whichever node.
    SetWrites, "set_writes", "writes.set", |it| match &it.scope {
        WriteScope::All => "site".to_owned(),
        WriteScope::Repository(name) => format!("repository:{name}"),
    }, match &it.scope {
        WriteScope::All => None,
        WriteScope::Repository(name) => Some(name.namespace().to_owned()),
    }, words!("mode" = Some(it.mode), "reason" = it.reason.as_ref()), requires match &it.scope {
        WriteScope::All => Requirement::Site,
        WriteScope::Repository(name) => Requirement::Role(name, Role::Admin),
    }; {
        /// Where.
        scope: WriteScope,
        /// What may be written.
        mode: WriteMode,
        /// Why, for those who are refused.
        reason: Option<WriteReason>,
    }
    /// Sets how much all repositories of a namespace together may hold. Nothing is deleted where it is less than they do.
    SetNamespaceQuota, "set_namespace_quota", "namespace.quota", |it| format!("namespace:{}", it.namespace),
    Some(it.namespace.to_string()), quota_words(&it.quota), requires Requirement::Site; {
        /// Which.
        namespace: AccountName,
        /// How much.
        quota: Quota,
        /// The version that it changes; any without it.
        expected: Option<i64>,
    }
    /// Sets how much a repository may hold, within what its namespace may.
    SetRepositoryQuota, "set_repository_quota", "repository.quota", |it| format!("repository:{}", it.repository),
    Some(it.repository.namespace().to_owned()), quota_words(&it.quota),
    requires Requirement::Namespace(&it.namespace, Role::Admin); {
        /// Which.
        repository: RepositoryName,
        /// Its namespace, whose administrators say.
        namespace: AccountName,
        /// How much.
        quota: Quota,
        /// The version that it changes; any without it.
        expected: Option<i64>,
    }
    /// Makes an invitation to sign up, which works once.
    Invite, "create_invitation", "invitation.create", |it| "site".to_owned(), None,
    words!(
        "id" = it.secret_hash.first_chunk().map(hexadecimal),
        "site_admin" = it.site_admin.then_some(true),
    ), requires Requirement::Site; {
        /// The hash of its secret.
        secret_hash: [u8; 32],
        /// Until when it works.
        expires_at: Timestamp,
        /// Whether it makes an administrator of all: only while there is no user at all.
        site_admin: bool,
    }
    /// Takes an invitation back.
    RevokeInvitation, "revoke_invitation", "invitation.revoke", |it| "site".to_owned(), None,
    words!("id" = Some(hexadecimal(&it.id))), requires Requirement::Site; {
        /// Which.
        id: TokenId,
    }
    /// Makes a user who signs up, by an invitation where one is needed.
    SignUp, "sign_up", "user.sign_up", |it| format!("user:{}", it.name), None,
    words!("invited" = Some(it.invitation.is_some())), requires Requirement::Access; {
        /// The name.
        name: AccountName,
        /// Where they are written to, if anywhere.
        email: Option<String>,
        /// The hash of their password.
        password_hash: String,
        /// The hash of the invitation's secret.
        invitation: Option<[u8; 32]>,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
