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
        let (Some(rate), Some(address)) = (self.rate, address) else { return Ok(()) };
        if self.exempt.iter().any(|network| network.contains(&address.to_canonical())) {
            return Ok(());
        }
        let key = format!("{what} {}", client_of(address));
        let verdict = self.limiter.take(&[Take::one(key, rate)]).await;
        verdict.wait.map_or(Ok(()), Err)
    }
}
