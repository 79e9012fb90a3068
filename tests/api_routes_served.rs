//! The API over watched stores, served in this process until it is dropped.

use std::sync::Arc;

use tokio::runtime::Runtime;
use wharf_core::{Parts, Registry, Rules};
use wharf_http::access_log::AccessLog;
use wharf_http::api::{Api, ROUTES, Settings};
use wharf_http::metrics::Metrics;
use wharf_http::serve::{self, Server};

use crate::stores::{Asking, Touched, Watched};
use crate::wire::{Reply, Wire};

pub struct Served {
    pub watched: Arc<Watched>,
    port: u16,
    _runtime: Runtime,
}

impl Served {
    pub fn start(allows: bool) -> Served {
        let watched = Watched::new(allows);
        let parts = Parts::new(
            Arc::new(Touched(Arc::clone(&watched))),
            Arc::clone(&watched.blobs) as _,
            Arc::new(Touched(Arc::clone(&watched))),
            Arc::new(Asking(Arc::clone(&watched))),
        );
        let registry = Arc::new(Registry::new(parts, Rules::default()));
        let names: Vec<&'static str> = ROUTES.iter().map(|route| route.operation).collect();
        let metrics = Arc::new(Metrics::new(&names));
        let api = Api::new(registry, Settings::default(), metrics, AccessLog::off());
        let runtime = Runtime::new().unwrap();
        let listen = vec!["127.0.0.1:0".parse().unwrap()];
        let settings = serve::Settings { listen, ..serve::Settings::default() };
        let server = runtime.block_on(Server::bind(settings)).unwrap();
        let port = server.local_addr().unwrap().port();
        runtime.spawn(server.run(api, std::future::pending()));
        Served { watched, port, _runtime: runtime }
    }

    pub fn answer(&self, method: &str, target: &str, body: &str) -> Reply {
        let length = body.len();
        let mut wire = Wire::to(self.port);
        wire.send(
            format!(
                "{method} {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}"
            )
            .as_bytes(),
        );
        wire.reply(method == "HEAD").expect("the server answers")
    }
}
