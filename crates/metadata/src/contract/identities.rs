//! Rules of external identities: who somebody is by the word of a provider, and which teams their groups fill.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use wharf_core::access::Role;
use wharf_core::metadata::{
    AddMember, AuditFilter, AuditOrder, Change, CreateOrganization, CreateTeam, ExternalIdentity,
    LinkIdentity, MOST_TEAM_GROUPS, NewGrant, NewUser, Page, ProviderGroup, Refusal, RemoveMember,
    SetTeamGroups, SignInOutcome, Subject, UnlinkIdentity,
};
use wharf_core::permissions::AccountName;

use super::samples::name;
use super::stand::Stand;

fn account(text: &str) -> AccountName {
    text.parse().unwrap()
}

/// Somebody whom `provider` calls `subject`, and who would like to be called `preferred`.
fn identity(provider: &str, subject: &str, preferred: &str, groups: &[&str]) -> ExternalIdentity {
    ExternalIdentity {
        provider: provider.parse().unwrap(),
        subject: subject.parse().unwrap(),
        preferred_name: preferred.into(),
        email: Some(format!("{preferred}@example.com")),
        groups: groups.iter().map(|group| group.parse().unwrap()).collect(),
    }
}

async fn sign_in(stand: &Stand, identity: ExternalIdentity) -> SignInOutcome {
    stand.identities.sign_in(identity, true, None).await.unwrap()
}

fn created(text: &str) -> SignInOutcome {
    SignInOutcome::Created(account(text))
}

fn known(text: &str) -> SignInOutcome {
    SignInOutcome::Known(account(text))
}

async fn user(stand: &Stand, text: &str) {
    let user = NewUser {
        name: account(text),
        email: Some(format!("{text}@example.com")),
        password_hash: Some("hash".into()),
        site_admin: false,
    };
    assert_eq!(stand.change(user).await, Change::Done);
}

/// The organization `team` of `root` with the team `devs`, which may write everywhere there.
async fn team(stand: &Stand) {
    user(stand, "root").await;
    let organization = CreateOrganization { name: account("team"), owner: account("root") };
    assert_eq!(stand.change(organization).await, Change::Done);
    let devs = CreateTeam { namespace: account("team"), team: account("devs") };
    assert_eq!(stand.change(devs).await, Change::Done);
    let grant = NewGrant {
        namespace: account("team"),
        subject: Subject::Team(account("devs")),
        role: Role::Write,
        pattern: None,
    };
    assert_eq!(stand.change(grant).await, Change::Done);
}

async fn fill(stand: &Stand, groups: &[(&str, &str)]) -> Change {
    let group = |(provider, group): &(&str, &str)| ProviderGroup {
        provider: provider.parse().unwrap(),
        group: group.parse().unwrap(),
    };
    let groups = groups.iter().map(group).collect();
    stand.change(SetTeamGroups { namespace: account("team"), team: account("devs"), groups }).await
}

async fn link(stand: &Stand, user: &str, provider: &str, subject: &str) -> Change {
    let (provider, subject) = (provider.parse().unwrap(), subject.parse().unwrap());
    stand.change(LinkIdentity { user: account(user), provider, subject }).await
}

/// Through how many grants somebody has a role in `team`.
async fn grants(stand: &Stand, user: &str) -> usize {
    let principal = format!("user:{user}").parse().unwrap();
    let facts = stand.accounts.access_facts(principal, name("team/app")).await.unwrap();
    facts.namespace.unwrap().grants.len()
}

/// And without a password or any right elsewhere.
pub async fn a_new_identity_becomes_a_user_with_a_namespace(stand: &Stand) {
    let outcome = sign_in(stand, identity("dex", "42", "Ada.L", &[])).await;
    assert_eq!(outcome, created("ada.l"));
    let ada = stand.accounts.find_user(account("ada.l")).await.unwrap().unwrap();
    assert_eq!(ada.email.as_deref(), Some("Ada.L@example.com"));
    assert_eq!((ada.password_hash, ada.site_admin, ada.disabled), (None, false, false));
    let principal = "user:ada.l".parse().unwrap();
    let facts = stand.accounts.access_facts(principal, name("ada.l/app")).await.unwrap();
    assert!(facts.active && facts.namespace.unwrap().own);
}

