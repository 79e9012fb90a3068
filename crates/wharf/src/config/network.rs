//! Networks and URLs of other programs.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::Uri;
use ipnet::IpNet;

use super::problem::Refusal;

/// The path that OTLP gives to traces.
const TRACES_PATH: &str = "/v1/traces";

/// A network such as `10.0.0.0/8`; an address alone is a network of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpNet);

impl Network {
    /// The network itself, its host bits zero.
    pub fn get(&self) -> IpNet {
        self.0
    }
}

impl FromStr for Network {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Network, Refusal> {
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map(|network| Network(network.trunc())).map_err(|_| Refusal::Malformed)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A collector of traces, reached by OTLP over plain HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceEndpoint(String);

impl TraceEndpoint {
    /// The URL that traces are sent to.
    pub fn traces_url(&self) -> String {
        let base = self.0.trim_end_matches('/');
        if base.ends_with(TRACES_PATH) { base.to_owned() } else { format!("{base}{TRACES_PATH}") }
    }
}

impl FromStr for TraceEndpoint {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<TraceEndpoint, Refusal> {
        match web_url(text)? {
            "http" => Ok(TraceEndpoint(text.to_owned())),
            _ => Err(Refusal::Because(
                "this build sends traces over plain http only; use a collector on this machine"
                    .to_owned(),
            )),
        }
    }
}

impl fmt::Display for TraceEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The scheme of an `http` or `https` URL that has no user, password, query or fragment.
fn web_url(text: &str) -> Result<&'static str, Refusal> {
    let uri: Uri = text.parse().map_err(|_| Refusal::Malformed)?;
    let scheme = match uri.scheme_str() {
        Some("http") => "http",
        Some("https") => "https",
        _ => return Err(Refusal::Malformed),
    };
    let authority = uri.authority().ok_or(Refusal::Malformed)?;
    if authority.host().is_empty() || text.contains(['@', '?', '#']) {
        return Err(Refusal::Malformed);
    }
    Ok(scheme)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_written_in_full_and_without_host_bits() {
        for (text, written) in
            [("10.1.2.3/8", "10.0.0.0/8"), ("127.0.0.1", "127.0.0.1/32"), ("::1", "::1/128")]
        {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), written);
        }
        for text in ["", "10.0.0.0/33", "example.com", "10.0.0"] {
            assert!(text.parse::<Network>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_path_of_traces_is_added_once() {
        for text in ["http://h:4318", "http://h:4318/", "http://h:4318/v1/traces"] {
            let endpoint: TraceEndpoint = text.parse().unwrap();
            assert_eq!(endpoint.traces_url(), "http://h:4318/v1/traces");
        }
        assert!("https://h:4318".parse::<TraceEndpoint>().is_err());
    }
}
