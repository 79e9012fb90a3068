//! Sends the audit log to a syslog receiver: each record at least once, in the order of commits, from one node at a time.

mod message;
mod receiver;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rustls::ClientConfig;
use wharf_core::StoreError;
use wharf_core::metadata::{AuditReaders, JobOutcome};

pub use message::{document, render};
pub use receiver::{BadReceiver, SyslogReceiver};

use crate::Handler;
use crate::upkeep::again;

/// How many records are sent before it is remembered how far it came: as many come twice at most.
const BATCH: usize = 500;

/// How long it rests between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// What the place in the log is remembered by.
const READER: &str = "syslog";

/// The kind.
pub(crate) const KIND: &str = "audit.export";

/// Where records are sent.
#[derive(Clone, Debug)]
pub struct SyslogSettings {
    /// Who receives them.
    pub receiver: SyslogReceiver,
    /// What is trusted of TLS.
    pub tls: Arc<ClientConfig>,
    /// What this machine is called.
    pub host: String,
}

/// The job.
pub struct AuditExport {
    audit: Arc<dyn AuditReaders>,
    settings: SyslogSettings,
}

/// Why records were not sent.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    /// The log could not be read, or it could not be remembered how far it came.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The receiver does not take them.
    #[error("the syslog receiver {0}: {1}")]
    Receiver(SyslogReceiver, String),
}

impl AuditExport {
    /// Looks every second.
    pub const fn new(audit: Arc<dyn AuditReaders>, settings: SyslogSettings) -> Self {
        Self { audit, settings }
    }

    async fn look(&self) -> Result<(), ExportError> {
        let SyslogSettings { receiver, tls, host } = &self.settings;
        let mut at = self.audit.audit_reader(READER.to_owned()).await?;
        loop {
            let records = self.audit.follow_audit(at, BATCH).await?;
            let Some((last, _)) = records.last() else { return Ok(()) };
            let messages: Vec<_> = records.iter().map(|(_, record)| render(record, host)).collect();
            let sent = receiver.send(&messages, tls).await;
            sent.map_err(|reason| ExportError::Receiver(receiver.clone(), reason))?;
            // Only now: what was sent and not remembered is sent again.
            self.audit.advance_audit_reader(READER.to_owned(), *last).await?;
            at = *last;
        }
    }
}

#[async_trait]
impl Handler for AuditExport {
    fn kind(&self) -> &'static str {
        KIND
    }

    async fn run(&self, _: &str) -> JobOutcome {
        again(self.look().await, INTERVAL)
    }
}