/// At the provider they may be renamed, and their old name be given to somebody else.
pub async fn an_identity_is_its_user_whatever_they_are_called(stand: &Stand) {
    assert_eq!(sign_in(stand, identity("dex", "42", "ada", &[])).await, created("ada"));
    assert_eq!(sign_in(stand, identity("dex", "42", "countess", &[])).await, known("ada"));
    assert_eq!(sign_in(stand, identity("dex", "43", "ada", &[])).await, created("ada-2"));
    assert_eq!(sign_in(stand, identity("other", "42", "ada", &[])).await, created("ada-3"));
    assert_eq!(sign_in(stand, identity("dex", "43", "ada", &[])).await, known("ada-2"));
}

/// Nor an organization, and nobody's robots and teams either.
pub async fn nobody_gets_an_account_by_its_name_or_address(stand: &Stand) {
    team(stand).await;
    for (subject, preferred) in [("1", "root"), ("2", "team")] {
        let outcome = sign_in(stand, identity("dex", subject, preferred, &[])).await;
        assert_eq!(outcome, created(&format!("{preferred}-2")));
    }
    let outcome = sign_in(stand, identity("dex", "3", "root@example.com", &[])).await;
    assert_eq!(outcome, created("root-3"));
    let root = stand.accounts.find_user(account("root")).await.unwrap().unwrap();
    assert_eq!(root.password_hash.as_deref(), Some("hash"));
}

/// As there are where access control was turned on later.
pub async fn nobody_is_called_like_repositories_without_an_owner(stand: &Stand) {
    for repository in ["prod/app", "single"] {
        stand.start(repository).await;
    }
    for (preferred, name) in [("prod", "prod-2"), ("single", "single-2"), ("pro", "pro")] {
        let outcome = sign_in(stand, identity("dex", preferred, preferred, &[])).await;
        assert_eq!(outcome, created(name));
    }
}

/// Where the name of everyone who comes is taken, neither.
pub async fn an_unknown_identity_makes_nobody_where_none_may_be_made(stand: &Stand) {
    let refused = stand.identities.sign_in(identity("dex", "42", "ada", &[]), false, None).await;
    assert_eq!(refused.unwrap(), SignInOutcome::Unknown);
    assert_eq!(stand.accounts.find_user(account("ada")).await.unwrap(), None);
    let nameless = identity("dex", "42", "", &[]);
    user(stand, nameless.names()[0].as_str()).await;
    assert_eq!(sign_in(stand, nameless).await, SignInOutcome::NamesTaken);
}

/// And gets no groups.
pub async fn a_disabled_user_signs_in_nowhere(stand: &Stand) {
    team(stand).await;
    fill(stand, &[("dex", "/devs")]).await;
    assert_eq!(sign_in(stand, identity("dex", "42", "ada", &[])).await, created("ada"));
    stand.set_disabled("ada", true).await;
    let outcome = sign_in(stand, identity("dex", "42", "ada", &["/devs"])).await;
    assert_eq!(outcome, SignInOutcome::Disabled);
    stand.set_disabled("ada", false).await;
    assert_eq!(grants(stand, "ada").await, 0);
}

