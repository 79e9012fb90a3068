//! A syslog receiver: how it is named, and how messages get to it.

use std::fmt;
use std::io::{Error, ErrorKind};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket, UnixDatagram};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// How long a receiver may take for all that is sent to it at once.
const PATIENCE: Duration = Duration::from_secs(30);

/// A text that names no receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it must be tls://HOST:PORT, tcp://HOST:PORT, udp://HOST:PORT, or unix:///dev/log")]
pub struct BadReceiver;

/// A syslog receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyslogReceiver {
    /// Over TLS (RFC 5425).
    Tls(String),
    /// Over TCP, each message with its length before it (RFC 6587, section 3.4.1).
    Tcp(String),
    /// Over UDP (RFC 5426). What is lost there nobody hears of.
    Udp(String),
    /// By a socket of this machine.
    Unix(PathBuf),
}

impl FromStr for SyslogReceiver {
    type Err = BadReceiver;

    fn from_str(text: &str) -> Result<Self, BadReceiver> {
        let (scheme, place) = text.split_once("://").ok_or(BadReceiver)?;
        if scheme == "unix" {
            let is_path = place.starts_with('/') && place.len() > 1 && !place.contains('\0');
            return if is_path { Ok(Self::Unix(place.into())) } else { Err(BadReceiver) };
        }
        let (host, port) = place.rsplit_once(':').ok_or(BadReceiver)?;
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        let is_host = !host.is_empty() && host.bytes().all(known);
        if !is_host || port.parse::<u16>().is_err() {
            return Err(BadReceiver);
        }
        match scheme {
            "tls" => Ok(Self::Tls(place.to_owned())),
            "tcp" => Ok(Self::Tcp(place.to_owned())),
            "udp" => Ok(Self::Udp(place.to_owned())),
            _ => Err(BadReceiver),
        }
    }
}

impl fmt::Display for SyslogReceiver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls(place) => write!(formatter, "tls://{place}"),
            Self::Tcp(place) => write!(formatter, "tcp://{place}"),
            Self::Udp(place) => write!(formatter, "udp://{place}"),
            Self::Unix(path) => write!(formatter, "unix://{}", path.display()),
        }
    }
}

impl SyslogReceiver {
    /// Sends messages; returns once the receiver has all of them, as far as its protocol tells.
    pub(super) async fn send(
        &self,
        messages: &[String],
        tls: &Arc<ClientConfig>,
    ) -> Result<(), String> {
        match timeout(PATIENCE, self.deliver(messages, tls)).await {
            Ok(sent) => sent.map_err(|error| error.to_string()),
            Err(_) => Err(format!("it did not take what was sent within {PATIENCE:?}")),
        }
    }

    async fn deliver(&self, messages: &[String], tls: &Arc<ClientConfig>) -> Result<(), Error> {
        match self {
            Self::Tls(place) => {
                let host = place.rsplit_once(':').map_or("", |(host, _)| host);
                let host = host.trim_matches(['[', ']']).to_owned();
                let name = ServerName::try_from(host).map_err(Error::other)?;
                let connection = TcpStream::connect(place).await?;
                let connector = TlsConnector::from(Arc::clone(tls));
                hand_over(connector.connect(name, connection).await?, messages).await
            }
            Self::Tcp(place) => hand_over(TcpStream::connect(place).await?, messages).await,
            Self::Udp(place) => {
                let address = tokio::net::lookup_host(place).await?.next();
                let address = address.ok_or_else(|| Error::other("the host has no address"))?;
                let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let socket = UdpSocket::bind(any).await?;
                socket.connect(address).await?;
                for message in messages {
                    socket.send(message.as_bytes()).await?;
                }
                Ok(())
            }
            Self::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path)?;
                for message in messages {
                    socket.send(message.as_bytes()).await?;
                }
                Ok(())
            }
        }
    }
}

/// Sends all, ends this side, and waits for the receiver to end the other: it does that once it has read to the end. That bytes were
/// taken by a kernel says nothing of that.
async fn hand_over(
    mut connection: impl AsyncRead + AsyncWrite + Unpin,
    messages: &[String],
) -> Result<(), Error> {
    let mut framed = Vec::new();
    for message in messages {
        framed.extend_from_slice(format!("{} {message}", message.len()).as_bytes());
    }
    connection.write_all(&framed).await?;
    connection.shutdown().await?;
    let mut ignored = [0; 1024];
    loop {
        match connection.read(&mut ignored).await {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // Who cuts the connection under TLS could have swallowed what came before.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                return Err(Error::other(
                    "it closed the connection without ending TLS (close_notify), so that nobody knows what it has read",
                ));
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_is_named_by_protocol_host_and_port() {
        for text in [
            "tls://logs.example.com:6514",
            "tcp://10.0.0.1:601",
            "udp://[::1]:514",
            "unix:///dev/log",
        ] {
            assert_eq!(text.parse::<SyslogReceiver>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "logs:514",
            "udp://logs",
            "udp://:514",
            "udp://logs:70000",
            "http://logs:80",
            "unix://dev/log",
            "unix:///",
            "tcp://user@logs:514",
            "tcp://logs:514/x",
        ] {
            assert_eq!(text.parse::<SyslogReceiver>(), Err(BadReceiver), "{text}");
        }
    }
}
