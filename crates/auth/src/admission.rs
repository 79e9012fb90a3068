//! How often one client may ask for what costs something before anybody is known: a bounded number of times.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use wharf_core::limits::{Limiter, Rate, Take, client_of};

/// Lets clients ask, within a rate.
pub struct Admission {
    /// Who keeps count.
    pub limiter: Arc<dyn Limiter>,
    /// How often; as often as they like without one.
    pub rate: Option<Rate>,
    /// Whose clients are not limited.
    pub exempt: Vec<IpNet>,
}

impl Admission {
    /// Counts that a client asks for something.
    ///
    /// # Errors
    /// How long it has to wait, where it asked too often.
    pub async fn admit(&self, what: &str, address: Option<IpAddr>) -> Result<(), Duration> {
        let Some(take) = self.of(what, address) else { return Ok(()) };
        let verdict = self.limiter.take(&[take]).await;
        verdict.wait.map_or(Ok(()), Err)
    }

    /// Takes back that it was counted.
    pub async fn give_back(&self, what: &str, address: Option<IpAddr>) {
        if let Some(take) = self.of(what, address) {
            self.limiter.give_back(&[take]).await;
        }
    }

    fn of(&self, what: &str, address: Option<IpAddr>) -> Option<Take> {
        let address = address?;
        let is_exempt = self.exempt.iter().any(|it| it.contains(&address.to_canonical()));
        let rate = self.rate.filter(|_| !is_exempt)?;
        Some(Take::one(format!("{what} {}", client_of(address)), rate))
    }
}
