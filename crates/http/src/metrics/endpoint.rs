//! `GET /metrics` on a listener of its own, away from what clients may reach.

use std::net::SocketAddr;
use std::sync::Arc;

use http::header::CONTENT_TYPE as CONTENT_TYPE_NAME;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::Metrics;
use crate::body::Body;
use crate::serve::{Connection, Handler, ServeError, serve_beside};

/// What [`Metrics::render`] yields, as a media type.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Connections that scrapers may hold open.
const MAX_CONNECTIONS: usize = 64;

/// Answers `GET` and `HEAD` of `/metrics`, and 404 to everything else.
pub struct Endpoint(pub Arc<Metrics>);

impl Handler for Endpoint {
    async fn handle(&self, request: Request<Incoming>, _: &Connection) -> Response<Body> {
        let wanted = matches!(*request.method(), Method::GET | Method::HEAD);
        if !wanted || request.uri().path() != "/metrics" {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_FOUND;
            return response;
        }
        let mut response = Response::new(Body::from(self.0.render()));
        response.headers_mut().insert(CONTENT_TYPE_NAME, HeaderValue::from_static(CONTENT_TYPE));
        response
    }
}

/// Listens on `address` and serves [`Endpoint`] there until `shutdown` is over. Returns at once with
/// the address bound and what does the serving.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn serve(
    address: SocketAddr,
    metrics: Arc<Metrics>,
    shutdown: impl Future<Output = ()>,
) -> Result<(SocketAddr, impl Future<Output = usize>), ServeError> {
    serve_beside(address, MAX_CONNECTIONS, Endpoint(metrics), shutdown).await
}
