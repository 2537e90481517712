//! Lists: whose apps, which of them, in which order, page by page.

use flyte_schema::flyteidl2::app::{App, ListRequest, ListResponse, list_request};
use flyte_schema::flyteidl2::common::{Filter, filter, sort};

use super::{Record, SUBJECT, State, StateError};
use crate::model::{AppId, Scope};

/// Apps on a page where the request does not say.
const DEFAULT_LIMIT: usize = 100;
/// The most apps on a page.
const MAX_LIMIT: usize = 1000;

/// Some apps of a list, and where to go on.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    pub apps: Vec<App>,
    /// Empty after the last page.
    pub token: String,
    /// All that match, on every page. `None` where it was not asked for.
    pub total: Option<usize>,
}

impl From<Page> for ListResponse {
    fn from(page: Page) -> Self {
        Self {
            apps: page.apps,
            token: page.token,
            total_count: page.total.and_then(|total| i64::try_from(total).ok()).unwrap_or(0),
            ..Default::default()
        }
    }
}

/// The order of a list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Name,
    Created,
}

impl State {
    /// # Errors
    /// [`StateError::Unimplemented`] for what this server cannot list by, [`StateError::Invalid`] for a token or filter
    /// it does not know.
    pub fn list(&self, request: &ListRequest) -> Result<Page, StateError> {
        let everything = Scope { org: String::new(), project: String::new(), domain: String::new() };
        let scope = match &request.filter_by {
            Some(list_request::FilterBy::Project(project)) => {
                Scope { org: String::new(), project: project.name.clone(), domain: project.domain.clone() }
            }
            Some(list_request::FilterBy::Org(_)) if self.quirks.list_by_org => everything,
            Some(list_request::FilterBy::Org(_)) => {
                return Err(StateError::Unimplemented("apps are listed by project here"));
            }
            Some(_) => return Err(StateError::Unimplemented("apps are listed by project or organisation here")),
            None if self.quirks.validates => return Err(StateError::Missing("filter_by")),
            None => everything,
        };
        let asked = &request.request;
        let filters: &[Filter] = if self.quirks.list_by_org { &asked.filters } else { &[] };
        let (order, descending) = if self.quirks.list_by_org { order(request)? } else { (Order::Name, false) };

        let mut rows: Vec<(Key, &AppId, &Record)> = Vec::new();
        for (id, record) in self.records.iter().filter(|(id, _)| in_project(&scope, id)) {
            if matches_all(filters, id, &record.app)? {
                rows.push((Key::new(order, id, &record.app), id, record));
            }
        }
        rows.sort_by(|(a, ..), (b, ..)| if descending { b.cmp(a) } else { a.cmp(b) });
        let total = rows.len();

        if !asked.token.is_empty() {
            let after =
                Key::parse(&asked.token).ok_or_else(|| StateError::invalid("request.token", "not one of ours"))?;
            rows.retain(|(key, ..)| if descending { *key < after } else { *key > after });
        }
        let limit = match usize::try_from(asked.limit).unwrap_or(MAX_LIMIT) {
            0 if self.quirks.validates => DEFAULT_LIMIT,
            0 => usize::MAX,
            given => given.min(MAX_LIMIT),
        };
        let more = rows.len() > limit;
        rows.truncate(limit);
        let token = rows.last().filter(|_| more).map(|(key, ..)| key.to_string()).unwrap_or_default();
        let apps = rows.iter().map(|(_, id, record)| self.view(id, record)).collect();
        Ok(Page { apps, token, total: request.include_total_count.then_some(total) })
    }
}

/// Whether an app lies in a project and domain; an empty one stands for all.
pub fn in_project(scope: &Scope, id: &AppId) -> bool {
    let is = |wanted: &str, given: &str| wanted.is_empty() || wanted == given;
    is(&scope.project, &id.scope.project) && is(&scope.domain, &id.scope.domain)
}

fn order(request: &ListRequest) -> Result<(Order, bool), StateError> {
    let asked = &request.request;
    let by = asked.sort_by_fields.first().or(asked.sort_by.as_option());
    let Some(by) = by.filter(|by| !by.key.is_empty()) else { return Ok((Order::Name, false)) };
    let order = match by.key.as_str() {
        "name" => Order::Name,
        "created_at" => Order::Created,
        other => return Err(StateError::invalid("request.sort_by", format!("cannot sort by `{other}`"))),
    };
    Ok((order, by.direction == sort::Direction::DESCENDING))
}

fn matches_all(filters: &[Filter], id: &AppId, app: &App) -> Result<bool, StateError> {
    for filter in filters {
        let value = match filter.field.as_str() {
            "name" => id.name.to_string(),
            "status_phase" => {
                app.status.conditions.last().map(|it| it.deployment_status.to_string()).unwrap_or_default()
            }
            "created_by" => SUBJECT.to_owned(),
            other => return Err(StateError::invalid("request.filters", format!("cannot filter by `{other}`"))),
        };
        if !matches(filter, &value)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn matches(filter: &Filter, value: &str) -> Result<bool, StateError> {
    use filter::Function as F;
    let mut values = filter.values.iter();
    Ok(match filter.function.as_known() {
        Some(F::EQUAL | F::VALUE_IN) => values.any(|it| it == value),
        Some(F::NOT_EQUAL | F::VALUE_NOT_IN) => values.all(|it| it != value),
        Some(F::CONTAINS) => values.any(|it| value.contains(it.as_str())),
        Some(F::CONTAINS_CASE_INSENSITIVE) => values.any(|it| value.contains(&it.to_lowercase())),
        _ => return Err(StateError::invalid("request.filters", format!("cannot compare with {}", filter.function))),
    })
}

/// A place in a list: what it is sorted by, then the app.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    nanoseconds: i128,
    app: String,
}

impl Key {
    fn new(order: Order, id: &AppId, app: &App) -> Self {
        let created = &app.status.created_at;
        let nanoseconds = match order {
            Order::Name => 0,
            Order::Created => i128::from(created.seconds) * 1_000_000_000 + i128::from(created.nanos),
        };
        Self { nanoseconds, app: format!("{}/{}/{}", id.scope.project, id.scope.domain, id.name) }
    }

    fn parse(token: &str) -> Option<Self> {
        let (nanoseconds, app) = token.split_once('/')?;
        Some(Self { nanoseconds: nanoseconds.parse().ok()?, app: app.to_owned() })
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.nanoseconds, self.app)
    }
}
