//! Cookies, and from them the visitor: made once per request, before any handler.
//!
//! The session cookie holds identity's opaque token and nothing else. Every form repeats the value of the `csrf` cookie, which
//! another site can neither read nor send along (`SameSite=Lax`, and `__Host-` where the market is reached over https).

use std::net::{IpAddr, SocketAddr};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Instant;

use api_analytics::SetConsentRequest;
use api_identity::{AuthenticateRequest, Session, StartGuestRequest};
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{COOKIE, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};
use kit_core::{Code, UserId};
use kit_rpc::{Actor, Ctx, problem_of};

use crate::failure::{self, Failure};
use crate::site::{Site, Web};
use crate::ui::Tone;
use crate::ui::form::Form;
use crate::visit::{Flash, Theme, Viewer, Visit};
use crate::{PAGE_DEADLINE, security};

const SESSION: &str = "mh_session";
const CSRF: &str = "mh_csrf";
const THEME: &str = "mh_theme";
const FLASH: &str = "mh_flash";
const CART: &str = "mh_cart";
const TENANT: &str = "mh_tenant";
const SHIPS_TO: &str = "mh_ships_to";
const VISITOR: &str = "mh_visitor";

/// The visitor, as handlers take it: `here: Here`, used like a `Visit`.
#[derive(Clone)]
pub(crate) struct Here(pub(crate) Arc<Visit>);

impl Deref for Here {
    type Target = Visit;
    fn deref(&self) -> &Visit {
        &self.0
    }
}

impl<S: Sync> FromRequestParts<S> for Here {
    type Rejection = Failure;
    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Failure> {
        let visit = parts.extensions.get::<Arc<Visit>>().cloned();
        visit.map(Here).ok_or(Failure { code: Code::Internal, message: String::new() })
    }
}

/// A form one of our own pages sent: read whole, its proof checked.
pub(crate) struct Posted(pub(crate) Form);

impl FromRequest<Web> for Posted {
    type Rejection = Failure;
    async fn from_request(request: Request, site: &Web) -> Result<Self, Failure> {
        let visit = request.extensions().get::<Arc<Visit>>().cloned();
        let too_large = Failure::invalid("the form is too large");
        let body = axum::body::to_bytes(request.into_body(), site.settings.max_form_bytes).await.map_err(|_| too_large)?;
        let pairs = url::form_urlencoded::parse(&body).map(|(name, value)| (name.into_owned(), value.into_owned()));
        let form = Form::posted(pairs.collect());
        proven(visit.as_deref(), form.get("csrf"))?;
        Ok(Self(form))
    }
}

/// Refuses a form that does not repeat the visitor's own token.
pub(crate) fn proven(visit: Option<&Visit>, token: &str) -> Result<(), Failure> {
    let proven = visit.is_some_and(|visit| !token.is_empty() && same(token.as_bytes(), visit.csrf.as_bytes()));
    if proven {
        Ok(())
    } else {
        Err(Failure::forbidden("the form was open too long or came from elsewhere; go back, reload the page and send it again"))
    }
}

/// Compares without telling by its duration where two texts differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
}

/// The layer around all pages.
pub(crate) async fn visit(State(site): State<Web>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let is_get = matches!(parts.method, Method::GET | Method::HEAD);
    let (visit, new_cookies) = arrive(&site, &parts).await;
    let visit = Arc::new(visit);
    if !is_get && from_elsewhere(&site, &parts.headers) {
        let mut response = failure::answer(&visit, &Failure::forbidden("the form came from another site"), is_get);
        security::protect(&mut response, site.settings.secure());
        return response;
    }
    parts.extensions.insert(Arc::clone(&visit));
    let mut response = next.run(Request::from_parts(parts, body)).await;
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        response = failure::answer(&visit, &failure, is_get);
    }
    let showed_flash = visit.flash.is_some() && !response.status().is_redirection() && is_page(&response);
    for cookie in new_cookies.into_iter().chain(showed_flash.then(|| site.forget(FLASH))) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    security::protect(&mut response, site.settings.secure());
    if let Ok(id) = HeaderValue::from_str(&visit.ctx.request_id) {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}