/// What another provider gave stays.
pub async fn a_sign_in_replaces_the_groups_of_its_provider_alone(stand: &Stand) {
    sign_in(stand, identity("dex", "42", "ada", &["a", "b"])).await;
    assert_eq!(link(stand, "ada", "ldap", "7").await, Change::Done);
    assert_eq!(sign_in(stand, identity("ldap", "7", "x", &["a", "c"])).await, known("ada"));
    assert_eq!(sign_in(stand, identity("dex", "42", "ada", &["b", "d"])).await, known("ada"));
    let identities = stand.identities.list_identities(account("ada")).await.unwrap().unwrap();
    let shown = |of: &BTreeSet<_>| of.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let listed: Vec<_> = identities
        .iter()
        .map(|it| format!("{} {}: {}", it.provider, it.subject, shown(&it.groups)))
        .collect();
    assert_eq!(listed, ["dex 42: b d", "ldap 7: a c"]);
    assert_eq!(stand.identities.list_identities(account("no")).await.unwrap(), None);
}

/// Each once, with how they came there, and in pages; and their organization is one of theirs.
pub async fn members_by_hand_and_by_groups_are_listed_and_told_apart(stand: &Stand) {
    team(stand).await;
    for (name, groups) in [("ada", &["/devs", "/staff"][..]), ("bob", &["/devs"]), ("eve", &[])] {
        sign_in(stand, identity("dex", name, name, groups)).await;
    }
    fill(stand, &[("dex", "/devs"), ("dex", "/staff")]).await;
    for user in ["bob", "eve"] {
        let (namespace, team) = (account("team"), account("devs"));
        let add = AddMember { namespace, team, user: account(user) };
        assert_eq!(stand.change(add).await, Change::Done);
    }
    let listed = async |by_groups: bool, after: Option<&str>, limit| {
        let page = Page { after: after.map(str::to_owned), limit };
        let members =
            stand.directory.list_members(account("team"), account("devs"), by_groups, page);
        let members = members.await.unwrap().unwrap();
        let shown = members.iter().map(|it| format!("{} {} {}", it.name, it.by_hand, it.by_group));
        shown.collect::<Vec<_>>()
    };
    assert_eq!(listed(true, None, 9).await, ["ada false true", "bob true true", "eve true false"]);
    assert_eq!(listed(true, None, 1).await, ["ada false true"]);
    assert_eq!(listed(true, Some("ada"), 1).await, ["bob true true"]);
    assert_eq!(listed(false, None, 9).await, ["bob true false", "eve true false"]);
    let organizations = async |of: &str| {
        let page = Page { after: None, limit: 9 };
        let listed = stand.directory.list_organizations(Some(account(of)), page).await.unwrap();
        listed.iter().map(|it| it.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(organizations("ada").await, ["team"]);
    assert_eq!(organizations("eve").await, ["team"]);
    fill(stand, &[]).await;
    assert_eq!(organizations("ada").await, [""; 0]);
}

/// From the moment that it is said, and until it is not any more; each grant once.
pub async fn a_team_has_the_members_of_its_groups(stand: &Stand) {
    team(stand).await;
    sign_in(stand, identity("dex", "1", "ada", &["/devs", "/staff"])).await;
    sign_in(stand, identity("ldap", "1", "bob", &["/devs"])).await;
    assert_eq!(grants(stand, "ada").await, 0);
    let of_dex = [("dex", "/devs"), ("dex", "/staff"), ("dex", "/none")];
    assert_eq!(fill(stand, &of_dex).await, Change::Done);
    assert_eq!((grants(stand, "ada").await, grants(stand, "bob").await), (1, 0));
    let members = async |after: Option<&str>, limit| {
        let (team, after) = (account("team"), after.map(str::to_owned));
        let members = stand.identities.list_group_members(team, account("devs"), after, limit);
        let members = members.await.unwrap();
        members.iter().map(AccountName::to_string).collect::<Vec<_>>()
    };
    assert_eq!(members(None, 10).await, ["ada"]);
    fill(stand, &[("dex", "/staff"), ("ldap", "/devs")]).await;
    assert_eq!(members(None, 10).await, ["ada", "bob"]);
    assert_eq!(members(None, 1).await, ["ada"]);
    assert_eq!(members(Some("ada"), 1).await, ["bob"]);
    assert_eq!((grants(stand, "ada").await, grants(stand, "bob").await), (1, 1));
    let filled = stand.identities.team_groups(account("team"), account("devs")).await.unwrap();
    assert_eq!(filled.unwrap().len(), 2);
    assert_eq!(fill(stand, &[]).await, Change::Done);
    assert_eq!((grants(stand, "ada").await, grants(stand, "bob").await), (0, 0));
    let none = stand.identities.team_groups(account("team"), account("ops")).await.unwrap();
    assert_eq!(none, None);
    let (namespace, team, groups) = (account("team"), account("ops"), BTreeSet::new());
    assert_eq!(stand.change(SetTeamGroups { namespace, team, groups }).await, Change::NotFound);
    let many: Vec<_> = (0..=MOST_TEAM_GROUPS).map(|number| format!("/{number}")).collect();
    let many: Vec<_> = many.iter().map(|group| ("dex", group.as_str())).collect();
    let refused = Change::Refused(Refusal::TooManyGroups);
    assert_eq!(fill(stand, &many).await, refused);
    assert_eq!(fill(stand, &many[1..]).await, Change::Done);
}

/// And leaves when they are taken out by hand, if no group has them.
pub async fn a_member_by_hand_stays_when_the_group_is_lost(stand: &Stand) {
    team(stand).await;
    fill(stand, &[("dex", "/devs")]).await;
    sign_in(stand, identity("dex", "1", "ada", &["/devs"])).await;
    let by_hand = async |is_member| {
        let (namespace, team, user) = (account("team"), account("devs"), account("ada"));
        if is_member {
            stand.change(AddMember { namespace, team, user }).await
        } else {
            stand.change(RemoveMember { namespace, team, user }).await
        }
    };
    assert_eq!(by_hand(true).await, Change::Done);
    assert_eq!(grants(stand, "ada").await, 1);
    sign_in(stand, identity("dex", "1", "ada", &[])).await;
    assert_eq!(grants(stand, "ada").await, 1);
    assert_eq!(by_hand(false).await, Change::Done);
    assert_eq!(grants(stand, "ada").await, 0);
    sign_in(stand, identity("dex", "1", "ada", &["/devs"])).await;
    assert_eq!(grants(stand, "ada").await, 1);
}

/// One of a provider to a user.
pub async fn an_identity_is_linked_to_one_user_and_unlinked_with_its_groups(stand: &Stand) {
    team(stand).await;
    fill(stand, &[("dex", "/devs")]).await;
    user(stand, "bob").await;
    let link = async |user: &str, subject: &str| link(stand, user, "dex", subject).await;
    assert_eq!(link("nobody", "1").await, Change::NotFound);
    assert_eq!(link("bob", "1").await, Change::Done);
    assert_eq!(link("bob", "1").await, Change::Done);
    assert_eq!(link("bob", "2").await, Change::Taken);
    assert_eq!(link("root", "1").await, Change::Taken);
    assert_eq!(sign_in(stand, identity("dex", "1", "ada", &["/devs"])).await, known("bob"));
    assert_eq!(grants(stand, "bob").await, 1);
    let unlink = async |user: &str| {
        let (user, provider) = (account(user), "dex".parse().unwrap());
        stand.change(UnlinkIdentity { user, provider }).await
    };
    assert_eq!(unlink("root").await, Change::NotFound);
    assert_eq!(unlink("bob").await, Change::Done);
    assert_eq!(unlink("bob").await, Change::NotFound);
    assert_eq!(grants(stand, "bob").await, 0);
    assert_eq!(sign_in(stand, identity("dex", "1", "ada", &[])).await, created("ada"));
}

/// With a new user, who made themselves; a sign-in that changes nothing is not.
pub async fn what_a_sign_in_changes_is_in_the_audit_log(stand: &Stand) {
    let address = Some("192.0.2.7".parse().unwrap());
    let come = async |groups: &[&str]| {
        let ada = identity("dex", "1", "ada", groups);
        stand.identities.sign_in(ada, true, address).await.unwrap()
    };
    come(&["/a b", "/c,d"]).await;
    for groups in [&["/a b", "/c,d"][..], &["/c,d"], &[]] {
        assert_eq!(come(groups).await, known("ada"));
    }
    team(stand).await;
    fill(stand, &[("dex", "/a b"), ("ldap", "x")]).await;
    link(stand, "root", "dex", "7 %").await;
    assert_eq!(link(stand, "root", "dex", "1").await, Change::Taken);
    let (user, provider) = (account("root"), "dex".parse().unwrap());
    stand.change(UnlinkIdentity { user, provider }).await;
    let all = stand.audit.list_audit(AuditFilter::default(), AuditOrder::OldestFirst, None, 100);
    let of_identities = |action: &str| {
        action.starts_with("identity.") || ["user.create", "team.groups"].contains(&action)
    };
    let written = all.await.unwrap().into_iter().map(|record| record.entry);
    let written = written.filter(|entry| of_identities(&entry.action)).map(|entry| {
        let at = entry.by.address.map_or("-".into(), |address| address.to_string());
        let (outcome, detail) = (entry.outcome.name(), entry.detail);
        format!("{at} {} {} {} {outcome} {detail}", entry.by.by, entry.action, entry.target)
    });
    assert_eq!(
        written.collect::<Vec<_>>(),
        [
            "192.0.2.7 user:ada user.create user:ada done provider=dex groups=dex:/a%20b,dex:/c%2Cd",
            "192.0.2.7 user:ada identity.groups user:ada done provider=dex groups=dex:/c%2Cd",
            "192.0.2.7 user:ada identity.groups user:ada done provider=dex groups=",
            "- user:ada user.create user:root done ",
            "- user:ada team.groups team:team/devs done groups=dex:/a%20b,ldap:x",
            "- user:ada identity.link user:root done provider=dex subject=7%20%25",
            "- user:ada identity.link user:root refused provider=dex subject=1",
            "- user:ada identity.unlink user:root done provider=dex",
        ]
    );
}

/// But that they still come, once an hour.
pub async fn a_sign_in_that_tells_nothing_new_writes_nothing(stand: &Stand) {
    let at = async || stand.rows("SELECT signed_in_at FROM identities", &[]).await.remove(0);
    let ada = || identity("dex", "1", "ada", &["a", "b"]);
    sign_in(stand, ada()).await;
    let first = at().await;
    stand.clock.advance(Duration::from_secs(60));
    assert_eq!(sign_in(stand, ada()).await, known("ada"));
    assert_eq!(at().await, first);
    assert_eq!(sign_in(stand, identity("dex", "1", "ada", &["a"])).await, known("ada"));
    let second = at().await;
    assert_ne!(second, first);
    stand.clock.advance(Duration::from_secs(3600));
    assert_eq!(sign_in(stand, identity("dex", "1", "ada", &["a"])).await, known("ada"));
    assert_ne!(at().await, second);
}

/// With the groups of one of them, not a mixture.
pub async fn many_first_sign_ins_at_once_make_one_user(stand: &Stand) {
    let groups = [["a", "b"], ["b", "c"], ["c", "d"], ["d", "e"]];
    let sign_ins = groups.iter().map(|groups| sign_in(stand, identity("dex", "1", "ada", groups)));
    let outcomes = join_all(sign_ins).await;
    assert_eq!(outcomes.iter().filter(|it| **it == created("ada")).count(), 1, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|it| **it == known("ada")).count(), 3, "{outcomes:?}");
    let identities = stand.identities.list_identities(account("ada")).await.unwrap().unwrap();
    let left: Vec<_> = identities[0].groups.iter().map(|it| it.as_str().to_owned()).collect();
    assert!(groups.iter().any(|groups| *groups == left[..]), "{left:?}");
}
