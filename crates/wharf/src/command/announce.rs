//! What `wharf serve` tells people when it is ready.

use std::io::{Write, stdout};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::config::{Config, is_wide};
use crate::data_folder::DataFolder;

/// Tells where the registry listens, where it keeps things and how to push. `address` is the one
/// that was bound: it has the port even where 0 was asked for. Call it once connections are taken.
pub fn announce(
    config: &Config,
    address: SocketAddr,
    folder: Option<&DataFolder>,
) -> std::io::Result<()> {
    let scheme = if config.http.tls_certificate.is_some() { "https" } else { "http" };
    if is_wide(address) {
        eprintln!(
            "wharf: warning: no access control is configured: everyone who can connect to \
             {address} can push and pull"
        );
    }
    let mut out = stdout().lock();
    writeln!(out, "wharf {} serves {scheme}://{address}", env!("CARGO_PKG_VERSION"))?;
    if let Some(folder) = folder.map(DataFolder::path) {
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        writeln!(out, "data folder: {}", folder.display())?;
    }
    for (what, place) in
        [("database", config.database.url.to_string()), ("blobs", config.blobs.url.to_string())]
    {
        if !place.is_empty() {
            writeln!(out, "{:<13}{place}", format!("{what}:"))?;
        }
    }
    writeln!(out, "first push:  docker push {}/hello:latest", host(config, address))?;
    out.flush()
}

/// The host that stands in image names: the one for clients, or an address that reaches us from
/// this machine.
fn host(config: &Config, address: SocketAddr) -> String {
    if let Some(url) = &config.http.external_url.0 {
        return url.authority().to_owned();
    }
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, address.port()).to_string()
}
