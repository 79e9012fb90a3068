//! `Forwarded` (RFC 7239) and the `X-Forwarded-…` headers, read from the right: the last hop wrote last.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use http::header::FORWARDED;

use super::external_url::{host, port, prefix, scheme};

/// What of one header is read, in bytes over all its lines.
const HEADER_BYTES: usize = 4096;

/// What one hop says of the connection that it took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Hop {
    address: Option<String>,
    scheme: Option<String>,
    host: Option<String>,
}

/// All hops, the one nearest to us last, and what only the `X-` headers can say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Forwarding {
    hops: Vec<Hop>,
    port: Vec<String>,
    prefix: Vec<String>,
}

impl Forwarding {
    /// Reads both kinds of headers. A proxy writes one kind and may hand on the other as its client
    /// sent it; so if both are there and do not agree on the hops, none is believed.
    pub(super) fn read(headers: &HeaderMap) -> Option<Self> {
        let standard = match headers.contains_key(FORWARDED) {
            true => Some(elements(&joined(headers, FORWARDED.as_str())?)?),
            false => None,
        };
        let customary = customary(headers)?;
        let hops = match (standard, customary.is_empty()) {
            (None, _) => customary,
            (Some(hops), true) => hops,
            (Some(hops), false) => Some(hops).filter(|hops| *hops == customary)?,
        };
        let port = list(headers, "x-forwarded-port")?;
        let prefix = list(headers, "x-forwarded-prefix")?;
        Some(Self { hops, port, prefix })
    }

    /// The address that the outermost trusted hop took its connection from.
    pub(super) fn client(&self, trusts: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
        let mut nearest = None;
        for hop in self.hops.iter().rev() {
            let Some(address) = hop.address.as_deref().and_then(address) else { break };
            nearest = Some(address);
            if !trusts(address) {
                break;
            }
        }
        nearest
    }

    /// Scheme, host, port and prefix as the outermost trusted hop saw them; none if a value is not clean.
    pub(super) fn base(&self, trusts: impl Fn(IpAddr) -> bool) -> Option<String> {
        let behind = self.trusted_behind(trusts);
        let path = nth_from_right(&self.prefix, behind).map_or(Some(""), |text| prefix(text))?;
        let seen = self.hops.iter().rev().take(behind + 1).rev();
        // The outermost of the trusted hops that says so; those within may repeat or leave it out.
        let said =
            |part: fn(&Hop) -> &Option<String>| seen.clone().find_map(|hop| part(hop).as_deref());
        let (Some(scheme_said), Some(host_said)) = (said(|hop| &hop.scheme), said(|hop| &hop.host))
        else {
            return Some(path.to_owned());
        };
        let scheme = scheme(scheme_said)?;
        let host = host(host_said)?;
        let port = match nth_from_right(&self.port, behind) {
            Some(text) => Some(port(text)?),
            None => None,
        };
        let usual = if scheme == "https" { 443 } else { 80 };
        let has_port = !host.ends_with(']') && host.contains(':');
        Some(match port {
            Some(port) if !has_port && port != usual => format!("{scheme}://{host}:{port}{path}"),
            _ => format!("{scheme}://{host}{path}"),
        })
    }

    /// How many trusted hops stand between us and the outermost trusted one.
    fn trusted_behind(&self, trusts: impl Fn(IpAddr) -> bool) -> usize {
        let trusted = |hop: &&Hop| hop.address.as_deref().and_then(address).is_some_and(&trusts);
        let count = self.hops.iter().rev().take_while(trusted).count();
        count.min(self.hops.len().saturating_sub(1))
    }
}

/// The element that the hop wrote which is `behind` hops behind the last; the first one if fewer wrote one.
fn nth_from_right(list: &[String], behind: usize) -> Option<&String> {
    list.iter().rev().nth(behind).or(list.first())
}

/// An address as headers have it: bare, with a port, or in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.parse().or_else(|_| text.parse().map(|socket: SocketAddr| socket.ip()));
    let bare = bare.ok().or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok());
    bare.map(|address: IpAddr| address.to_canonical())
}

/// All lines of a header as one list; none if that is too long or no visible ASCII.
fn joined(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut whole = String::new();
    for value in headers.get_all(name) {
        if !whole.is_empty() {
            whole.push(',');
        }
        whole.push_str(value.to_str().ok()?);
        if whole.len() > HEADER_BYTES {
            return None;
        }
    }
    Some(whole)
}

fn list(headers: &HeaderMap, name: &str) -> Option<Vec<String>> {
    let whole = joined(headers, name)?;
    if whole.is_empty() {
        return Some(Vec::new());
    }
    Some(whole.split(',').map(|part| part.trim().to_owned()).collect())
}

/// The hops of the `X-` headers, whose lists are aligned at their right ends.
fn customary(headers: &HeaderMap) -> Option<Vec<Hop>> {
    let addresses = list(headers, "x-forwarded-for")?;
    let schemes = list(headers, "x-forwarded-proto")?;
    let hosts = list(headers, "x-forwarded-host")?;
    let length = addresses.len().max(schemes.len()).max(hosts.len());
    let part = |list: &[String], index: usize| {
        let missing = length - list.len();
        index.checked_sub(missing).and_then(|index| list.get(index).cloned())
    };
    let hop = |index| Hop {
        address: part(&addresses, index),
        scheme: part(&schemes, index),
        host: part(&hosts, index),
    };
    Some((0..length).map(hop).collect())
}

/// The elements of a `Forwarded` header; none if its syntax is wrong.
fn elements(text: &str) -> Option<Vec<Hop>> {
    split(text, ',')?.into_iter().map(element).collect()
}

fn element(text: &str) -> Option<Hop> {
    let mut hop = Hop::default();
    for pair in split(text, ';')? {
        if pair.trim().is_empty() {
            continue;
        }
        let (name, value) = pair.trim().split_once('=')?;
        let value = Some(unquoted(value)?);
        match name.to_ascii_lowercase().as_str() {
            "for" => hop.address = value,
            "proto" => hop.scheme = value,
            "host" => hop.host = value,
            _ => {}
        }
    }
    Some(hop)
}

/// Splits at `separator` outside of quotes; none if a quote is not closed.
fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (index, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if character == separator && !quoted => {
                parts.push(&text[start..index]);
                start = index + character.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!quoted).then_some(parts)
}

/// A token as it is, a quoted string without its quotes.
fn unquoted(text: &str) -> Option<String> {
    let Some(inner) = text.strip_prefix('"') else {
        return (!text.contains('"')).then(|| text.to_owned());
    };
    let mut value = String::new();
    let mut characters = inner.strip_suffix('"')?.chars();
    while let Some(character) = characters.next() {
        value.push(match character {
            '\\' => characters.next()?,
            '"' => return None,
            _ => character,
        });
    }
    Some(value)
}
