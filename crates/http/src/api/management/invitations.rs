//! Signing up, and the invitations that let somebody.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_core::authority::SecretUse;
use wharf_core::clock::Timestamp;
use wharf_core::limits::{Rate, Take, client_of};
use wharf_core::metadata::{self, Change, InvitationRecord, Invite, Refusal, RevokeInvitation};
use wharf_core::operation::Requirement;
use wharf_core::permissions::AccountName;

use super::SignUpRule;
use super::answer::{Created, Done, Plain};
use super::ask::{Ask, Json, Nothing};
use super::pages::{PageOf, limit, shown};
use super::problem::Problem;
use super::users::User;
use super::values::{Days, Email, SecretText, Text, Textual as _, TokenName};

/// An invitation to be made.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewInvitation {
    /// After how many days it stops working.
    days: Days,
}

/// An invitation: it lets one person sign up, once.
#[derive(Serialize, JsonSchema)]
pub(super) struct Invitation {
    /// What it is called by.
    id: Option<Text<TokenName>>,
    /// What the person shows.
    secret: Option<String>,
    expires_at: Text<Timestamp>,
}

/// An invitation that somebody may use still.
#[derive(Serialize, JsonSchema)]
pub(super) struct OpenInvitation {
    id: Text<TokenName>,
    /// Who invited.
    created_by: String,
    created_at: Text<Timestamp>,
    expires_at: Text<Timestamp>,
}

impl From<InvitationRecord> for OpenInvitation {
    fn from(invitation: InvitationRecord) -> Self {
        Self {
            id: Text(TokenName(invitation.id)),
            created_by: invitation.created_by,
            created_at: Text(invitation.created_at),
            expires_at: Text(invitation.expires_at),
        }
    }
}

/// Which part of the list is asked for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OpenQuery {
    /// How many at most: 100 where nothing is said, and never more than 1000.
    limit: Option<Text<u32>>,
    /// Goes on behind this: the `next` of the page before.
    after: Option<Text<TokenName>>,
}

/// Somebody who signs up.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAccount {
    name: Text<AccountName>,
    email: Option<Text<Email>>,
    password: SecretText,
    /// The invitation, or the code that was printed when the registry was first started.
    invitation: Option<SecretText>,
}

pub(super) async fn create(
    ask: Ask<Nothing, Json<NewInvitation>>,
) -> Result<Plain<Invitation>, Problem> {
    let made = ask.management().parts().secrets.new_secret(SecretUse::Invitation);
    let expires_at = ask.body.0.days.ahead();
    let invite = Invite { secret_hash: made.hash, expires_at, site_admin: false };
    let again = ask.change(invite).await?.again;
    let secret = (!again).then(|| made.secret.expose().to_owned());
    // Which one was made before under the same key is not known here.
    let id = made.hash.first_chunk().filter(|_| !again).map(|id| Text(TokenName(*id)));
    Ok(Plain(Invitation { id, secret, expires_at: Text(expires_at) }))
}

pub(super) async fn list(ask: Ask<OpenQuery>) -> Result<PageOf<OpenInvitation>, Problem> {
    let stores = ask.may(Requirement::Site).await?;
    let limit = limit(ask.query.limit.as_ref());
    let after = ask.query.after.as_ref().map(|Text(TokenName(id))| *id);
    let found = stores.directory.list_invitations(after, limit + 1).await?;
    Ok(shown(found, limit, |it| TokenName(it.id).write(), OpenInvitation::from))
}

pub(super) async fn revoke(ask: Ask) -> Result<Done, Problem> {
    let TokenName(id) = ask.named("invitation")?;
    ask.change(RevokeInvitation { id }).await?;
    Ok(Done)
}

pub(super) async fn sign_up(ask: Ask<Nothing, Json<NewAccount>>) -> Result<Created<User>, Problem> {
    let parts = ask.management().parts();
    let Json(NewAccount { name: Text(name), email, password, invitation }) = &ask.body;
    bounded(&ask).await?;
    if parts.sign_up == SignUpRule::Closed
        && ask.may(Requirement::Access).await?.directory.has_users().await?
    {
        let detail = "nobody signs up to this registry by themselves: ask its administrator";
        return Err(Problem::forbidden(detail));
    }
    let invitation = match invitation {
        Some(SecretText(secret)) => {
            Some(parts.secrets.invitation_hash(secret).ok_or_else(|| {
                Problem::unfit("invitation", "it is no invitation: it begins with wharf_inv_")
            })?)
        }
        None if parts.sign_up == SignUpRule::Open => None,
        None => {
            return Err(Problem::forbidden("who signs up here needs an invitation"));
        }
    };
    // Hashing takes long: not for whom it leads nowhere.
    if let Some(hash) = invitation
        && !ask.may(Requirement::Access).await?.accounts.find_invitation(hash).await?
    {
        let refused = Change::Refused(Refusal::NoInvitation);
        return Err(Problem::of_change(refused, "invitation"));
    }
    let SecretText(password) = password;
    let password_hash = parts.secrets.hash_password(name, password).await?;
    let email = email.clone().map(|Text(Email(text))| text);
    let change = metadata::SignUp { name: name.clone(), email, password_hash, invitation };
    let changed = ask.change(change).await?;
    let user = changed.stores.accounts.find_user(name.clone()).await?;
    let value = user.ok_or_else(|| Problem::not_found(format!("user {name}")))?.into();
    Ok(Created { value, location: ask.location(&format!("/users/{name}")), again: changed.again })
}

/// Only so many from one place: each costs a hash, and takes a name.
async fn bounded<Q, B>(ask: &Ask<Q, B>) -> Result<(), Problem> {
    const COUNT: u32 = 20;
    const TIME: Duration = Duration::from_secs(3600);
    let Some(address) = ask.caller().address else { return Ok(()) };
    let rate = Rate::new(COUNT, TIME).map_err(|error| Problem::internal(error.to_string()))?;
    let take = Take::one(format!("sign-up {}", client_of(address)), rate);
    match ask.management().parts().limiter.take(&[take]).await.wait {
        None => Ok(()),
        Some(wait) => Err(Problem::too_many(
            "too many sign up from there: wait, and try again",
            wait.as_secs() + 1,
        )),
    }
}
