//! A proxy before a service that loses, cuts, changes and refuses what tests tell it to.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::StreamExt;
use http::{Method, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

type Body = BoxBody<Bytes, std::io::Error>;

/// What becomes of a request.
#[derive(Clone)]
pub(super) enum Act {
    /// It is not passed on, and answered so.
    Refuse(u16, &'static str),
    /// Its reply's body is changed.
    Change(fn(Vec<u8>) -> Vec<u8>),
    /// A header of its reply is another one.
    Reheader(&'static str, &'static str),
    /// The body that is sent is changed.
    ChangeSent(fn(&mut Vec<u8>)),
    /// The connection is cut after so many bytes of the reply's body; its headers are those of the whole.
    CutAfter(usize),
    /// Nothing comes any more after so many bytes of the reply's body.
    StallAfter(usize),
    /// The node dies before the request is passed on.
    DieBefore,
    /// The node dies when the request was answered, before it hears of it.
    DieAfter,
}

/// A request that went by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) method: Method,
    /// Path and query.
    pub(super) target: String,
}

struct Rule {
    matches: Box<dyn Fn(&Call) -> bool + Send>,
    /// How many that match are let through first.
    skip: usize,
    /// How many after them are acted on.
    times: usize,
    act: Act,
}

#[derive(Default)]
struct Script {
    rules: Vec<Rule>,
    calls: Vec<Call>,
}

/// The proxy.
#[derive(Clone)]
pub(super) struct Proxy {
    endpoint: String,
    script: Arc<Mutex<Script>>,
    died: Arc<Semaphore>,
}

impl Proxy {
    /// A proxy before the service at `endpoint`, which has a path or none.
    pub(super) async fn before(endpoint: &str) -> Self {
        let url: http::Uri = endpoint.parse().unwrap();
        let service = url.authority().unwrap().to_string();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let path = url.path().trim_end_matches('/');
        let endpoint = format!("http://{}{path}", listener.local_addr().unwrap());
        let proxy = Self { endpoint, script: Arc::default(), died: Arc::new(Semaphore::new(0)) };
        let at_work = proxy.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (proxy, service) = (at_work.clone(), service.clone());
                let serve = service_fn(move |request| {
                    let (proxy, service) = (proxy.clone(), service.clone());
                    async move { proxy.pass(&service, request).await }
                });
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(socket), serve));
            }
        });
        proxy
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Acts on `times` of the requests that match, after letting `skip` of them through.
    pub(super) fn script(
        &self,
        (skip, times): (usize, usize),
        act: Act,
        matches: impl Fn(&Call) -> bool + Send + 'static,
    ) {
        let rule = Rule { matches: Box::new(matches), skip, times, act };
        self.script.lock().unwrap().rules.push(rule);
    }

    /// The requests since this was last asked.
    pub(super) fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.script.lock().unwrap().calls)
    }

    /// Forgets all rules.
    pub(super) fn forget(&self) {
        self.script.lock().unwrap().rules.clear();
    }

    /// Waits until a node has died of a rule.
    pub(super) async fn died(&self) {
        self.died.acquire().await.unwrap().forget();
    }

    fn act(&self, request: &Request<Incoming>) -> Option<Act> {
        let target = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
        let call = Call { method: request.method().clone(), target };
        let mut script = self.script.lock().unwrap();
        script.calls.push(call.clone());
        for rule in &mut script.rules {
            if !(rule.matches)(&call) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
            } else if rule.times > 0 {
                rule.times -= 1;
                return Some(rule.act.clone());
            }
        }
        None
    }

    async fn pass(
        &self,
        service: &str,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        let act = self.act(&request);
        if let Some(Act::Refuse(status, code)) = act {
            // Whoever is still sending would hear of a broken connection instead.
            let _ = request.into_body().collect().await;
            let text = format!("<Error><Code>{code}</Code><Message>By the test.</Message></Error>");
            let reply =
                Response::builder().status(status).header("content-type", "application/xml");
            return Ok(reply.body(whole(text.into_bytes())).unwrap());
        }
        if matches!(act, Some(Act::DieBefore)) {
            match self.die().await {}
        }
        let socket = TcpStream::connect(service).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.unwrap();
        tokio::spawn(connection);
        let request = match act {
            Some(Act::ChangeSent(change)) => {
                let (parts, body) = request.into_parts();
                let mut bytes = body.collect().await.unwrap().to_bytes().to_vec();
                change(&mut bytes);
                Request::from_parts(parts, whole(bytes))
            }
            _ => request.map(|body| body.map_err(std::io::Error::other).boxed()),
        };
        let reply = sender.send_request(request).await.unwrap();
        if matches!(act, Some(Act::DieAfter)) {
            let _ = reply.into_body().collect().await;
            match self.die().await {}
        }
        let (mut parts, body) = reply.into_parts();
        if let Some(Act::Reheader(name, value)) = act {
            parts.headers.insert(name, http::HeaderValue::from_static(value));
        }
        let body = match act {
            Some(Act::Change(change)) => {
                whole(change(body.collect().await.unwrap().to_bytes().to_vec()))
            }
            Some(Act::CutAfter(length)) => first(body, length, false).await,
            Some(Act::StallAfter(length)) => first(body, length, true).await,
            _ => body.map_err(std::io::Error::other).boxed(),
        };
        Ok(Response::from_parts(parts, body))
    }

    /// Says so, and never answers.
    async fn die(&self) -> Infallible {
        self.died.add_permits(1);
        std::future::pending().await
    }
}

fn whole(bytes: Vec<u8>) -> Body {
    Full::from(bytes).map_err(|never| match never {}).boxed()
}

/// The first bytes of a body, and then nothing or the connection's end.
async fn first(body: Incoming, length: usize, stall: bool) -> Body {
    let mut bytes = body.collect().await.unwrap().to_bytes();
    bytes.truncate(length);
    let frames = futures_util::stream::iter([Ok(Frame::data(bytes))]);
    let end = futures_util::stream::once(async move {
        if stall {
            std::future::pending::<()>().await;
        }
        Err(std::io::Error::other("cut by the test"))
    });
    BodyExt::boxed(StreamBody::new(frames.chain(end)))
}
