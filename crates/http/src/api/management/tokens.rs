//! Personal tokens of users.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_core::access::{Narrowing, Role};
use wharf_core::authority::SecretUse;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{self, RemoveToken, TokenKind, TokenRecord};
use wharf_core::operation::Requirement;
use wharf_core::permissions::AccountName;
use wharf_oci::NamePattern;

use super::answer::{Created, Done, Plain};
use super::ask::{Ask, Json, Nothing};
use super::pages::{Items, PageOf};
use super::problem::Problem;
use super::values::{Days, Text, TokenName, Words};

/// A personal token. It stands in for its user's password.
#[derive(Serialize, JsonSchema)]
pub(super) struct Token {
    id: Text<TokenName>,
    /// What its user calls it.
    name: String,
    /// The most that it gives.
    role: Text<Role>,
    /// On which repositories; on all where there is no pattern.
    pattern: Option<Text<NamePattern>>,
    /// Until when it works.
    expires_at: Option<Text<Timestamp>>,
    /// When it was last used, to the hour.
    last_used_at: Option<Text<Timestamp>>,
    created_at: Text<Timestamp>,
    /// The token itself, in the reply that makes it and in no other.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl From<TokenRecord> for Token {
    fn from(token: TokenRecord) -> Self {
        Self {
            id: Text(TokenName(token.id)),
            name: token.name,
            role: Text(token.most.role),
            pattern: token.most.pattern.map(Text),
            expires_at: token.expires_at.map(Text),
            last_used_at: token.last_used_at.map(Text),
            created_at: Text(token.created_at),
            secret: None,
        }
    }
}

/// A token to be made.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    /// What its user calls it.
    name: Text<Words>,
    /// The most that it gives.
    role: Text<Role>,
    /// On which repositories; on all where there is no pattern.
    pattern: Option<Text<NamePattern>>,
    /// After how many days it stops working; never, where nothing is said.
    days: Option<Days>,
}

pub(super) async fn list(ask: Ask) -> Result<PageOf<Token>, Problem> {
    let name: AccountName = ask.named("user")?;
    let stores = ask.may(Requirement::Own(&name, Role::Read)).await?;
    let tokens = stores.directory.list_tokens(name.clone()).await?;
    let tokens = tokens.ok_or_else(|| Problem::not_found(format!("user {name}")))?;
    Ok(Plain(Items { items: tokens.into_iter().map(Token::from).collect(), next: None }))
}

pub(super) async fn create(ask: Ask<Nothing, Json<NewToken>>) -> Result<Created<Token>, Problem> {
    let user: AccountName = ask.named("user")?;
    let Json(new) = &ask.body;
    let made = ask.management().parts().secrets.new_secret(SecretUse::PersonalToken);
    let change = metadata::NewToken {
        user: user.clone(),
        kind: TokenKind::Personal,
        name: new.name.0.0.clone(),
        secret_hash: made.hash,
        most: Narrowing { role: new.role.0, pattern: new.pattern.clone().map(|Text(it)| it) },
        // What is made by something that ends is gone with it: else whoever found it would have it for ever.
        expires_at: match (new.days.map(Days::ahead), ask.caller().expires_at) {
            (Some(asked), Some(own)) => Some(asked.min(own)),
            (asked, own) => asked.or(own),
        },
        provider: ask.caller().provider.clone(),
    };
    let changed = ask.change(change).await?;
    let mut id = [0; 8];
    id.copy_from_slice(&made.hash[..8]);
    let directory = &changed.stores.directory;
    let token = if changed.again {
        // Which it was its name says; its secret was shown, and is not known here.
        let tokens = directory.list_tokens(user.clone()).await?.unwrap_or_default();
        tokens.into_iter().rfind(|token| token.name == new.name.0.0)
    } else {
        directory.find_token(user.clone(), id).await?
    };
    let token = token.ok_or_else(|| Problem::not_found(format!("such token of user {user}")))?;
    let secret = (!changed.again).then(|| made.secret.expose().to_owned());
    let value = Token { secret, ..token.into() };
    let location = ask.location(&format!("/users/{user}/tokens/{}", name_of(&value)));
    Ok(Created { value, location, again: changed.again })
}

fn name_of(token: &Token) -> String {
    use super::values::Textual as _;
    token.id.0.write()
}

pub(super) async fn delete(ask: Ask) -> Result<Done, Problem> {
    let TokenName(id) = ask.named("token")?;
    ask.change(RemoveToken { user: ask.named("user")?, id }).await?;
    Ok(Done)
}
