//! Logins by a directory: from a name and a password there to a user here.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wharf_core::StoreError;
use wharf_core::authority::{Secret, TokenRefusal};
use wharf_core::clock::Random;
use wharf_core::metadata::{
    Accounts, ExternalIdentity, Identities, LinkedIdentity, ProviderName, SignInOutcome,
};
use wharf_core::permissions::AccountName;

use super::directory::{Directory, DirectoryError, Found};
use super::memory::{Known, Memory};

/// Who of a directory may log in here.
#[derive(Clone, Debug)]
pub struct LoginRules {
    /// What the directory is called here.
    pub provider: ProviderName,
    /// Whether who is new becomes a user.
    pub may_create: bool,
    /// The group that everyone who logs in must be in.
    pub required_group: Option<String>,
    /// How long a right password is right without the directory being asked again.
    pub remember: Duration,
}

/// Logs people in by a directory.
pub struct DirectoryLogins {
    directory: Directory,
    rules: LoginRules,
    identities: Arc<dyn Identities>,
    accounts: Arc<dyn Accounts>,
    memory: Memory,
}

impl DirectoryLogins {
    /// Logins by `directory` to the users of `accounts`.
    #[must_use]
    pub fn new(
        directory: Directory,
        rules: LoginRules,
        identities: Arc<dyn Identities>,
        accounts: Arc<dyn Accounts>,
        random: &dyn Random,
    ) -> Self {
        let memory = Memory::new(rules.remember, random);
        Self { directory, rules, identities, accounts, memory }
    }

    /// What the directory is called here.
    #[must_use]
    pub const fn provider(&self) -> &ProviderName {
        &self.rules.provider
    }

    /// Whose name and password these are; `None` where they are nobody's, or not of somebody who may log in.
    ///
    /// # Errors
    /// [`TokenRefusal::Busy`], and a store's where the directory or the database is away.
    pub async fn log_in(
        &self,
        name: &str,
        password: &Secret,
        address: Option<IpAddr>,
    ) -> Result<Option<AccountName>, TokenRefusal> {
        if let Some(known) = self.memory.recall(name, password, Instant::now())
            && self.is_still(&known).await?
        {
            return self.let_in(known.user).await;
        }
        let found = match self.directory.find(name, password).await {
            Ok(found) => found,
            Err(DirectoryError::Busy) => {
                return Err(TokenRefusal::Busy("too many log in by the directory at once"));
            }
            Err(DirectoryError::Away(reason)) => {
                return Err(StoreError::Unavailable(format!("the directory: {reason}")).into());
            }
        };
        let Some(found) = found else { return Ok(None) };
        if !self.is_admitted(&found) {
            let subject = found.subject.as_str();
            tracing::info!(
                subject,
                "somebody of the directory is not in the group that may log in"
            );
            return Ok(None);
        }
        let subject = found.subject.clone();
        let Some(user) = self.sign_in(found, address).await? else { return Ok(None) };
        let known = Known { user: user.clone(), subject };
        self.memory.remember(name, password, known, Instant::now());
        self.let_in(user).await
    }

    /// Whether the identity that was remembered is still that user's.
    async fn is_still(&self, known: &Known) -> Result<bool, StoreError> {
        let identities = self.identities.list_identities(known.user.clone()).await?;
        let is_it =
            |it: &LinkedIdentity| it.provider == self.rules.provider && it.subject == known.subject;
        Ok(identities.is_some_and(|all| all.iter().any(is_it)))
    }

    /// The user, unless they may not log in, or do by a password here: that is then the only one, by whatever name of theirs
    /// the directory knows them.
    async fn let_in(&self, user: AccountName) -> Result<Option<AccountName>, TokenRefusal> {
        let Some(user) = self.accounts.find_user(user).await? else { return Ok(None) };
        if user.password_hash.is_some() {
            tracing::info!(
                user = %user.name,
                "a user with a password here tried to log in by the directory"
            );
            return Ok(None);
        }
        Ok((!user.disabled).then_some(user.name))
    }

    fn is_admitted(&self, found: &Found) -> bool {
        let Some(required) = &self.rules.required_group else { return true };
        let required = required.to_lowercase();
        found.groups.iter().any(|group| group.as_str().to_lowercase() == required)
    }

    async fn sign_in(
        &self,
        found: Found,
        address: Option<IpAddr>,
    ) -> Result<Option<AccountName>, StoreError> {
        let Found { subject, name: preferred_name, mail: email, groups, .. } = found;
        let (provider, shown) = (self.rules.provider.clone(), subject.clone());
        let identity = ExternalIdentity { provider, subject, preferred_name, email, groups };
        let outcome = self.identities.sign_in(identity, self.rules.may_create, address).await?;
        let subject = shown.as_str();
        match outcome {
            SignInOutcome::Known(user) => return Ok(Some(user)),
            SignInOutcome::Created(user) => {
                tracing::info!(subject, %user, "made a user for somebody of the directory");
                return Ok(Some(user));
            }
            SignInOutcome::Disabled => {
                tracing::info!(subject, "a user of the directory is disabled here");
            }
            SignInOutcome::Unknown => {
                tracing::info!(
                    subject,
                    "somebody of the directory is no user here, and none may be made"
                );
            }
            SignInOutcome::NamesTaken => {
                tracing::warn!(
                    subject,
                    "all the names that somebody of the directory could get are taken"
                );
            }
        }
        Ok(None)
    }
}
