//! Where the audit log is sent, where a configuration says so.

use std::fs;

use anyhow::Context;
use wharf_auth::tls::trusting;
use wharf_jobs::SyslogSettings;

use crate::config::Config;

/// Where Linux says what a machine is called.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// The receiver; `None` where none is named.
pub fn settings(config: &Config) -> anyhow::Result<Option<SyslogSettings>> {
    let Some(receiver) = config.audit.syslog.0.clone() else { return Ok(None) };
    let ca_file = config.audit.syslog_ca_file.0.as_ref().map(AsRef::as_ref);
    let tls = trusting(ca_file).context("audit.syslog_ca_file")?;
    // A message may do without.
    let host = fs::read_to_string(HOST_NAME).unwrap_or_default().trim().to_owned();
    Ok(Some(SyslogSettings { receiver, tls, host }))
}