fn is_page(response: &Response) -> bool {
    response.headers().get(http::header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

/// Browsers say where a form comes from; what they say must be us.
fn from_elsewhere(site: &Site, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(fetch_site) = text("sec-fetch-site") {
        return !matches!(fetch_site, "same-origin" | "none");
    }
    let Some(origin) = text("origin") else { return false };
    let host_matches = text("host").is_some_and(|host| origin.split_once("://").is_some_and(|(_, origin_host)| origin_host == host));
    !host_matches && origin != &*site.public_url
}

async fn arrive(site: &Site, parts: &Parts) -> (Visit, Vec<HeaderValue>) {
    let cookies = Cookies::of(&parts.headers);
    let request_id = parts.headers.get("x-request-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let request_id = request_id.unwrap_or_else(|| format!("req_{}", site.ids.uuid().simple()));
    let mut ctx = Ctx::anonymous(&request_id);
    ctx.deadline = Some(Instant::now() + PAGE_DEADLINE);
    ctx.address = address(parts);
    let mut new_cookies = Vec::new();
    let session = cookies.get(&site.cookie(SESSION)).to_owned();
    let viewer = if session.is_empty() {
        Viewer::default()
    } else {
        authenticate(site, &mut ctx, &session, cookies.get(&site.cookie(TENANT)), &mut new_cookies).await
    };
    let mut csrf = cookies.get(&site.cookie(CSRF)).to_owned();
    if csrf.len() != 32 {
        csrf = site.secret();
        new_cookies.push(site.keep(CSRF, &csrf));
    }
    let categories = site.categories(&ctx).await;
    let visit = Visit {
        session: if ctx.user().is_some() { session } else { String::new() },
        viewer,
        csrf,
        visitor: cookies.get(&site.cookie(VISITOR)).to_owned(),
        theme: Theme::parse(cookies.get(&site.cookie(THEME))),
        cart_count: if ctx.user().is_some() { cookies.get(&site.cookie(CART)).parse().unwrap_or(0) } else { 0 },
        ships_to: country_of(cookies.get(&site.cookie(SHIPS_TO))),
        path: parts.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
        flash: flash_of(cookies.get(&site.cookie(FLASH))),
        categories,
        public_url: Arc::clone(&site.public_url),
        now: site.clock.now(),
        ctx,
    };
    (visit, new_cookies)
}

/// Two capital letters; anything else is no country.
fn country_of(text: &str) -> String {
    if text.len() == 2 && text.bytes().all(|letter| letter.is_ascii_uppercase()) { text.to_owned() } else { String::new() }
}

fn address(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip())
}

/// Asks identity who the token speaks for. A token that has ended is forgotten; while identity is away, the visitor is nobody.
async fn authenticate(site: &Site, ctx: &mut Ctx, token: &str, tenant: &str, new_cookies: &mut Vec<HeaderValue>) -> Viewer {
    let ask = |tenant_id: &str| ctx.as_service("web").request(AuthenticateRequest { token: token.to_owned(), tenant_id: tenant_id.to_owned() });
    let mut identity = site.identity.clone();
    let mut answer = identity.authenticate(ask(tenant)).await;
    if answer.is_err() && !tenant.is_empty() {
        // They may have left the tenant they last worked for.
        new_cookies.push(site.forget(TENANT));
        answer = identity.authenticate(ask("")).await;
    }
    let known = match answer {
        Ok(answer) => answer.into_inner(),
        Err(status) => {
            if matches!(problem_of(&status).code, Code::Unauthenticated | Code::Invalid | Code::NotFound | Code::Forbidden) {
                new_cookies.extend([site.forget(SESSION), site.forget(CART)]);
            }
            return Viewer::default();
        }
    };
    let Ok(user) = known.user_id.parse::<UserId>() else { return Viewer::default() };
    ctx.actor = if known.guest { Actor::Guest(user) } else { Actor::User(user) };
    ctx.tenant = known.tenant_id.parse().ok();
    ctx.sells = !known.tenant_ids.is_empty();
    ctx.permissions = Arc::new(known.permissions.into_iter().collect());
    Viewer { signed_in: !known.guest, name: known.name, email: known.email, session_id: known.session_id, tenants: known.tenant_ids }
}

impl Site {
    /// The visitor with an identity: as they are, or as a new guest, whose cookie goes with the answer.
    pub(crate) async fn somebody(&self, here: &Visit, headers: &HeaderMap) -> Result<(Ctx, Vec<HeaderValue>), Failure> {
        if here.ctx.user().is_some() {
            return Ok((here.ctx.clone(), Vec::new()));
        }
        let request = StartGuestRequest { device: device(headers), language: "en".to_owned() };
        let answer = self.identity.clone().start_guest(here.ctx.request(request)).await?.into_inner();
        let session = answer.session.unwrap_or_default();
        let user: UserId = session.user.as_ref().and_then(|user| user.user_id.parse().ok()).ok_or_else(Failure::not_found)?;
        let mut ctx = here.ctx.clone();
        ctx.actor = Actor::Guest(user);
        if !here.visitor.is_empty() {
            // What the device was shown goes on for the guest; if analytics is away, the device alone is known, as before.
            let consent = SetConsentRequest { given: true, visitor_id: here.visitor.clone() };
            let _kept = self.analytics.clone().set_consent(ctx.request(consent)).await;
        }
        Ok((ctx, vec![self.session_cookie(&session)]))
    }

    pub(crate) fn session_cookie(&self, session: &Session) -> HeaderValue {
        self.keep(SESSION, &session.session_token)
    }

    pub(crate) fn cart_cookie(&self, count: u32) -> HeaderValue {
        self.keep(CART, &count.to_string())
    }

    pub(crate) fn ships_to_cookie(&self, country: &str) -> HeaderValue {
        self.keep(SHIPS_TO, &country_of(country))
    }

    pub(crate) fn tenant_cookie(&self, tenant_id: &str) -> HeaderValue {
        self.keep(TENANT, tenant_id)
    }

    /// A name for a device whose user agreed to be recommended things.
    pub(crate) fn new_visitor(&self) -> String {
        self.secret()
    }

    pub(crate) fn visitor_cookie(&self, visitor: &str) -> HeaderValue {
        if visitor.is_empty() { self.forget(VISITOR) } else { self.keep(VISITOR, visitor) }
    }

    pub(crate) fn theme_cookie(&self, theme: &Theme) -> HeaderValue {
        self.keep(THEME, theme.as_str())
    }

    pub(crate) fn signed_out(&self) -> Vec<HeaderValue> {
        [SESSION, CART, TENANT, CSRF, VISITOR].map(|name| self.forget(name)).into()
    }

    /// Back to a page, with something to tell there.
    pub(crate) fn redirect(&self, to: &str, tone: Tone, text: &str) -> Response {
        with_cookies(Redirect::to(to).into_response(), [self.flash_cookie(tone, text)])
    }

    pub(crate) fn flash_cookie(&self, tone: Tone, text: &str) -> HeaderValue {
        let text: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        self.keep(FLASH, &format!("{}.{text}", tone.class()))
    }

    fn cookie(&self, name: &str) -> String {
        if self.settings.secure() { format!("__Host-{name}") } else { name.to_owned() }
    }

    fn keep(&self, name: &str, value: &str) -> HeaderValue {
        let days = if name == FLASH { 0 } else { self.settings.session_days };
        let seconds = if name == FLASH { 60 } else { u64::from(days) * 86_400 };
        self.set_cookie(name, value, seconds)
    }

    fn forget(&self, name: &str) -> HeaderValue {
        self.set_cookie(name, "", 0)
    }

    fn set_cookie(&self, name: &str, value: &str, seconds: u64) -> HeaderValue {
        let secure = if self.settings.secure() { "; Secure" } else { "" };
        let cookie = format!("{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}", self.cookie(name));
        HeaderValue::from_str(&cookie).unwrap_or(HeaderValue::from_static("mh=; Max-Age=0"))
    }

    /// 128 bits from the operating system's generator, as text.
    fn secret(&self) -> String {
        format!("{:032x}", rand::random::<u128>())
    }
}

/// What the list of sessions calls this device.
pub(crate) fn device(headers: &HeaderMap) -> String {
    let agent = headers.get(http::header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    agent.chars().take(300).collect()
}

pub(crate) fn with_cookies(mut response: Response, cookies: impl IntoIterator<Item = HeaderValue>) -> Response {
    for cookie in cookies {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// An address of ours to go back to; anything that could lead elsewhere becomes `otherwise`.
pub(crate) fn safe_next<'a>(next: &'a str, otherwise: &'a str) -> &'a str {
    let ours = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\n', '\r', '\t']);
    if ours { next } else { otherwise }
}

fn flash_of(cookie: &str) -> Option<Flash> {
    let (tone, text) = cookie.split_once('.')?;
    let tone = [Tone::Info, Tone::Good, Tone::Warn, Tone::Bad].into_iter().find(|known| known.class() == tone)?;
    let decoded = url::form_urlencoded::parse(text.as_bytes()).next().map(|(text, _)| text.into_owned())?;
    Some(Flash { tone, text: decoded })
}

struct Cookies<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Cookies<'a> {
    fn of(headers: &'a HeaderMap) -> Self {
        let lines = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        Self(lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('=')).collect())
    }

    fn get(&self, name: &str) -> &'a str {
        self.0.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_addresses_are_gone_back_to() {
        for (next, safe) in [("/cart?x=1", "/cart?x=1"), ("//evil.example", "/"), ("https://evil.example", "/"), ("/\\evil.example", "/"), ("", "/")]
        {
            assert_eq!(safe_next(next, "/"), safe);
        }
    }

    #[test]
    fn a_flash_survives_its_cookie() {
        let encoded: String = url::form_urlencoded::byte_serialize("Saved; 100 % = done".as_bytes()).collect();
        let flash = flash_of(&format!("good.{encoded}")).unwrap();
        assert_eq!((flash.tone, flash.text.as_str()), (Tone::Good, "Saved; 100 % = done"));
    }
}
