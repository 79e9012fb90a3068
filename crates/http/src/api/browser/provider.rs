//! `/login/PROVIDER`: to an identity provider, and back from there.

use http::Response;
use wharf_core::authority::Secret;
use wharf_core::browser::{Attempt, BrowserSecret, LoginRefusal, ProviderAnswer, ReturnTo};
use wharf_core::clock::SystemRandom;
use wharf_core::metadata::ProviderName;

use super::login::{refused, return_to, welcome};
use super::page::Page;
use super::{Browsers, Site, cookies, open};
use crate::api::call::Call;
use crate::api::failure::Failure;
use crate::body::Body;

/// How long somebody may take to log in there, in seconds.
const PATIENCE: u32 = 600;

/// `GET /login/PROVIDER`
pub(in crate::api) async fn begin(call: Call) -> Result<Response<Body>, Failure> {
    let (browsers, site) = open(&call)?;
    let return_to = return_to(&call);
    let provider = provider(&call, &browsers)?;
    let secret = BrowserSecret::new(&SystemRandom);
    let kept = format!("{}.{provider}.{}", secret.expose(), return_to.as_str());
    let attempt = Attempt { callback: callback(&call, &provider), provider, secret };
    let begun = match site.is_safe() {
        true => browsers.login.begin(&attempt, call.visit()).await,
        // The page says why.
        false => Err(LoginRefusal::Stale),
    };
    let page = match begun {
        Ok(url) => Page::elsewhere(&url).with_cookie(&site.set_cookie(
            cookies::ATTEMPT,
            &kept,
            Some(PATIENCE),
        )),
        Err(refusal) => refused(&call, &browsers, &site, &return_to, refusal)?,
    };
    Ok(page.into_response())
}

/// `GET /login/PROVIDER/callback`
pub(in crate::api) async fn finish(call: Call) -> Result<Response<Body>, Failure> {
    let (browsers, site) = open(&call)?;
    let begun = begun(&call, &site, provider(&call, &browsers)?);
    let return_to = begun.as_ref().map(|(_, return_to)| return_to.clone()).unwrap_or_default();
    let page = match finished(&call, &browsers, begun).await {
        Ok(secret) => welcome(&call, &browsers, &site, &secret, &return_to).await?,
        Err(refusal) => refused(&call, &browsers, &site, &return_to, refusal)?,
    };
    // However it ended, it is over.
    Ok(page.with_cookie(&site.set_cookie(cookies::ATTEMPT, "", Some(0))).into_response())
}

async fn finished(
    call: &Call,
    browsers: &Browsers,
    begun: Option<(Attempt, ReturnTo)>,
) -> Result<BrowserSecret, LoginRefusal> {
    let Some((attempt, _)) = begun else { return Err(LoginRefusal::Stale) };
    let parameter = |name| {
        let mut values = call.parameters(name);
        // Said twice, it is not said (RFC 6749, section 3.1).
        values.next().filter(|_| values.next().is_none()).map(|text| text.into_owned())
    };
    let answer = ProviderAnswer {
        state: parameter("state").unwrap_or_default(),
        code: parameter("code").map(Secret::new),
        issuer: parameter("iss"),
        error: parameter("error"),
    };
    browsers.login.finish(&attempt, answer, call.visit()).await
}

/// The login that the browser began at this provider, and where it goes on.
fn begun(call: &Call, site: &Site, provider: ProviderName) -> Option<(Attempt, ReturnTo)> {
    let kept = cookies::read(&call.head.headers, &site.cookie(cookies::ATTEMPT))?;
    let mut parts = kept.splitn(3, '.');
    let secret = parts.next()?.parse().ok()?;
    let begun_at: ProviderName = parts.next()?.parse().ok()?;
    let return_to = parts.next()?.parse().ok()?;
    let callback = callback(call, &provider);
    (begun_at == provider).then_some((Attempt { provider, secret, callback }, return_to))
}

fn provider(call: &Call, browsers: &Browsers) -> Result<ProviderName, Failure> {
    let name = call.place_text();
    let known = browsers.login.providers().into_iter().find(|known| known.name.as_str() == name);
    let known = known.ok_or_else(|| Failure::no_such_route(call.head.uri.path()))?;
    Ok(known.name)
}

/// Each provider has one of its own, so that the answer of one is not taken for that of another.
fn callback(call: &Call, provider: &ProviderName) -> String {
    format!("{}/login/{provider}/callback", call.absolute_base())
}
