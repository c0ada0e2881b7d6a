//! The people who have an account.

use api_identity::{ListUsersRequest, ListUsersResponse};
use axum::extract::{Query, State};
use axum::response::IntoResponse;
use maud::{Markup, html};

use super::person::role_of;
use super::{ListQuery, console, filter, link, moment, staff, word};
use crate::failure::Page;
use crate::session::Here;
use crate::site::Web;
use crate::ui::{self, Tone, badge};
use crate::visit::Visit;

const PAGE: u32 = 50;
const ROLES: [(&str, &str); 7] = [
    ("", "Everybody"),
    ("platform_admin", "Admins"),
    ("support_agent", "Support"),
    ("analyst", "Analysts"),
    ("seller_admin", "Shop owners"),
    ("seller_manager", "Shop managers"),
    ("inventory_operator", "Shops' stock keepers"),
];

pub(crate) async fn list(State(site): State<Web>, here: Here, Query(wanted): Query<ListQuery>) -> Page {
    staff(&here)?;
    let request = ListUsersRequest { limit: PAGE, cursor: wanted.cursor.clone(), query: wanted.query.clone(), role: role_of(&wanted.state).into() };
    let found = site.identity.clone().list_users(here.ctx.request(request)).await?.into_inner();
    Ok(view(&here, &wanted, &found).into_response())
}

fn view(visit: &Visit, wanted: &ListQuery, found: &ListUsersResponse) -> Markup {
    let at = |role: &str, cursor: &str| link("/operator/users", &[("query", &wanted.query), ("state", role), ("cursor", cursor)]);
    let body = html! {
        nav.tabs aria-label="Role" { ul { @for (role, label) in ROLES { li { a href=(at(role, "")) aria-current=[(role == wanted.state).then_some("page")] { (label) } } } } }
        (filter("/operator/users", "Name or e-mail", &wanted.query, &[], ""))
        div.card.flush {
            @if found.users.is_empty() { (ui::empty("users", "Nobody", "No account matches what you asked for.", None)) } @else {
                table.table.cards {
                    thead { tr { th scope="col" { "Person" } th scope="col" { "Roles" } th scope="col" { "E-mail confirmed" } th scope="col" { "Since" } } }
                    tbody {
                        @for entry in &found.users {
                            @let user = entry.user.clone().unwrap_or_default();
                            tr {
                                th scope="row" { a href={ "/operator/users/" (user.user_id) } { (if user.name.is_empty() { user.email.as_str() } else { user.name.as_str() }) } @if user.disabled { " " (badge(Tone::Bad, "disabled")) } @if !user.name.is_empty() { div.small.hush { (user.email) } } }
                                td data-label="Roles" { @for role in &entry.memberships { (badge(Tone::Plain, word(role.role().as_str_name(), "ROLE_"))) " " } }
                                td data-label="E-mail confirmed" { (if user.email_verified { "yes" } else { "no" }) }
                                td data-label="Since" { (moment(user.created_at.as_ref())) }
                            }
                        }
                    }
                }
            }
        }
        (ui::pager(None, (!found.next_cursor.is_empty()).then(|| at(&wanted.state, &found.next_cursor)).as_deref()))
    };
    console(visit, "/operator/users", "People", "Everybody with an account, and what they may do.", html! {}, body)
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::operator;
    let user = api_identity::User { email: "ann@example.com".to_owned(), email_verified: true, ..Default::default() };
    let found = ListUsersResponse { users: vec![api_identity::UserWithRoles { user: Some(user), ..Default::default() }], next_cursor: String::new() };
    vec![
        ("operator-users", view(&operator(), &ListQuery::default(), &found)),
        ("operator-users-none", view(&operator(), &ListQuery::default(), &ListUsersResponse::default())),
    ]
}
