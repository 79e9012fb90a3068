//! Connections to PostgreSQL, and the databases of a server.

use anyhow::{Context, Result};
use tokio_postgres::{Client, NoTls};

/// Connects without TLS, and lets the connection work until its client is dropped.
///
/// # Errors
/// When the server cannot be reached.
pub async fn connect(url: &str) -> Result<Client> {
    let (client, connection) =
        tokio_postgres::connect(url, NoTls).await.context("connecting to PostgreSQL")?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            eprintln!("a connection to PostgreSQL broke: {error}");
        }
    });
    Ok(client)
}

/// The URL of another database of the same server.
#[must_use]
pub fn url_of(server: &str, database: &str) -> String {
    let (rest, settings) = server.split_once('?').map_or((server, None), |(a, b)| (a, Some(b)));
    let host = rest.find("://").map_or(0, |at| at + 3);
    let end = rest[host..].find('/').map_or(rest.len(), |slash| host + slash);
    let settings = settings.map(|settings| format!("?{settings}")).unwrap_or_default();
    format!("{}/{database}{settings}", &rest[..end])
}

#[cfg(test)]
mod tests {
    use super::url_of;

    #[test]
    fn a_url_is_led_to_another_database() {
        for (server, url) in [
            ("postgres://p@h:1/postgres", "postgres://p@h:1/new"),
            ("postgres://p:w@h", "postgres://p:w@h/new"),
            ("postgres://h/old?connect_timeout=3", "postgres://h/new?connect_timeout=3"),
        ] {
            assert_eq!(url_of(server, "new"), url);
        }
    }
}
