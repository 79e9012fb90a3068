//! Addresses as people write them: `HOST`, and `HOST/REPO[:TAG][@DIGEST]`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use wharf_oci::{Digest, DigestError, NameError, Reference, RepositoryName, Tag, TagError};

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The host is missing or has no dot and no port, so that it may be a part of a repository name.
    #[error(
        "{0:?} does not begin with the host of a registry; write HOST/REPOSITORY, where HOST has a dot or a \
         port, such as registry.example:5000/team/app"
    )]
    NoHost(String),
    /// The host has characters that no host has, or a bad port.
    #[error(
        "{0:?} is no host of a registry; write NAME or NAME:PORT without a scheme, such as localhost:5000"
    )]
    Host(String),
    /// There is a host and nothing behind it.
    #[error("{0:?} names no repository; write HOST/REPOSITORY")]
    NoRepository(String),
    /// The repository is not named as the specification wants.
    #[error("in {0:?}, {1}")]
    Repository(String, NameError),
    /// What stands after the last `:` is no tag.
    #[error("in {0:?}, {1}")]
    Tag(String, TagError),
    /// What stands after `@` is no digest.
    #[error("in {0:?}, {1}")]
    Digest(String, DigestError),
}

/// The host of a registry, with its port where one was given: what stands in `Host`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostName(Box<str>);

impl HostName {
    /// Host and port.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the host is this machine itself, so that plain HTTP crosses no network.
    pub fn is_loopback(&self) -> bool {
        let (name, _) = split_port(&self.0);
        let name = name.trim_start_matches('[').trim_end_matches(']');
        name == "localhost"
            || name.ends_with(".localhost")
            || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Whether the text can be nothing but a host: it has a dot or a port, or is `localhost`.
    fn is_evident(&self) -> bool {
        &*self.0 == "localhost" || self.0.contains(['.', ':'])
    }
}

/// The host and the port behind its last colon, brackets of an IPv6 address respected.
fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (text, None),
    }
}

impl FromStr for HostName {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let bad = || AddressError::Host(text.to_owned());
        let (name, port) = split_port(text);
        if let Some(port) = port {
            let digits = port.bytes().all(|byte| byte.is_ascii_digit());
            if !digits || port.parse::<u16>().map_or(true, |port| port == 0) {
                return Err(bad());
            }
        }
        let is_ipv6 = name
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .is_some_and(|inside| inside.parse::<std::net::Ipv6Addr>().is_ok());
        let is_name = !name.is_empty()
            && name.len() <= 253
            && name.split('.').all(|label| {
                !label.is_empty()
                    && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            });
        if is_ipv6 || is_name { Ok(Self(text.to_ascii_lowercase().into())) } else { Err(bad()) }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// `HOST/REPO[:TAG][@DIGEST]`. The host must be named: there is no registry that is meant when none is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageAddress {
    /// The registry.
    pub host: HostName,
    /// The repository there.
    pub repository: RepositoryName,
    /// The tag, where one was given.
    pub tag: Option<Tag>,
    /// The digest, where one was given; it decides where both were.
    pub digest: Option<Digest>,
}

impl ImageAddress {
    /// What is asked for: the digest, else the tag, else the tag `latest`.
    pub fn reference(&self) -> Reference {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => Reference::Digest(*digest),
            (None, Some(tag)) => Reference::Tag(tag.clone()),
            (None, None) => Reference::Tag(latest()),
        }
    }
}

/// The tag that is meant where none is given.
fn latest() -> Tag {
    match "latest".parse() {
        Ok(tag) => tag,
        Err(_) => unreachable!("`latest` is a tag by the specification's grammar"),
    }
}

impl FromStr for ImageAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let no_host = || AddressError::NoHost(text.to_owned());
        let (host, rest) = match text.split_once('/') {
            Some((host, rest)) => (host, rest),
            None if text.parse::<HostName>().is_ok_and(|host| host.is_evident()) => {
                return Err(AddressError::NoRepository(text.to_owned()));
            }
            None => return Err(no_host()),
        };
        let host: HostName = host.parse()?;
        if !host.is_evident() {
            return Err(no_host());
        }
        if rest.is_empty() {
            return Err(AddressError::NoRepository(text.to_owned()));
        }
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => {
                let bad = |error| AddressError::Digest(text.to_owned(), error);
                (rest, Some(digest.parse().map_err(bad)?))
            }
            None => (rest, None),
        };
        let (name, tag) = match rest.split_once(':') {
            Some((name, tag)) => {
                let bad = |error| AddressError::Tag(text.to_owned(), error);
                (name, Some(tag.parse().map_err(bad)?))
            }
            None => (rest, None),
        };
        let bad = |error| AddressError::Repository(text.to_owned(), error);
        let repository = name.parse().map_err(bad)?;
        Ok(Self { host, repository, tag, digest })
    }
}

impl fmt::Display for ImageAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.host, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(formatter, "@{digest}")?;
        }
        Ok(())
    }
}
