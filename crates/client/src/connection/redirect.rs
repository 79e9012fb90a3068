//! Which redirects are followed, and what goes along with them.

use http::{Method, StatusCode, Uri};

use super::{Origin, Reply};
use crate::Error;

/// Where a reply sends a request to, and by which method; `None` when it is no redirect.
///
/// # Errors
/// When it leads from HTTPS to plain HTTP, or nowhere.
pub(super) fn target(reply: &Reply, method: &Method) -> Result<Option<(Method, Uri)>, Error> {
    let is_redirect = matches!(reply.status.as_u16(), 301 | 302 | 303 | 307 | 308);
    if !is_redirect {
        return Ok(None);
    }
    let to = reply.location()?.ok_or_else(|| reply.unexpected("without a Location"))?;
    let is_https = |uri: &Uri| Origin::of(uri).is_some_and(|origin| origin.https);
    if is_https(&reply.uri) && !is_https(&to) {
        return Err(reply.unexpected("that leads from HTTPS to plain HTTP, which is not followed"));
    }
    let is_reading = *method == Method::GET || *method == Method::HEAD;
    let method = match reply.status {
        StatusCode::SEE_OTHER if !is_reading => Method::GET,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND if !is_reading => {
            return Err(reply.unexpected("which would lose what was sent; 307 or 308 would not"));
        }
        _ => method.clone(),
    };
    Ok(Some((method, to)))
}
