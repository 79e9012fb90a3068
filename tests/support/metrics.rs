//! What a server tells Prometheus.

use std::time::Duration;

use ureq::http::Method;

use super::program::wait_until;
use super::registry::Registry;
use super::server::Server;

/// The setting that has a server tell, on a port that it chooses itself.
pub const LISTEN: (&str, &str) = ("WHARF_METRICS_LISTEN", "127.0.0.1:0");

/// All that it tells now.
pub fn scrape(server: &Server) -> String {
    let mut address = None;
    wait_until("metrics are served", Duration::from_secs(20), || {
        let log = server.log();
        let rest = log.split_once("metrics at http://").map(|(_, rest)| rest);
        address = rest.and_then(|rest| rest.split_once("/metrics\n")).map(|it| it.0.to_owned());
        address.is_some()
    });
    let scraped = Registry::at(&address.unwrap()).send(Method::GET, "/metrics", &[], None).unwrap();
    assert_eq!(scraped.status, 200);
    scraped.text()
}

/// The value of a metric, named with its labels as they are written; 0 when it is not told.
pub fn value(server: &Server, metric: &str) -> f64 {
    let told = scrape(server);
    let mut lines = told.lines().filter_map(|line| line.rsplit_once(' '));
    lines.find(|(name, _)| *name == metric).map_or(0.0, |(_, value)| value.parse().unwrap())
}
