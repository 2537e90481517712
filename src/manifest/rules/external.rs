//! Only what is deployed elsewhere is external.

use super::super::format;
use super::{Endpoint, View};
use crate::diagnostic::{Diagnostic, codes};
use crate::schema::Format;

pub fn check(view: &View<'_>) -> Vec<Diagnostic> {
    let endpoints = view.apps.iter().flat_map(super::AppView::endpoints);
    let told = |endpoint: Endpoint<'_>| {
        declared(view, &endpoint).or_else(|| badly_named(&endpoint)).or_else(|| apart_anyway(&endpoint))
    };
    endpoints.filter_map(told).collect()
}

/// An app of this workspace would lose its place in the order.
fn declared(view: &View<'_>, endpoint: &Endpoint<'_>) -> Option<Diagnostic> {
    let said = endpoint.external?;
    if !view.names.contains(endpoint.app) {
        return None;
    }
    let app = endpoint.app;
    let finding =
        Diagnostic::error(codes::CONFLICTING_KEYS, format!("`{app}` is declared here, so it is not external"))
            .label(said, "it would not be deployed first, nor waited for")
            .label(endpoint.span, "an app of this workspace");
    Some(finding.help("leave `external` out"))
}

/// What is external is no dependency.
fn apart_anyway(endpoint: &Endpoint<'_>) -> Option<Diagnostic> {
    let (external, apart) = (endpoint.external?, endpoint.apart?);
    let message = format!("`depends` says nothing new of `{}`, which is external", endpoint.app);
    let finding = Diagnostic::error(codes::CONFLICTING_KEYS, message).label(apart, "no dependency");
    Some(finding.label(external, "nor is what is deployed elsewhere").help("leave `depends` out"))
}

/// The name of a declared app is looked at where that is declared.
fn badly_named(endpoint: &Endpoint<'_>) -> Option<Diagnostic> {
    endpoint.external?;
    let fault = format::check(Format::AppName, endpoint.app).err()?;
    Some(Diagnostic::error(fault.code, fault.message).label(endpoint.span, fault.label).help(fault.help))
}
